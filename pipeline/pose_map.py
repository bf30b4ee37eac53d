"""A stored pose as the picture that the networks see. A stand-in: it shows the body surface (iuv) alone, no keypoints yet."""

import numpy as np
from jaxtyping import UInt8

from pipeline import arrays

PARTS = 24


def pose_map(pose: arrays.Clip, t: int) -> UInt8[np.ndarray, "h w c"]:
    """Of frame t; black where nobody is."""
    iuv = pose["iuv"][t]
    return np.dstack([np.round(iuv[..., 0] * (255 / PARTS)).astype(np.uint8), iuv[..., 1:]])


def channels(pose: arrays.Clip) -> int:
    return pose["iuv"].shape[-1]
