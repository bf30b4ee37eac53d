"""The single objects in a frame. A back-end has `build(...) -> Find`; what a `build` may ask for beside its options:

clips       the clip's folder (frames.zip and the source's truth)
palette     of the labels
min_pixels  what is smaller is no object
device      "cpu" or "cuda"
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8, UInt16


@dataclass(frozen=True)
class Thing:
    label: int
    """Id of its class in the palette."""
    score: float
    """0..1"""


@dataclass(frozen=True)
class Found:
    instance: UInt16[np.ndarray, "h w"]
    """The number of each pixel's object, 0 = none. Where objects overlap, the back-end decides."""
    things: dict[int, Thing]
    """By those numbers."""
    linked: bool
    """A number already means the same object in every frame; otherwise the stage links them."""


Find = Callable[[UInt8[np.ndarray, "b h w 3"], UInt8[np.ndarray, "b h w"], range], list[Found]]
"""find(frames in RGB, their labels, their numbers in the clip) -> the objects of each. Equal input gives equal objects."""
