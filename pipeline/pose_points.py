"""The points of a person: in which order they are stored, and where COCO's stand among them.

BODY_25 (nose, neck, right arm, left arm, middle of the hips, right leg, left leg, eyes, ears, feet), 70 of the face (68 landmarks and the
pupils), left hand and right hand (wrist, then four points a finger from the thumb on): OpenPose's order.
"""

import numpy as np
from jaxtyping import Float, Float32

BODY, FACE, LEFT_HAND, RIGHT_HAND = slice(0, 25), slice(25, 95), slice(95, 116), slice(116, 137)
POINTS = 137

PARTS = 24
"""Of DensePose's body surface, from 1."""

HEAD_PARTS = (23, 24)
"""Its right and its left half."""

NOSE, EYES, EARS = 0, (15, 16), (17, 18)
NECK, MIDDLE_OF_HIPS = 1, 8
SHOULDERS, HIPS = (2, 5), (9, 12)

COCO_BODY = (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11)
"""Where COCO's 17 points go: nose, then eyes, ears, shoulders, elbows, wrists, hips, knees, ankles, the left one first."""

COCO_FEET = (19, 20, 21, 22, 23, 24)
"""COCO-WholeBody's big toe, small toe and heel, the left foot first."""


def person(points: Float[np.ndarray, "n 3"], places: tuple[int, ...]) -> Float32[np.ndarray, "137 3"]:
    """Some of the points (x, y, score) at their places; with both shoulders there is a neck between them, so also for the hips."""
    keypoints = np.zeros((POINTS, 3), np.float32)
    keypoints[list(places)] = np.where(points[:, 2:] > 0, points, 0)
    for middle, sides in ((NECK, SHOULDERS), (MIDDLE_OF_HIPS, HIPS)):
        both = keypoints[list(sides)]
        if middle not in places and (both[:, 2] > 0).all():
            keypoints[middle] = [*both[:, :2].mean(axis=0), both[:, 2].min()]
    return keypoints
