"""Where each pixel was in another frame. A back-end has `build(...) -> Measure | Truth`; what a `build` may ask for beside its options:

clips   the clip's folder (frames.zip and the source's truth)
device  "cpu" or "cuda"
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, UInt8


@dataclass(frozen=True)
class Measure:
    """Motion between frames of one size. The stage alone chooses the pairs: every frame is part of several, and prepared once."""

    prepare: Callable[[UInt8[np.ndarray, "h w 3"]], Any]
    """A frame in RGB -> what all its pairs need of it."""
    between: Callable[[Sequence[Any], Sequence[Any]], Float32[np.ndarray, "b h w 2"]]
    """Prepared sources, prepared targets -> for each pair (dx, dy) in the frames' pixels: warping the target by it gives the source.

    Equal input gives equal flow, whatever else is in the batch but for rounding.
    """

    def __call__(self, source: UInt8[np.ndarray, "b h w 3"], target: UInt8[np.ndarray, "b h w 3"]) -> Float32[np.ndarray, "b h w 2"]:
        """Of frames as they are."""
        return self.between([self.prepare(frame) for frame in source], [self.prepare(frame) for frame in target])


@dataclass(frozen=True)
class Motion:
    """From a frame t to the frame t-k."""

    optical_flow: Float[np.ndarray, "h w 2"]
    """(dx, dy), pixels: frame t-k, warped by it, gives frame t."""
    confidence: UInt8[np.ndarray, "h w"]
    """>= 128: the pixel is seen in both frames."""


@dataclass(frozen=True)
class Truth:
    """What a source knows needs no measuring."""

    motions: Callable[[list[int]], Iterator[dict[int, Motion]]]
    """Strides -> for each frame, by stride, the motion to the earlier one."""

    def __call__(self, strides: list[int]) -> Iterator[dict[int, Motion]]:
        return self.motions(strides)
