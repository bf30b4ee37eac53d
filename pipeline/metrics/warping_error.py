"""How much a video flickers: each frame against an earlier one, moved by the real video's optical flow (Lai et al. 2018)."""

import numpy as np
import torch
from jaxtyping import Float16, UInt8
from torch import Tensor

from models.warp import warp

CONFIDENT = 128
"""From this confidence on a point counts as seen in both frames."""


def warping_error(
    frame: UInt8[np.ndarray, "h w 3"],
    earlier: UInt8[np.ndarray, "h w 3"],
    *,
    optical_flow: Float16[np.ndarray, "h w 2"],
    confidence: UInt8[np.ndarray, "h w"],
) -> float | None:
    """Mean over confident pixels and channels of the squared difference, colours in [0, 1]; None without any such pixel.

    `optical_flow` leads from `frame` to `earlier`. A blurred or flat video has a low one, too.
    """
    seen = torch.from_numpy(confidence >= CONFIDENT)
    if not seen.any():
        return None
    moved = warp(_image(earlier), torch.from_numpy(optical_flow.astype(np.float32)).movedim(-1, 0)[None])
    squared = (_image(frame) - moved)[0].double().square().mean(dim=0)  # h w
    return float(squared[seen].mean())


def _image(rgb: UInt8[np.ndarray, "h w 3"]) -> Tensor:
    return torch.tensor(rgb).movedim(-1, 0)[None].float() / 255  # 1 3 h w
