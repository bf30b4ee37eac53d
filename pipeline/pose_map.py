"""What the networks see of a pose: DensePose's part, U and V and a drawing of OpenPose's points, or the one that there is."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from pipeline import arrays
from pipeline.pose_points import BODY, FACE, LEFT_HAND, PARTS, RIGHT_HAND

LEAST_SCORE, LEAST_FACE_SCORE = 0.01, 0.1
"""From which on a point of body or hands, and of the face, is drawn: the reference's."""

LIMBS = (
    *((1, 8), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (8, 9), (9, 10), (10, 11), (8, 12), (12, 13), (13, 14)),
    *((1, 0), (0, 15), (15, 17), (0, 16), (16, 18)),
    *((14, 19), (19, 20), (14, 21), (11, 22), (22, 23), (11, 24)),
)
"""Of BODY_25: trunk, arms, legs, head, feet."""

FINGERS = tuple((0, *range(first, first + 4)) for first in (1, 5, 9, 13, 17))
FACE_LINES = (
    *(tuple(range(0, 17)), tuple(range(17, 22)), tuple(range(22, 27)), tuple(range(27, 31)), tuple(range(31, 36))),
    *((*range(36, 42), 36), (*range(42, 48), 42), (*range(48, 60), 48), (*range(60, 68), 60)),
)
"""Jaw, brows, nose, eyes, mouth; the pupils are no line."""


@dataclass(frozen=True)
class Dropped:
    """What is left out of everybody's pose."""

    parts: frozenset[int] = frozenset()
    """Of DensePose's, 1..24."""
    limbs: frozenset[int] = frozenset()
    """Places in LIMBS."""
    hands: frozenset[int] = frozenset()
    """0: left, 1: right."""
    face: bool = False


NOTHING = Dropped()


def channels(pose: arrays.Clip) -> int:
    return 3 * (("iuv" in pose) + ("keypoints" in pose))


def pose_map(pose: arrays.Clip, t: int, dropped: Dropped = NOTHING) -> UInt8[np.ndarray, "h w c"]:
    """Of frame t: the part as 255 * part / 24, U, V; then the drawing in RGB. Of everybody who was kept."""
    height, width = pose.attributes["height"], pose.attributes["width"]
    found = []
    if "iuv" in pose:
        found.append(surface_map(pose["iuv"][t], dropped))
    if "keypoints" in pose:
        found.append(drawing(pose["keypoints"][t], height, width, dropped))
    return np.concatenate(found, axis=-1)


def surface_map(iuv: UInt8[np.ndarray, "h w 3"], dropped: Dropped = NOTHING) -> UInt8[np.ndarray, "h w 3"]:
    """The part spread over 0..255, as the reference's networks see it; U and V as they are."""
    if dropped.parts:
        iuv = np.where(np.isin(iuv[..., :1], list(dropped.parts)), np.uint8(0), iuv)
    part = np.rint(iuv[..., :1] * (255 / PARTS)).astype(np.uint8)
    return np.concatenate([part, iuv[..., 1:]], axis=-1)


def drawing(
    keypoints: Float32[np.ndarray, "person 137 3"], height: int, width: int, dropped: Dropped = NOTHING
) -> UInt8[np.ndarray, "h w 3"]:
    """Each limb and finger in a colour of its own, faces in white, on black. Lines are as thick as the picture is large."""
    picture = np.zeros((height, width, 3), np.uint8)
    thick = max(1, round(min(height, width) / 128))
    thin = max(1, thick // 2)
    for points in keypoints[::-1]:  # the main person above the others
        for number, (limb, colour) in enumerate(zip(LIMBS, _colours(len(LIMBS)), strict=True)):
            if number not in dropped.limbs:
                _line(picture, points[BODY], limb, LEAST_SCORE, colour, thick)
        for hand in (place for number, place in enumerate((LEFT_HAND, RIGHT_HAND)) if number not in dropped.hands):
            for finger, colour in zip(FINGERS, _colours(len(FINGERS)), strict=True):
                _line(picture, points[hand], finger, LEAST_SCORE, colour, thin)
        for line in () if dropped.face else FACE_LINES:
            _line(picture, points[FACE], line, LEAST_FACE_SCORE, (255, 255, 255), thin)
    return picture


def _line(
    picture: UInt8[np.ndarray, "h w 3"],
    points: Float32[np.ndarray, "n 3"],
    places: tuple[int, ...],
    least: float,
    colour: tuple[int, int, int],
    thickness: int,
) -> None:
    """Between neighbours that were both found."""
    for start, end in pairwise(points[list(places)]):
        if min(start[2], end[2]) > least:
            corners = [tuple(int(value) for value in np.rint(point[:2]).clip(-30_000, 30_000)) for point in (start, end)]
            cv2.line(picture, corners[0], corners[1], colour, thickness)


def _colours(count: int) -> list[tuple[int, int, int]]:
    """Evenly around the colour circle."""
    hues = np.array([[(180 * n // count, 255, 255) for n in range(count)]], np.uint8)
    return [(int(r), int(g), int(b)) for r, g, b in cv2.cvtColor(hues, cv2.COLOR_HSV2RGB)[0]]
