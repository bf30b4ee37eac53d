"""The people in a frame. A back-end has `build(...) -> Poses`; what a `build` may ask for beside its options:

clips   the clip's folder (frames.zip and the source's truth)
device  "cpu" or "cuda"

Who is who from frame to frame, and whom to keep, is the stage's affair.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8


@dataclass(frozen=True)
class Surface:
    """What DensePose says of one person, in the part of the picture that begins at (left, top)."""

    left: int
    top: int
    iuv: UInt8[np.ndarray, "h w 3"]
    """Part 0..24 (0 = not this person), U, V."""


@dataclass(frozen=True)
class Person:
    keypoints: Float32[np.ndarray, "137 3"] | None
    """x, y in pixels and score, in the order of pose_points.py; score 0 = not found, and then all 0."""
    surface: Surface | None
    score: float
    """Where surfaces overlap, the pixels are those of the better one."""


Find = Callable[[UInt8[np.ndarray, "b h w 3"], range], list[list[Person]]]
"""find(frames in RGB, their numbers in the clip) -> the people of each frame. Equal input gives equal people."""


@dataclass(frozen=True)
class Poses:
    find: Find
    keypoints: bool
    """Whether it looks for them at all; otherwise no person has any."""
    surface: bool
