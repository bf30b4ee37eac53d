"""Where a face is, of poses that are drawn at known places."""

import numpy as np
import pytest

from pipeline import arrays, layout
from pipeline.face_centre import face_centres
from pipeline.pose_points import POINTS

HEIGHT, WIDTH = 40, 60
NOSE, EYE, OTHER_EYE, EAR, WRIST, FACE, LAST_OF_FACE = 0, 15, 16, 17, 4, 25, 94


def people(*, of: dict[int, tuple[float, float, float]], beside: dict[int, tuple[float, float, float]] | None = None) -> np.ndarray:
    """Points by their numbers: of the main person, and of another."""
    keypoints = np.zeros((2, POINTS, 3), np.float32)
    for person, points in enumerate((of, beside or {})):
        for number, point in points.items():
            keypoints[person, number] = point
    return keypoints


def surface(*, parts: dict[tuple[int, int, int, int], tuple[int, int]]) -> dict[str, np.ndarray]:
    """Of rectangles (left, top, right, bottom) the part and the person."""
    iuv, person = np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    for (left, top, right, bottom), (part, whose) in parts.items():
        iuv[top : bottom + 1, left : right + 1, 0], person[top : bottom + 1, left : right + 1] = part, whose
    return {"iuv": iuv, "person": person}


def centres(tmp_path, *frames: dict[str, np.ndarray], order: list[int] | None = None) -> list[list[float]]:
    path = layout.arrays(tmp_path, "pose")
    path.unlink(missing_ok=True)
    with arrays.writing(path, {"width": WIDTH, "height": HEIGHT}) as writer:
        for frame in frames:
            for name, values in frame.items():
                writer.append(name, values)
    return face_centres(arrays.reading(path), order or range(len(frames))).tolist()


@pytest.mark.parametrize(
    ("points", "centre"),
    [
        ({NOSE: (30, 20, 1)}, (30, 20)),
        ({NOSE: (30, 20, 1), EYE: (26, 16, 1), OTHER_EYE: (32, 15, 1), EAR: (20, 17, 1)}, (26, 17.5)),
        ({FACE: (10, 12, 1), LAST_OF_FACE: (14, 22, 1)}, (12, 17)),
        ({NOSE: (30, 20, 1), WRIST: (50, 39, 1)}, (30, 20)),
        ({NOSE: (30, 20, 0.02), EYE: (10, 10, 0.005), FACE: (5, 5, 0.05)}, (30, 20)),
    ],
    ids=["nose", "nose, eyes and ear", "face", "no hands", "sure ones alone"],
)
def test_the_face_is_in_the_middle_of_the_points_of_the_head(tmp_path, points, centre):
    others = {NOSE: (55.0, 35.0, 1.0)}
    assert centres(tmp_path, {"keypoints": people(of=points, beside=others)}) == [pytest.approx(centre)]


def test_the_face_is_in_the_middle_of_the_main_persons_head_on_its_surface(tmp_path):
    head, half, arm, other = (20, 5, 25, 10), (26, 7, 29, 14), (3, 3, 8, 8), (40, 20, 44, 24)
    parts = {head: (23, 1), half: (24, 1), arm: (20, 1), other: (24, 2)}
    assert centres(tmp_path, surface(parts=parts)) == [[24.5, 9.5]]


def test_where_no_point_is_found_the_surface_says_it_and_where_that_shows_no_head_nobody_does(tmp_path):
    seen, unseen = people(of={NOSE: (30, 20, 1)}), people(of={WRIST: (30, 20, 1)}, beside={NOSE: (8, 8, 1)})
    head, arm = surface(parts={(10, 10, 14, 18): (23, 1)}), surface(parts={(10, 10, 14, 18): (20, 1), (30, 30, 34, 34): (23, 2)})
    both = [{"keypoints": points, **drawn} for points, drawn in ((seen, head), (unseen, head), (unseen, arm))]
    shown = centres(tmp_path, *both, order=[1, 0, 2, 1])
    assert shown[:2] == [[12, 14], [30, 20]] and shown[3] == [12, 14]
    assert np.isnan(shown[2]).all()
