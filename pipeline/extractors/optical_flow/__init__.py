"""Where each pixel was in another frame. A back-end has `build(...) -> Measure | Truth`; what a `build` may ask for beside its options:

clips   the clip's folder (frames.zip and the source's truth)
device  "cpu" or "cuda"
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8

Measure = Callable[[UInt8[np.ndarray, "b h w 3"], UInt8[np.ndarray, "b h w 3"]], Float32[np.ndarray, "b h w 2"]]
"""measure(source, target), frames in RGB -> (dx, dy) in pixels from source to target: warping target by it gives source.

Equal input gives equal flow. The stage alone chooses the pairs.
"""


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
