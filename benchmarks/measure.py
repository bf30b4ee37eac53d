"""What all benchmarks share: seconds of sides that take turns, their spread, this machine in words, rows of Markdown."""

import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

HEADER = "| what | measured | against | ratio | aim |\n|---|---|---|---|---|"


@dataclass(frozen=True)
class Seconds:
    wall: float
    cpu: float
    """Of this process and the children it has waited for: what others do on the machine counts less."""


def seconds_of(work: Callable[[], object]) -> Seconds:
    wall, cpu = time.perf_counter(), _cpu_seconds()
    work()
    return Seconds(time.perf_counter() - wall, _cpu_seconds() - cpu)


def in_turns(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[Seconds]]:
    """A B A B ...: a machine that gets slower meets all sides alike."""
    taken: dict[str, list[Seconds]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, work in sides.items():
            taken[name].append(seconds_of(work))
    return taken


def spread(values: list[float], unit: str) -> str:
    """Median (smallest-largest)."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.3g} {unit}" if len(values) == 1 else f"{middle:.3g} {unit} ({low:.3g}-{high:.3g})"


def walls(taken: list[Seconds]) -> str:
    """Wall seconds, and beside them the processor's."""
    return f"{spread([t.wall for t in taken], 's')}, CPU {statistics.median(t.cpu for t in taken):.3g} s"


def ratio(taken: list[Seconds], other: list[Seconds]) -> float:
    """Of the median wall times."""
    return statistics.median(t.wall for t in taken) / statistics.median(t.wall for t in other)


def row(what: str, measured: str, against: str = "", ratio: str = "", aim: str = "") -> str:
    return f"| {what} | {measured} | {against} | {ratio} | {aim} |"


def show(rows: list[str]) -> None:
    print("\n".join([HEADER, *rows, "", machine()]), flush=True)


def machine() -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "dvc", "prefect", "zarr", "opencv-python-headless"))
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} x {_cpu_model()}, Python {platform.python_version()}, {libraries}; load {load}"


def python(folder: Path, *module: str) -> str:
    """What `python -m ...` prints in a project's folder; it must succeed. Neither a server nor a store of the caller's counts."""
    from flows import environment  # after the clock has been read by those who start no tool

    variables = environment.for_tools()
    for name in (environment.API_URL, "V2V_STORE"):
        variables.pop(name, None)
    done = subprocess.run([sys.executable, "-m", *module], cwd=folder, env=variables, text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"{' '.join(module)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor() or "CPU")
