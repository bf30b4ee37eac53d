"""Multiply-adds of a training step, ours and the reference's: counted on tensors that have no values, so at any size on any machine.

The ratio is how many times as fast ours can be at equal precision where multiply-adds are all that takes time. Checkpointing computes the
generator and VGG twice.
"""

import argparse
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from unittest import mock

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import training_step
from benchmarks.measure import row, show
from benchmarks.training_step import PLAIN
from models.discriminator_input import temporal_groups
from pipeline import palettes, params
from pipeline.batch import Batch, StepInput, VideoGroups
from pipeline.devices import Devices
from pipeline.maps import MapKind
from pipeline.schedule import Schedule

STREET = MapKind(palettes.load("cityscapes"), instances=True, edges=0, pose=0)
SAMPLE_STREET = MapKind(palettes.load("sample_street"), instances=True, edges=0, pose=0)


@dataclass(frozen=True)
class Case:
    width: int
    height: int
    maps: MapKind
    vgg: bool
    networks: Mapping[str, int | None]
    """Options of `benchmarks.training_step`; None = as for sample-street."""


AS_SAMPLE = {"width": None, "downsamplings": None, "blocks": None, "scales": None}
PAPER = {"width": 128, "downsamplings": 3, "blocks": 9}
CASES = {
    "sample-street, 256x128": Case(256, 128, SAMPLE_STREET, False, AS_SAMPLE),
    "sample-street with VGG, 256x128": Case(256, 128, SAMPLE_STREET, True, AS_SAMPLE),
    "the paper's widths, 512x256": Case(512, 256, STREET, True, {**PAPER, "scales": 1}),
    "the paper's widths, 1024x512": Case(1024, 512, STREET, True, {**PAPER, "scales": 2}),
    "the paper's widths, 2048x1024": Case(2048, 1024, STREET, True, {**PAPER, "scales": 3}),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.multiply_adds", description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    rows = []
    for name in parser.parse_args().cases:
        plain = step_billions(CASES[name], PLAIN)
        for side in ("ours, float32", "ours, checkpointing"):
            ours = step_billions(CASES[name], side)
            what = f"{name}, {side}: billions of multiply-adds for a frame's share of a step"
            rows.append(row(what, f"{ours:.4g}", f"{plain:.4g}", f"{plain / ours:.3f} x"))
    show(rows)


def step_billions(case: Case, side: str) -> float:
    """For each frame of the first step of a sequence, which has real frames before it."""
    p, devices = training_step.section(Namespace(**case.networks, vgg=case.vgg, steps=0, side=side)), Devices("cpu")
    first = Schedule(p.phases(), most_frames=p.sequence_frames)[1]
    unmoved = mock.patch.object(nn.Module, "to", lambda network, *_, **__: network)  # such tensors cannot be given another layout
    unread = mock.patch.object(FakeTensor, "tolist", lambda values: [0.0] * len(values))
    with FakeTensorMode(), unmoved, unread:
        learning = training_step.learner_of(p, case.maps, devices)
        batch = empty_batch(case, p)
        take = training_step.taking_plain(learning, p, None) if side == PLAIN else training_step.taking_ours(learning, p, devices)
        return billions(lambda: take(StepInput(first, batch, None))) / p.window_frames


def empty_batch(case: Case, p: params.Train) -> Batch:
    past, t = p.generator.past_frames, p.window_frames

    def video(*frames_and_channels: int) -> torch.Tensor:
        return torch.zeros(1, *frames_and_channels, case.height, case.width)

    groups = {stride: temporal_groups(t, stride) for stride in p.video_discriminator.strides}
    flows = {stride: VideoGroups(found, video(len(found), 2, 2)) for stride, found in groups.items() if found}
    foreground = video(past + t, 1) if p.generator.foreground else None
    return Batch(video(past + t, case.maps.channels), foreground, video(past, 3), video(t, 3), video(t, 2), video(t, 1), flows, [])


def billions(work: Callable[[], object]) -> float:
    """Of convolutions, forwards and backwards."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() / 2 / 1e9


if __name__ == "__main__":
    main()
