"""What is asked of DVC: its graph, and one stage at a time."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Literal

from flows import environment
from flows.supervise import supervised
from pipeline.errors import InputError

DVC = [sys.executable, "-m", "dvc"]
BUSY = ("is busy, it is being blocked by", "Unable to acquire lock")
DVC_ENDING = "ERROR: failed to reproduce"
SENTENCES = 20
"""More are in the logs."""
GRACE_SECONDS = 20.0
"""For a stage to report its end, and for a training to end its step and save its state."""


@dataclass(frozen=True)
class Repro:
    stage: str
    result: Literal["ran", "unchanged", "busy", "failed"]
    lines: list[str]
    """All that DVC and the stage printed."""

    def counts(self) -> dict[str, int]:
        """Clips that the stage computed, found in the store, and failed at, as it printed them; empty where it did not run to its end."""
        summary = re.compile(rf"{re.escape(self.stage)}: (\d+) computed, (\d+) reused, (\d+) failed")
        found = [match for match in map(summary.match, self.lines) if match]
        return dict(zip(("computed", "reused", "failed"), map(int, found[-1].groups()), strict=True)) if found else {}

    def sentences(self) -> str:
        """Why it failed: what the stage printed after its summary, or else the last that it or DVC printed."""
        starts = [number for number, line in enumerate(self.lines) if line.startswith(("> ", f"{self.stage}: "))]
        said = [line for line in self.lines[starts[-1] + 1 :] if not line.startswith(DVC_ENDING)] if starts else []
        if not said or any(line.startswith("Traceback") for line in said):
            said = (said or self.lines)[-1:]
        return "\n".join(said[-SENTENCES:])


def upstream_stages(target: str) -> dict[str, set[str]]:
    """`target` and every stage it needs, each with the stages whose outputs it reads; from DVC's own graph."""
    asked = subprocess.run([*DVC, "dag", "--dot", target], env=environment.for_tools(), capture_output=True, text=True)
    if asked.returncode:
        raise InputError(f"dvc dag {target}: {_last_line(asked.stderr)}")
    return parse_dot(asked.stdout)


@dataclass(frozen=True)
class OutOfDate:
    changed: list[str]
    """Something that they read, or their own output, is not as in dvc.lock."""
    after: list[str]
    """They read what those write: they run, too, unless it comes out equal."""


def out_of_date(stages: dict[str, set[str]]) -> OutOfDate:
    """Of stages with those that they need, as `upstream_stages` gives them; in their order. Nothing is run."""
    asked = subprocess.run([*DVC, "status", "--json", *stages], env=environment.for_tools(), capture_output=True, text=True)
    if asked.returncode:
        raise InputError(f"dvc status: {_last_line(asked.stderr)}")
    changed, after = set(json.loads(asked.stdout)), set[str]()
    order = list(TopologicalSorter(stages).static_order())
    for stage in order:
        if stage not in changed and stages[stage] & (changed | after):
            after.add(stage)
    return OutOfDate([stage for stage in order if stage in changed], [stage for stage in order if stage in after])


def parse_dot(dot: str) -> dict[str, set[str]]:
    """Files tracked by themselves (`x.dvc`) are no stages."""
    stages = sorted({name for name in re.findall(r'"([^"]+)"', dot) if not name.endswith(".dvc")})
    edges = re.findall(r'"([^"]+)" -> "([^"]+)"', dot)
    return {stage: {upstream for upstream, downstream in edges if downstream == stage and upstream in stages} for stage in stages}


def repro(stage: str, *, environment_of_stage: dict[str, str], log: Callable[[str], None]) -> Repro:
    """Brings one stage up to date; its upstream must be. Ends with this process."""
    lines: list[str] = []
    command = [*DVC, "--wait-for-lock", "repro", "--single-item", stage]
    with supervised(command, environment.for_tools(**environment_of_stage), grace_seconds=GRACE_SECONDS) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip():
                lines.append(line.rstrip())
                log(lines[-1])
    return Repro(stage, _result(process.returncode, lines), lines)


def _result(status: int, lines: list[str]) -> Literal["ran", "unchanged", "busy", "failed"]:
    if status:
        return "busy" if any(busy in line for busy in BUSY for line in lines) else "failed"
    return "ran" if any(line.startswith("Running stage") for line in lines) else "unchanged"


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "no answer")
