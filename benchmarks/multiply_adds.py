"""Multiply-adds of networks and of a training step, ours and the reference's: counted on tensors without values, so at any size.

The ratio of the steps is the best there can be at equal precision, where multiply-adds are all that takes time.
"""

import argparse
from argparse import Namespace
from collections.abc import Callable
from unittest import mock

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import training_step
from benchmarks.measure import row, show
from benchmarks.plain_step import Plain, plain_step
from models.discriminator_input import temporal_groups
from pipeline import learner, palettes, params
from pipeline.batch import Batch, VideoGroups
from pipeline.devices import Devices
from pipeline.learner import Learner
from pipeline.maps import MapKind
from pipeline.schedule import Step

PAPER = {"width": 128, "downsamplings": 3, "blocks": 9, "vgg": True}
SAMPLE = {"width": None, "downsamplings": None, "blocks": None, "scales": None}
CASES = {
    "256x128": {**SAMPLE, "vgg": False},
    "256x128 with VGG": {**SAMPLE, "vgg": True},
    "paper's widths, 512x256": {**PAPER, "scales": 1},
    "paper's widths, 1024x512": {**PAPER, "scales": 2},
    "paper's widths, 2048x1024": {**PAPER, "scales": 3},
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.multiply_adds", description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    rows = []
    for case in parser.parse_args().cases:
        sides = {side: step_of(case, side) for side in ("ours", "checkpointing", "plain")}
        frames = 4
        for side in ("ours", "checkpointing"):
            rows.append(row(f"{case}, {side}: billions a frame", f"{sides[side] / frames:.4g}", f"plain: {sides['plain'] / frames:.4g}", f"{sides['plain'] / sides[side]:.3f} x"))
    show(rows)


def billions(work: Callable[[], object]) -> float:
    """Of convolutions, forwards and backwards."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() / 2 / 1e9
