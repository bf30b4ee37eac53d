"""Generators of random weights, saved as trainings save them."""

from pathlib import Path
from typing import Any, TypeVar

import torch

from models.frame_by_frame import FrameByFrame
from models.video_generator import VideoGenerator
from pipeline import layout
from pipeline.checkpoint import save_generator, save_image_generator
from pipeline.maps import MapKind

N = TypeVar("N", bound=torch.nn.Module)

SMALL = {"width": 4, "downsamplings": 1, "blocks": 1, "fine_blocks": 1, "scales": 2, "past_frames": 2, "warping": True}


def save_untrained(folder: Path, kind: MapKind, *, each_alone: bool = False, seed: int = 0, **changed: Any) -> None:
    """With a foreground where the palette has one; frames need more than 4 pixels a side."""
    torch.manual_seed(seed)
    foreground = bool(kind.palette and kind.palette.foreground)
    arguments = {
        **SMALL,
        "map_channels": kind.channels,
        "foreground": foreground,
        "warping": not each_alone,
        "each_alone": each_alone,
        **changed,
    }
    save_generator(layout.networks(folder), livened(VideoGenerator(**arguments)), arguments, kind)


def save_untrained_image_generator(folder: Path, kind: MapKind, *, local_blocks: int = 0, downsamplings: int = 1) -> None:
    torch.manual_seed(1)
    sizes = {"width": 4, "downsamplings": downsamplings, "blocks": 1, "local_blocks": local_blocks}
    arguments = {**sizes, "map_channels": kind.channels, "norm": "instance"}
    save_image_generator(layout.networks(folder), livened(FrameByFrame(**arguments)), arguments, kind)


def livened(network: N) -> N:
    """Weights as initialized give frames of one grey: these give colours, motion and masks that a test can tell apart.

    Biases stay 0: with others, what an encoder makes of an empty past is a constant, and norms show that one's rounding.
    """
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim > 1:
                weight.add_(torch.randn_like(weight) * 0.04)
    return network
