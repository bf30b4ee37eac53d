"""A training step at 256x128 with the settings of `sample-street`: seconds, share of waiting for data, peak of memory.

The loop is the real one (pipeline.train); each side runs in a process of its own. The other sides differ in one thing:
`plain`: as it is usually written: the discriminators see the real frames again for their own loss, tensors are not channels last;
`bfloat16`: train.precision.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from benchmarks import sample_clips
from benchmarks.measure import row, show, spread
from pipeline import objective, params, train
from pipeline.objective import Judged, Networks, Terms
from pipeline.windows import Batch, Windows

SIDES = ("float32", "plain", "bfloat16")
WARM = 2
"""Steps that do not count: the first ones choose algorithms and allocate."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_step", description=__doc__)
    parser.add_argument("--size", default="256x128", help="WIDTHxHEIGHT")
    parser.add_argument("--steps", type=int, default=8, help="of each side in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        print(json.dumps(train_once(asked.side, asked.size, asked.steps)))
        return
    taken: dict[str, list[dict[str, list[float]]]] = {side: [] for side in SIDES}
    for _ in range(asked.rounds):
        for side in SIDES:
            taken[side].append(_in_its_own_process(side, asked.size, asked.steps))
    show(_rows(taken, asked.size))


def _in_its_own_process(side: str, size: str, steps: int) -> dict[str, list[float]]:
    command = [sys.executable, "-m", "benchmarks.training_step", "--side", side, "--size", size, "--steps", str(steps)]
    variables = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}  # as flows.stage sets it
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=variables).stdout)


def _rows(taken: dict[str, list[dict[str, list[float]]]], size: str) -> list[str]:
    ours = taken["float32"]
    waited = sum(_all(ours, "waited")) / sum(_all(ours, "wall"))
    rows = [row(f"share of a training step that waits for data, {size}", f"{100 * waited:.1f} %", aim="5 %")]
    for other in SIDES[1:]:
        for what, name, unit in (
            ("seconds", "wall", "s"),
            ("CPU seconds", "cpu", "s"),
            ("peak memory beyond what the imports take", "peak", "GB"),
        ):
            mine, theirs = _all(ours, name), _all(taken[other], name)
            times = statistics.median(mine) / statistics.median(theirs)
            rows.append(row(f"training step, {size}: {what}", spread(mine, unit), f"{other}: {spread(theirs, unit)}", f"{times:.2f} x"))
    return rows


def _all(rounds: list[dict[str, list[float]]], name: str) -> list[float]:
    return [value for taken in rounds for value in taken[name]]


def train_once(side: str, size: str, steps: int) -> dict[str, list[float]]:
    """Seconds of each step and the process's peak of memory, in GB."""
    width, height = map(int, size.split("x"))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as changed:
        root = Path(folder)
        sample = sample_clips.create(root / "clips", width=width, height=height, num_clips=2, num_frames=16)
        p = sample.params.section(params.Train, sample_clips.DATASET)
        p = p.model_copy(update={"steps": WARM + steps, "precision": "bfloat16" if side == "bfloat16" else "float32"})
        torch.set_num_threads(sample.params.machine.threads)
        torch.use_deterministic_algorithms(True)  # as in a stage
        clock = Clock(train._batches)
        changed.enter_context(mock.patch.object(train, "_batches", clock.batches))
        if side == "plain":
            make_plain(changed)
        before = _peak_gigabytes()
        folders = sample.folders
        (root / "work").mkdir()
        train.run(
            folders.clips,
            folders.maps.segmentation,
            folders.maps.instances,
            folders.optical_flow,
            folders.maps.pose,
            folders.maps.edges,
            sample.dataset,
            root / "out",
            root / "work",
            p,
            sample.params.machine.device,
        )
    counted = {name: values[WARM:] for name, values in clock.seconds.items()}
    return {**counted, "peak": [_peak_gigabytes() - before]}


class Clock:
    """Takes the time of each step from outside: between two batches that the loop asks for."""

    def __init__(self, batches: Callable[..., Iterator[tuple[int, Batch]]]) -> None:
        self._batches = batches
        self.seconds: dict[str, list[float]] = {"wall": [], "cpu": [], "waited": []}

    def batches(self, windows: Windows, first: int, last: int, device: str) -> Iterator[tuple[int, Batch]]:
        source = self._batches(windows, first, last, device)
        for _ in range(first, last + 1):
            wall, cpu = time.perf_counter(), time.process_time()
            step_and_batch = next(source)
            waited = time.perf_counter() - wall
            yield step_and_batch
            taken = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "waited": waited}
            for name, value in taken.items():
                self.seconds[name].append(value)


def make_plain(changed: ExitStack) -> None:
    real_inputs: dict[int, torch.Tensor] = {}
    judged, networks_of, discriminator_side = objective._judged, train._networks, objective.discriminator_side

    def remember(discriminator: Any, fakes: list[torch.Tensor], real: torch.Tensor) -> Judged:
        real_inputs[id(discriminator)] = real
        return judged(discriminator, fakes, real)

    def judge_again(by_name: dict[str, Judged], gan: str) -> Terms:
        again = {name: replace(j, real_features=j.discriminator(real_inputs[id(j.discriminator)])) for name, j in by_name.items()}
        return discriminator_side(again, gan)

    def contiguous(*arguments: Any) -> Networks:
        networks = networks_of(*arguments)
        for network in networks.trained().values():
            network.to(memory_format=torch.contiguous_format)
        return networks

    changed.enter_context(mock.patch.object(objective, "_judged", remember))
    changed.enter_context(mock.patch.object(train, "discriminator_side", judge_again))
    changed.enter_context(mock.patch.object(train, "_networks", contiguous))


def _peak_gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
