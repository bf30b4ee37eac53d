"""The lines of a frame. A back-end has `build(...) -> Draw | Landmarks`; what a `build` may ask for beside its options:

clips   the clip's folder (frames.zip and the source's truth)
device  "cpu" or "cuda"
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

Draw = Callable[[UInt8[np.ndarray, "b h w 3"]], UInt8[np.ndarray, "b h w channel"]]
"""Frames in RGB -> their edges, 255 on a line. Equal input gives equal edges."""

Frames = Callable[[], Iterator[UInt8[np.ndarray, "h w 3"]]]
"""All frames of a clip in RGB, from the first one at every call."""


@dataclass(frozen=True)
class Landmarks:
    """A back-end that finds the 68 landmarks of a clip's main face; the stage fills gaps, smooths and draws."""

    locate: Callable[[Frames], Float32[np.ndarray, "t 68 2"]]
    """(x, y) in pixels of every frame, in the order of the 300-W annotation, left and right as in the picture, also outside it; all of a
    frame NaN where its face is not found. Memory does not grow with the frames, but for these numbers."""

    def __call__(self, frames: Frames) -> Float32[np.ndarray, "t 68 2"]:
        return self.locate(frames)
