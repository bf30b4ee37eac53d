"""OpenCV's dense inverse search: no weights, CPU only."""

from collections.abc import Sequence
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

Grey = UInt8[np.ndarray, "h w"]


def build(preset: Literal["ultrafast", "fast", "medium"]) -> Measure:
    dis = cv2.DISOpticalFlow.create(PRESETS[preset])

    def prepare(rgb: UInt8[np.ndarray, "h w 3"]) -> Grey:
        grey: np.ndarray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        return grey

    def between(source: Sequence[Grey], target: Sequence[Grey]) -> Float32[np.ndarray, "b h w 2"]:
        return np.stack([dis.calc(s, t, None) for s, t in zip(source, target, strict=True)])  # type: ignore[call-overload]

    return Measure(prepare, between)
