"""What all networks that measure optical flow share: frames padded on the device, pairs in a batch, flow in the frames' pixels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.checkpoint import read_weights
from pipeline.errors import InputError, one_line
from pipeline.extractors.optical_flow import Measure

WHERE = "optical_flow.options.weights"

SMALLEST_SIDE = 128
"""Correlation pyramids (RAFT: 1/8, then halved three times) need two pixels at their top."""


@dataclass(frozen=True)
class Prepared:
    image: Float[Tensor, "3 H W"]
    """On the device, as the network wants its colours, padded to a size that it can take."""
    height: int
    """Of the frame."""
    width: int


def measuring(
    network: Callable[[Tensor, Tensor], Tensor], colours: Callable[[Tensor], Tensor], *, stride: int, device: str, precision: str
) -> Measure:
    """`network`: two images `b 3 H W`, sides multiples of `stride` -> flow `b 2 H W`, pixels; `colours`: RGB 0..1 -> its input."""

    def prepare(rgb: UInt8[np.ndarray, "h w 3"]) -> Prepared:
        image = torch.from_numpy(np.ascontiguousarray(rgb))
        image = image.pin_memory().to(device, non_blocking=True) if device == "cuda" else image
        return Prepared(padded(colours(image.movedim(-1, 0).float() / 255), stride), *rgb.shape[:2])

    @torch.inference_mode()
    def between(source: Sequence[Prepared], target: Sequence[Prepared]) -> Float32[np.ndarray, "b h w 2"]:
        first, second = (torch.stack([frame.image for frame in side]) for side in (source, target))
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            flow = network(first, second)[..., : source[0].height, : source[0].width]
        return flow.movedim(1, -1).float().cpu().contiguous().numpy()

    return Measure(prepare, between)


def padded(image: Float[Tensor, "3 h w"], stride: int) -> Float[Tensor, "3 H W"]:
    """Right and below, by the border's pixels: nothing is scaled, so flow stays in pixels of the frame."""
    below, right = (-(-max(SMALLEST_SIDE, side) // stride) * stride - side for side in image.shape[-2:])
    return F.pad(image[None], (0, right, 0, below), mode="replicate")[0]


def fill(network: nn.Module, state: dict[str, Any], name: str, weights: str) -> None:
    """With a state dict. InputError where it is another network's."""
    try:
        network.load_state_dict(state)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise InputError(f"{WHERE}: {weights} does not fit {name} ({one_line(error)})") from None


def state_of(file: Path) -> dict[str, Any]:
    """A plain state dict or one of Lightning's; `module.` is what DataParallel put before each name."""
    saved = read_weights(file, WHERE)
    return {name.removeprefix("module."): weight for name, weight in saved.get("state_dict", saved).items()}
