"""Where one shot of a video ends and the next begins. Deciding is PySceneDetect's."""

from collections.abc import Iterable

import cv2
import numpy as np
from jaxtyping import UInt8

LOOKED_AT_WIDTH = 256
"""Frames are looked at in small: a change of scene shows, noise does not."""

SHORTEST_SHOT = 8
"""Frames; flashes are no scenes."""


def shots(frames: Iterable[UInt8[np.ndarray, "h w 3"]], threshold: float) -> tuple[int, ...]:
    """Frames with which another shot begins; the first frame is none of them.

    `threshold`: how many times the difference to the frame before must exceed that of its neighbours. A camera that moves fast
    changes every frame, so its frames count less than those around a cut.
    """
    from scenedetect import FrameTimecode  # type: ignore[import-untyped]
    from scenedetect.detectors import AdaptiveDetector  # type: ignore[import-untyped]

    detector = AdaptiveDetector(adaptive_threshold=threshold, min_scene_len=SHORTEST_SHOT)
    found: list[int] = []
    for t, rgb in enumerate(frames):
        found += [cut.frame_num for cut in detector.process_frame(FrameTimecode(t, fps=25.0), _small(rgb))]
    return tuple(sorted(set(found)))


def _small(rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """In BGR, as the detector wants it."""
    height, width = rgb.shape[:2]
    scale = min(1.0, LOOKED_AT_WIDTH / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
