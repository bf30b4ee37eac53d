"""What the discriminators see: an image with its maps, or groups of frames at some frame rate with the true optical flow."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

FLOW_UNIT = 20.0
"""Pixels; brings optical flow to the size of colours, as in the reference."""


def image_input(maps: Float[Tensor, "b c h w"], image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c+3 h w"]:
    return torch.cat([maps, image], dim=1)


@dataclass(frozen=True)
class Spot:
    """A pixel of one of a batch's images, by its number."""

    image: int
    x: int
    y: int


def squares(images: Float[Tensor, "b c h w"], around: Sequence[Spot], side: int) -> Float[Tensor, "n c side side"]:
    """Of `side` pixels, cut out with the spots in their middle or, near a border, beside it; no image is smaller than that."""
    height, width = images.shape[-2:]
    alone = images.unbind()  # of slices of the whole batch each would have a gradient as large as it
    tops = [min(max(spot.y - side // 2, 0), height - side) for spot in around]
    lefts = [min(max(spot.x - side // 2, 0), width - side) for spot in around]
    return torch.stack(
        [alone[spot.image][:, top : top + side, left : left + side] for spot, top, left in zip(around, tops, lefts, strict=True)]
    )


def temporal_groups(num_frames: int, stride: int, *, frames: int = 3) -> list[tuple[int, ...]]:
    """Groups of `frames` that lie `stride` apart, the latest first, each ending `frames` before the last one's end.

    A window that continues a video may bring up to `stride * (frames - 1)` earlier frames: no group then lies in these alone.
    """
    reach = stride * (frames - 1)
    return [tuple(range(end - reach, end + 1, stride)) for end in range(num_frames - 1, reach - 1, -frames)]


def video_input(frames: Float[Tensor, "b k 3 h w"], optical_flow: Float[Tensor, "b k-1 2 h w"]) -> Float[Tensor, "b channels h w"]:
    """Frames, oldest first, then the flow from each but the oldest to the one before it."""
    return torch.cat([frames.flatten(1, 2), optical_flow.flatten(1, 2) / FLOW_UNIT], dim=1)


def grouped_video_input(
    frames: Float[Tensor, "b t 3 h w"], groups: Sequence[Sequence[int]], optical_flow: Float[Tensor, "b groups between 2 h w"]
) -> Float[Tensor, "b_and_groups channels h w"]:
    """All `groups` of a window's frames as one batch; `optical_flow` leads from each frame of a group to the one before it there."""
    index = torch.tensor(groups, device=frames.device)  # groups k
    return video_input(rearrange(frames[:, index], "b g k c h w -> (b g) k c h w"), optical_flow.flatten(0, 1))
