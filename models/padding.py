"""Frames of any size, for networks that halve it."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def padded(x: Float[Tensor, "b t c h w"], multiple: int) -> Float[Tensor, "b t c _ _"]:
    """Height and width divisible by `multiple`, by reflection at the bottom and the right."""
    height, width = x.shape[-2:]
    if min(height, width) <= multiple:  # reflection needs more than one pixel where the network is narrowest
        raise ValueError(f"frames of {height} x {width} are too small: this generator needs more than {multiple} pixels a side")
    padding = (0, -width % multiple, 0, -height % multiple)
    if not any(padding):
        return x
    larger = F.pad(x.flatten(0, 1), padding, mode="reflect")
    return larger.reshape(*x.shape[:3], *larger.shape[-2:])
