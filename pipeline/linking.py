"""Who is who: the people of one frame after another become tracks, by where each is expected next.

Two people are alike by exp(-(d / reach)^2 / 2), the mean over the points that both have; d is the distance in pixels from where the
point is expected, at the person's last speed, and reach a quarter of the person's size (the root of its box's area). Without common
points the corners of the boxes count. Of all pairs that are alike enough those are taken that are most alike in sum (the assignment
problem, solved by scipy). People who were seen in the frame before come first; whoever is left may be somebody who was lost earlier,
expected the less exactly the longer that is ago.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from pipeline.pose_points import BODY

REACH = 0.25
ALIKE = 0.3
"""What all points have at 1.55 times their reach."""
LONGEST_WAY = 5
"""Frames that somebody who is lost is thought to walk on."""


@dataclass(frozen=True)
class Seen:
    """A person in one frame, as far as linking needs it."""

    keypoints: Float[np.ndarray, "137 3"] | None
    box: Float[np.ndarray, " 4"]
    """left, top, right, bottom in pixels, within the picture."""

    @property
    def area(self) -> float:
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))

    @property
    def corners(self) -> Float[np.ndarray, "2 2"]:
        return self.box.reshape(2, 2).astype(np.float64)


@dataclass
class Track:
    """One person through the clip."""

    seen: dict[int, tuple[int, Seen]] = field(default_factory=dict)
    """By frame: which of the frame's people, and how."""
    speed: Float[np.ndarray, " 2"] = field(default_factory=lambda: np.zeros(2))
    """Pixels a frame."""

    @property
    def last(self) -> int:
        return max(self.seen)

    def add(self, t: int, number: int, person: Seen) -> None:
        if self.seen:
            _, before = self.seen[self.last]
            there, here = _common(before, person)
            moved = np.median(here - there, axis=0) / (t - self.last)
            self.speed = moved if len(self.seen) == 1 else (self.speed + moved) / 2
        self.seen[t] = number, person

    def likeness(self, t: int, person: Seen) -> float:
        """Of a person in frame t with this one: 0..1."""
        _, before = self.seen[self.last]
        there, here = _common(before, person)
        gap = t - self.last
        distance = np.linalg.norm(here - there - self.speed * min(gap, LONGEST_WAY), axis=1)
        reach = REACH * max(before.area, person.area, 1.0) ** 0.5 * gap
        return float(np.exp(-((distance / reach) ** 2) / 2).mean())


def _common(one: Seen, other: Seen) -> tuple[np.ndarray, np.ndarray]:
    """The places of the same points of both, n 2; hands and face move too freely to tell people apart."""
    if one.keypoints is not None and other.keypoints is not None:
        both = (one.keypoints[BODY, 2] > 0) & (other.keypoints[BODY, 2] > 0)
        if both.any():
            return one.keypoints[BODY, :2][both].astype(np.float64), other.keypoints[BODY, :2][both].astype(np.float64)
    return one.corners, other.corners


def tracks(frames: list[list[Seen]]) -> list[Track]:
    """In the order in which they begin; every person of every frame is in one of them."""
    found: list[Track] = []
    for t, people in enumerate(frames):
        left = dict(enumerate(people))
        for some in ([track for track in found if track.last == t - 1], [track for track in found if track.last < t - 1]):
            for track, number in _pairs(some, left, t):
                track.add(t, number, left.pop(number))
        for number, person in left.items():
            found.append(Track())
            found[-1].add(t, number, person)
    return found


def _pairs(some: list[Track], people: dict[int, Seen], t: int) -> list[tuple[Track, int]]:
    if not some or not people:
        return []
    numbers = list(people)
    likeness = np.array([[track.likeness(t, people[number]) for number in numbers] for track in some])
    likeness[likeness < ALIKE] = 0
    rows, columns = linear_sum_assignment(likeness, maximize=True)
    return [(some[row], numbers[column]) for row, column in zip(rows, columns, strict=True) if likeness[row, column] > 0]


def by_presence(found: list[Track], width: int, height: int) -> list[Track]:
    """The main person first: whose boxes cover most of the picture, in sum over all frames; of equal ones who is nearest to its centre."""
    centre = np.array([width, height]) / 2

    def order(track: Track) -> tuple[float, float]:
        people = [person for _, person in track.seen.values()]
        distance = np.mean([np.linalg.norm(person.corners.mean(axis=0) - centre) for person in people])
        return -sum(person.area for person in people), float(distance)

    return sorted(found, key=order)
