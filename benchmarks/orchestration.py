"""What a clip costs beside its work: a stage over clips of one byte, without and with a Prefect server, and where that goes.

Milliseconds a clip = (seconds of N clips - seconds of 2 clips) / (N - 2): two, so that both runs start the worker processes.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from unittest import mock

import pandas as pd

from benchmarks import tiny_stage  # noqa: F401 - puts the tiny stage into this process
from benchmarks.measure import Seconds, in_turns, row, seconds_of, show, spread
from flows import environment
from pipeline import layout, manifest, runner
from pipeline.journey import STAGES
from pipeline.params_file import load
from pipeline.plan import plan
from pipeline.store import Store

REPOSITORY = Path(__file__).parents[1]
DATASET, STAGE = "smoke", "optical_flow"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orchestration", description=__doc__)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        many, two = (create(Path(folder) / str(clips), clips) for clips in (asked.clips, 2))
        with server(two) as url:
            sides: dict[str, Callable[[], object]] = {
                "many": lambda: run(many, None),
                "two": lambda: run(two, None),
                "many, server": lambda: run(many, url),
                "two, server": lambda: run(two, url),
                "many, found": lambda: run(many, None, fresh=False),
                "two, found": lambda: run(two, None, fresh=False),
            }
            taken = in_turns(sides, asked.rounds)
        parts = parts_of(many)
    sides_of = {"no server": ("many", "two"), "server": ("many, server", "two, server"), "found": ("many, found", "two, found")}
    wall, cpu = (
        {name: per_clip(taken[m], taken[two], asked.clips, clock) for name, (m, two) in sides_of.items()} for clock in ("wall", "cpu")
    )
    measured = {name: f"{spread(wall[name], 'ms')}, CPU {spread(cpu[name], 'ms')}" for name in sides_of}
    show(
        [
            row(f"a clip's orchestration, {asked.clips} clips, no server", measured["no server"], "", "", "5 ms"),
            row("the same with a Prefect server", measured["server"], "without", _times(wall["server"], wall["no server"]), "30 ms"),
            row("a clip that the store has", measured["found"], "one that it has not", _times(wall["found"], wall["no server"])),
            *[row(f"of which, in one process: {name}", f"{milliseconds:.2f} ms") for name, milliseconds in parts.items()],
        ]
    )


def create(root: Path, clips: int) -> Path:
    """A project whose stage `clips` has run, to be believed."""
    root.mkdir()
    shutil.copy(REPOSITORY / "params.yaml", root)
    shutil.copy(REPOSITORY / "dvc.yaml", root)
    names = [f"clip-{number:05d}" for number in range(clips)]
    with chdir(root):
        manifest.write(layout.stage(DATASET, "clips"), pd.DataFrame({"clip": names, "key": names, "split": "train", "labelled": 0}))
    return root


def run(project: Path, url: str | None, *, fresh: bool = True) -> None:
    """The stage's command, with nothing in the store."""
    with chdir(project):
        if fresh:
            shutil.rmtree(layout.store(), ignore_errors=True)
        variables = {name: value for name, value in environment.for_tools().items() if name not in (environment.API_URL, "V2V_STORE")}
        variables |= {"PYTHONPATH": str(REPOSITORY)} | ({environment.API_URL: url} if url else {})
        command = [sys.executable, "-m", "benchmarks.tiny_stage", STAGE, "--dataset", DATASET]
        done = subprocess.run(command, env=variables, text=True, capture_output=True)
    if done.returncode or f"{0 if fresh else count(project)} reused" not in done.stdout:
        sys.exit(done.stdout + done.stderr)


def count(project: Path) -> int:
    with chdir(project):
        return len(manifest.read(layout.stage(DATASET, "clips")))


def parts_of(project: Path) -> dict[str, float]:
    """Milliseconds a clip of each part, one after another in this process."""
    with chdir(project):
        stage, store, all_params = STAGES[STAGE], Store(layout.store()), load(layout.PARAMS)
        jobs = plan(stage, DATASET, all_params, store)
        folder = layout.stage(DATASET, STAGE)
        seconds = {"planning": seconds_of(lambda: plan(stage, DATASET, all_params, store))}
        for name, sync in {"writing an entry": os.fsync, "the same without fsync": lambda _: None}.items():
            shutil.rmtree(layout.store())
            with mock.patch.object(os, "fsync", sync):
                seconds[name] = seconds_of(lambda: [runner.compute(job) for job in jobs])
        shutil.rmtree(folder)
        seconds["publishing"] = seconds_of(lambda: runner.publish(stage, jobs, store, folder))
    return {name: 1000 * taken.wall / len(jobs) for name, taken in seconds.items()}


def per_clip(many: list[Seconds], two: list[Seconds], clips: int, clock: str) -> list[float]:
    """Milliseconds, by the wall's or the processor's clock (that of the stage and its workers, not of the server)."""
    constant = statistics.median(getattr(t, clock) for t in two)
    return [1000 * (getattr(t, clock) - constant) / (clips - 2) for t in many]


@contextmanager
def server(project: Path) -> Iterator[str]:
    """A Prefect server and the project's deployments, as `make server` starts them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {**environment.for_tools(PREFECT_HOME=str(project / "prefect")), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "flows.server", "--port", str(port)]
    with subprocess.Popen(command, cwd=project, env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the address, once it answers
        try:
            yield f"http://127.0.0.1:{port}/api"
        finally:
            process.terminate()


def _times(measured: list[float], other: list[float]) -> str:
    return f"{statistics.median(measured) / statistics.median(other):.1f} x"


if __name__ == "__main__":
    main()
