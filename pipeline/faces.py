"""Where a video shows a face: looks at every n-th frame, followed through a clip. Finding is OpenCV's YuNet."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from math import atan2
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from scipy.optimize import linear_sum_assignment

from pipeline.errors import InputError
from pipeline.landmarks import carried, present, smoothed

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
    roll: float = 0.0
    """Radians by which the line from the eye on the left to the one on the right is turned clockwise."""

    def surroundings(self) -> "Face":
        """Twice as wide and high."""
        x, y = (self.right - self.left) / 2, (self.bottom - self.top) / 2
        return Face(self.left - x, self.top - y, self.right + x, self.bottom + y)

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)


Looks = dict[int, list[Face]]
"""By frame number: the faces that are seen there."""

Person = dict[int, Face]
"""By frame number: one face, where it is seen."""


def looks(frames: Iterable[UInt8[np.ndarray, "h w 3"]], every: int, weights: Path) -> Looks:
    """Frames 0, every, 2 * every, ... InputError for a file that holds no such network."""
    find, found = _detector(weights), Looks()
    for t, rgb in islice(enumerate(frames), 0, None, every):
        height, width = rgb.shape[:2]
        scale = min(1.0, LOOKED_AT / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        find.setInputSize(size)
        _, rows = find.detect(cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR))
        places = [] if rows is None else (rows[:, :8] / scale).tolist()  # left, top, width, height; left eye, right eye
        found[t] = [Face(x, y, x + w, y + h, atan2(ey - fy, ex - fx)) for x, y, w, h, fx, fy, ex, ey in places]
    return found


def followed(seen: Looks, frames: range, most_lost: int) -> Person:
    """The largest face (by its mean area) of those that are seen in all looks at these frames but `most_lost`.

    InputError where there is none.
    """
    at = [t for t in seen if t in frames]
    everybody = people({t: seen[t] for t in at})
    there = [person for person in everybody if len(person) >= max(1, len(at) - most_lost)]
    if not there:
        most = max(map(len, everybody), default=0)
        raise InputError(
            f"frames {frames.start} to {frames.stop - 1}: a face is seen in {most} of {len(at)} looks, it may be lost in {most_lost}"
        )
    return max(there, key=lambda person: float(np.mean([face.area for face in person.values()])))


def main_person(seen: Looks) -> Person:
    """Whose face fills most, in all looks together; nobody where no face is seen. Who comes back in another place is another."""
    return max(people(seen), key=lambda person: sum(face.area for face in person.values()), default={})


def people(seen: Looks) -> list[Person]:
    """In the order in which they are first seen."""
    found: list[Person] = []
    for t, new in seen.items():
        taken = _continued([list(person.values())[-1] for person in found], new)
        for face, n in taken.items():
            found[n][t] = face
        found += [{t: face} for face in new if face not in taken]
    return found


def _continued(last: list[Face], new: list[Face]) -> dict[Face, int]:
    """Whose each face of a look is, if it is somebody's whom an earlier look has shown: the pairs that overlap best all together."""
    overlaps = [overlap(before.surroundings(), face.surroundings()) for before in last for face in new]
    near = np.array([value if value >= SAME else 0 for value in overlaps]).reshape(len(last), len(new))
    pairs = zip(*linear_sum_assignment(near, maximize=True), strict=True)
    return {new[m]: int(n) for n, m in pairs if near[n, m]}


def steady(person: Person, frames: range, most_lost: int, deviation: float) -> Person:
    """Its way through frames, smoothed by a Gaussian of so many frames; also where up to `most_lost` in a row do not show it."""
    way = np.full((len(frames), 1, 5), np.nan, np.float32)
    rolls = np.unwrap([face.roll for face in person.values()])
    for (t, face), roll in zip(person.items(), rolls, strict=True):
        way[t - frames.start, 0] = face.left, face.top, face.right, face.bottom, roll
    way = smoothed(carried(way, most_lost), deviation)
    return {frames[n]: Face(*way[n, 0].tolist()) for n in np.flatnonzero(present(way)).tolist()}


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
        find = cv2.FaceDetectorYN.create(str(weights), "", (32, 32), SURE)
        find.detect(np.zeros((32, 32, 3), np.uint8))  # of another network, only this tells
        return find
    except cv2.error:
        raise InputError(f"{weights}: holds no YuNet (.onnx) that this OpenCV can read") from None
