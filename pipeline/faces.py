"""Where a video shows a face: looks at every n-th frame, followed through a clip. Finding is OpenCV's YuNet."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from scipy.optimize import linear_sum_assignment

from pipeline.errors import InputError
from pipeline.sources import Box

LOOKED_AT = 640
"""Pixels of the longer side: larger frames are looked at in small. A face of a talking person is found at a tenth of that."""

SURE = 0.7
"""Score from which on something is a face."""

SAME = 0.3
"""Intersection over union, of the faces with as much again around them, from which on two looks show the same person: between looks a head
moves by up to its own width; next to it another one is farther away."""


@dataclass(frozen=True)
class Face:
    """Where it is in the picture, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def surroundings(self) -> "Face":
        """Twice as wide and high."""
        x, y = (self.right - self.left) / 2, (self.bottom - self.top) / 2
        return Face(self.left - x, self.top - y, self.right + x, self.bottom + y)

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)


Looks = dict[int, list[Face]]
"""By frame number: the faces that are seen there."""


def looks(frames: Iterable[UInt8[np.ndarray, "h w 3"]], every: int, weights: Path) -> Looks:
    """Frames 0, every, 2 * every, ... InputError for a file that holds no such network."""
    find, found = _detector(weights), Looks()
    for t, rgb in islice(enumerate(frames), 0, None, every):
        height, width = rgb.shape[:2]
        scale = min(1.0, LOOKED_AT / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        find.setInputSize(size)
        _, rows = find.detect(cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR))
        boxes = [] if rows is None else (rows[:, :4] / scale).tolist()
        found[t] = [Face(x, y, x + w, y + h) for x, y, w, h in boxes]
    return found


def followed(seen: Looks, frames: range, most_lost: int) -> list[Face]:
    """The largest face (by its mean area) of those that are seen in all looks at these frames but `most_lost`; one entry a look.

    InputError where there is none.
    """
    at = [t for t in seen if t in frames]
    people: list[list[Face]] = []
    for t in at:
        taken = _continued(people, seen[t])
        for face, person in taken.items():
            person.append(face)
        people += [[face] for face in seen[t] if face not in taken]
    there = [person for person in people if len(person) >= max(1, len(at) - most_lost)]
    if not there:
        most = max(map(len, people), default=0)
        raise InputError(
            f"frames {frames.start} to {frames.stop - 1}: a face is seen in {most} of {len(at)} looks, it may be lost in {most_lost}"
        )
    return max(there, key=lambda person: float(np.mean([face.area for face in person])))


def _continued(people: list[list[Face]], new: list[Face]) -> dict[Face, list[Face]]:
    """Whose each face of a look is, if it is somebody's whom an earlier look has shown: the pairs that overlap best all together."""
    overlaps = [overlap(person[-1].surroundings(), face.surroundings()) for person in people for face in new]
    near = np.array([value if value >= SAME else 0 for value in overlaps]).reshape(len(people), len(new))
    pairs = zip(*linear_sum_assignment(near, maximize=True), strict=True)
    return {new[m]: people[n] for n, m in pairs if near[n, m]}


def square(faces: list[Face], enlarge: float, height: int, width: int) -> Box:
    """Around a face through a clip: `enlarge` times its mean width, at least all of it, centred, inside the picture."""
    left, top = min(face.left for face in faces), min(face.top for face in faces)
    right, bottom = max(face.right for face in faces), max(face.bottom for face in faces)
    wanted = max(enlarge * float(np.mean([face.right - face.left for face in faces])), right - left, bottom - top)
    side = min(round(wanted), height, width)
    x, y = round((left + right - side) / 2), round((top + bottom - side) / 2)
    return Box(min(max(0, x), width - side), min(max(0, y), height - side), side, side)


def overlap(one: Face, other: Face) -> float:
    """Intersection over union."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    shared = max(0.0, width) * max(0.0, height)
    return shared / (one.area + other.area - shared)


def require_detector(weights: Path) -> None:
    """InputError where the file is no YuNet."""
    _detector(weights)


def _detector(weights: Path) -> Any:
    try:
        return cv2.FaceDetectorYN.create(str(weights), "", (LOOKED_AT, LOOKED_AT), SURE)
    except cv2.error:
        raise InputError(f"{weights}: holds no YuNet (.onnx) that this OpenCV can read") from None
