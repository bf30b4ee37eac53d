"""Keypoints and surfaces that were found apart become people who have both."""

from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from scipy.optimize import linear_sum_assignment

from pipeline.extractors.pose import Person, Surface


def joined(skeletons: list[Person], surfaces: list[Person]) -> list[Person]:
    """Pairs with most points inside the surfaces, in sum; whoever has no partner keeps what was found."""
    inside = np.array([[_points_inside(one, other.surface) for other in surfaces] for one in skeletons]).reshape(
        len(skeletons), len(surfaces)
    )
    rows, columns = linear_sum_assignment(inside, maximize=True)
    partner = {int(row): int(column) for row, column in zip(rows, columns, strict=True) if inside[row, column] > 0}
    both = [
        replace(one, surface=surfaces[partner[n]].surface, score=surfaces[partner[n]].score) if n in partner else one
        for n, one in enumerate(skeletons)
    ]
    return [*both, *(other for n, other in enumerate(surfaces) if n not in partner.values())]


def _points_inside(skeleton: Person, surface: Surface | None) -> int:
    assert skeleton.keypoints is not None and surface is not None
    columns, rows = (np.rint(skeleton.keypoints[skeleton.keypoints[:, 2] > 0, :2]).astype(int) - (surface.left, surface.top)).T
    height, width = surface.iuv.shape[:2]
    within = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return int(np.count_nonzero(surface.iuv[rows[within], columns[within], 0]))


def divided(keypoints: list[Float32[np.ndarray, "137 3"]], iuv: UInt8[np.ndarray, "h w 3"]) -> list[Person]:
    """A picture of everybody's surfaces, which does not say whose is which: each connected piece is that of the person with most points
    in it, or, if there are none, with the nearest one. Without any keypoints all of it is one person's."""
    count, pieces = cv2.connectedComponents((iuv[..., 0] > 0).astype(np.uint8), connectivity=8)
    owner = np.zeros(count, int)
    for piece in range(1, count if keypoints else 1):
        owner[piece] = _owner(keypoints, pieces == piece)
    numbers = range(len(keypoints)) if keypoints else range(1 if count > 1 else 0)
    people = []
    for n in numbers:
        own = (pieces > 0) & (owner[pieces] == n)
        surface = Surface(0, 0, np.where(own[..., None], iuv, 0).astype(np.uint8)) if own.any() else None
        points = keypoints[n] if keypoints else None
        people.append(Person(points, surface, 1.0 if points is None else float(points[:25, 2].mean())))
    return people


def _owner(keypoints: list[Float32[np.ndarray, "137 3"]], piece: np.ndarray) -> int:
    mask = Surface(0, 0, np.repeat(piece[..., None], 3, axis=2).astype(np.uint8))
    inside = [_points_inside(Person(points, None, 0.0), mask) for points in keypoints]
    if max(inside):
        return int(np.argmax(inside))
    distance = cv2.distanceTransform((~piece).astype(np.uint8), cv2.DIST_L2, 3)
    return int(np.argmin([_nearest(points, distance) for points in keypoints]))


def _nearest(points: Float32[np.ndarray, "137 3"], distance: np.ndarray) -> float:
    found = np.rint(points[points[:, 2] > 0, :2]).astype(int)
    limits = np.array(distance.shape[::-1]) - 1
    columns, rows = found.clip(0, limits).T
    return float(distance[rows, columns].min()) if len(found) else float("inf")
