"""What `pipeline.memory_estimate` says a training step needs, and how much the process really grows; each case in a process of its own.

Random weights and frames: memory does not depend on them.
"""

import argparse
import ctypes
import gc
import json
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from ruamel.yaml import YAML

from benchmarks.measure import row, show
from models.vgg import VggFeatures
from pipeline import layout, learner, learners, memory_estimate, palettes, params
from pipeline.batch import Batch, StepInput
from pipeline.devices import Devices
from pipeline.learner import Learner
from pipeline.maps import MapKind
from pipeline.schedule import Step

STEPS = 2
"""The second has Adam's moments and the gradients of the first."""


@dataclass(frozen=True)
class Case:
    size: str
    """WIDTHxHEIGHT"""
    width: int
    """Channels of generator and discriminators."""
    scales: int = 1
    vgg: bool = False
    precision: str = "float32"
    checkpointing: bool = False
    frames: int = 4

    def __str__(self) -> str:
        switches = {"VGG": self.vgg, "checkpointing": self.checkpointing}
        named = [f"{self.frames} frames of {self.size}", f"width {self.width}", f"{self.scales} scales", self.precision]
        return ", ".join([*named, *(name for name, on in switches.items() if on)])


CASES = [
    *(Case("256x128", 16, scales, vgg) for scales in (1, 2) for vgg in (False, True)),
    Case("256x128", 16, precision="bfloat16"),
    Case("256x128", 16, checkpointing=True),
    *(Case("256x128", 64, vgg=vgg, frames=2) for vgg in (False, True)),
    Case("256x128", 64, scales=2, precision="bfloat16", frames=2),
    *(Case("512x256", 16, scales, vgg, frames=2) for scales in (1, 2) for vgg in (False, True)),
    Case("512x256", 16, vgg=True, precision="bfloat16", frames=2),
    Case("512x256", 64, vgg=True, frames=1),
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_memory", description=__doc__)
    parser.add_argument("--cases", nargs="*", type=int, default=range(len(CASES)), help="numbers from 0 on; without, all")
    parser.add_argument("--size", help="WIDTHxHEIGHT in place of the cases' own")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.job:
        print(json.dumps(grown(Case(**json.loads(asked.job)))))
        return
    cases = [CASES[number] for number in asked.cases]
    show([_row(replace(case, size=asked.size or case.size)) for case in cases])


def _row(case: Case) -> str:
    command = [sys.executable, "-m", "benchmarks.training_memory", "--job", json.dumps(asdict(case))]
    estimate, measured = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return row(f"training step: {case}", f"{measured:.3f} GB", f"estimate {estimate:.3f} GB", f"{estimate / measured:.2f}", "0.8 to 1.2")


def grown(case: Case) -> tuple[float, float]:
    """GB: the estimate, and what the process needed beyond what it took before."""
    torch.set_num_threads(1)  # as in a worker
    _train(Case("64x64", 4, vgg=case.vgg, precision=case.precision, checkpointing=case.checkpointing))
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    estimate = _train(case)
    return estimate, _status("VmHWM") - before


def _train(case: Case) -> float:
    """Returns the estimate."""
    p, devices = _params(case), Devices("cpu")
    learning = _learner(case, p, devices)
    width, height = map(int, case.size.split("x"))
    step = Step(1, 1, case.scales, False, 1e-4, case.frames, case.frames)
    estimate = memory_estimate.need(learning, [step], (height, width), p, devices).total
    stepped = None
    for _ in range(STEPS):
        batch = _batch(learning, step, (height, width), devices)
        stepped = learner.step(learning, StepInput(step, batch, None), p, devices)
    assert stepped is not None and stepped.problem is None, stepped
    return estimate / 1e9


def _learner(case: Case, p: params.Train, devices: Devices) -> Learner:
    maps = MapKind(palettes.load("cityscapes"), instances=True, edges=0, pose=0)
    learning = learners.vid2vid(p, maps, devices)
    if not case.vgg:
        return learning
    import torchvision

    vgg = VggFeatures(torchvision.models.vgg19(weights=None).features, checkpointing=case.checkpointing)
    vgg.to(memory_format=torch.channels_last)
    return replace(learning, networks=replace(learning.networks, vgg=vgg))


def _batch(learning: Learner, step: Step, size: tuple[int, int], devices: Devices) -> Batch:
    window = memory_estimate.largest_window(learning.kind, learning.maps, step, (1, *size))
    filled = window.each(lambda x: torch.randint_like(x, 9) if x.dtype == torch.uint8 else torch.zeros_like(x))
    return Batch.of(filled, learning.maps, devices.device, 0)


def _params(case: Case) -> params.Train:
    values: dict[str, Any] = YAML(typ="safe", pure=True).load(layout.PARAMS.read_text())["train"]
    weights = {**values["weights"], "reconstruction": 0.0 if case.vgg else 20.0}
    widths: dict[str, Any] = {f"{of}_discriminator": {**values[f"{of}_discriminator"], "width": case.width} for of in ("image", "video")}
    widths["generator"] = {**values["generator"], "width": case.width, "scales": case.scales}
    changed = {**widths, "weights": weights, "precision": case.precision, "checkpointing": case.checkpointing}
    return params.Train.model_validate({**values, **changed, "window_frames": case.frames, "sequence_frames": case.frames})


def _status(name: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024 / 1e9


if __name__ == "__main__":
    main()
