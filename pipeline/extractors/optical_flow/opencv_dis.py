"""OpenCV's dense inverse search: no weights, CPU only."""

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from pipeline.extractors.optical_flow import Measure

PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}


def build(preset: Literal["ultrafast", "fast", "medium"]) -> Measure:
    dis = cv2.DISOpticalFlow.create(PRESETS[preset])

    def measure(source: UInt8[np.ndarray, "b h w 3"], target: UInt8[np.ndarray, "b h w 3"]) -> Float32[np.ndarray, "b h w 2"]:
        return np.stack([dis.calc(_grey(s), _grey(t), None) for s, t in zip(source, target, strict=True)])  # type: ignore[call-overload]

    return measure


def _grey(rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w"]:
    grey: np.ndarray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return grey
