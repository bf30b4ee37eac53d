"""Canny's edges of any picture: no weights, CPU only."""

import cv2
import numpy as np
from jaxtyping import UInt8
from pydantic import NonNegativeFloat

from pipeline.extractors.edges import Draw


def build(low: NonNegativeFloat = 100.0, high: NonNegativeFloat = 200.0) -> Draw:
    """Gradients from `high` on begin an edge, those from `low` on continue it (of a blurred grey frame, L1 norm of 3x3 Sobel)."""

    def draw(rgb: UInt8[np.ndarray, "b h w 3"]) -> UInt8[np.ndarray, "b h w 1"]:
        greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in rgb]
        return np.stack([cv2.Canny(grey, low, high) for grey in greys])[..., None]

    return draw
