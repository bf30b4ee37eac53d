"""Moving an image by optical flow."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def warp(image: Float[Tensor, "b c h w"], optical_flow: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b c h w"]:
    """The pixel (x, y) of the result is `image` at (x + dx, y + dy): warping frame t-k by the flow from t to t-k gives frame t.

    Bilinear; what lies outside the image takes the border's value. Always float32: bfloat16 cannot tell pixel 1000 from 1003.
    """
    with torch.autocast(image.device.type, enabled=False):
        grid = _sampling_grid(optical_flow.float())
        return F.grid_sample(image.float(), grid, mode="bilinear", padding_mode="border", align_corners=True)


def _sampling_grid(optical_flow: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b h w 2"]:
    """Where each pixel looks, in [-1, 1] from the centre of the first pixel to the centre of the last."""
    height, width = optical_flow.shape[-2:]
    x = _positions(width, optical_flow.device) + optical_flow[:, 0] / (max(width - 1, 1) / 2)
    y = _positions(height, optical_flow.device)[:, None] + optical_flow[:, 1] / (max(height - 1, 1) / 2)
    return torch.stack([x, y], dim=-1)  # b h w 2


def _positions(length: int, device: torch.device) -> Float[Tensor, " length"]:
    return torch.linspace(-1, 1, length, device=device)
