"""Where one shot of a video ends and the next begins. Deciding is PySceneDetect's."""

from collections.abc import Iterable, Iterator
from itertools import repeat

import cv2
import numpy as np
from jaxtyping import UInt8

LOOKED_AT_WIDTH = 256
"""Frames are looked at in small: a change of scene shows, noise does not."""

NEIGHBOURS = 2
"""Frames before and after one that its difference is compared with."""


def shots(frames: Iterable[UInt8[np.ndarray, "h w 3"]], threshold: float) -> tuple[int, ...]:
    """Frames with which another shot begins; the first frame is none of them.

    `threshold`: how many times the difference to the frame before must exceed that of its neighbours. A camera that moves fast
    changes every frame, so its frames count less than those around a cut. A shot may be as short as one frame: a shot too many costs a
    few frames, one too few a clip with a change of scene in it.
    """
    from scenedetect import FrameTimecode  # type: ignore[import-untyped]
    from scenedetect.detectors import AdaptiveDetector  # type: ignore[import-untyped]

    detector = AdaptiveDetector(adaptive_threshold=threshold, min_scene_len=1, window_width=NEIGHBOURS)
    found: list[int] = []
    for t, small in enumerate(_lengthened(map(_small, frames))):
        found += [cut.frame_num - NEIGHBOURS for cut in detector.process_frame(FrameTimecode(t, fps=25.0), small)]
    return tuple(sorted(set(found)))


def _lengthened(frames: Iterable[UInt8[np.ndarray, "h w 3"]]) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """The first and the last frame stand still for a while, so that these, too, have neighbours on both sides."""
    last = None
    for t, frame in enumerate(frames):
        last = frame
        yield from repeat(frame, 1 if t else 1 + NEIGHBOURS)
    yield from repeat(last, NEIGHBOURS) if last is not None else ()


def _small(rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """In BGR, as the detector wants it."""
    height, width = rgb.shape[:2]
    scale = min(1.0, LOOKED_AT_WIDTH / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
