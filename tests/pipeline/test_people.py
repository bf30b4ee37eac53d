import numpy as np

from pipeline.extractors.pose import Person, Surface
from pipeline.people import divided, joined


def skeleton(x: float, y: float) -> Person:
    keypoints = np.zeros((137, 3), np.float32)
    keypoints[:5] = [(x + dx, y, 0.5) for dx in range(5)]
    return Person(keypoints, None, 0.5)


def surface(left: int, top: int, score: float) -> Person:
    return Person(None, Surface(left, top, np.full((8, 8, 3), 3, np.uint8)), score)


def test_points_and_surfaces_of_the_same_place_become_one_person_and_the_others_stay_alone():
    people = joined([skeleton(40, 4), skeleton(2, 4), skeleton(90, 90)], [surface(0, 0, 0.7), surface(39, 0, 0.9), surface(60, 60, 0.8)])
    places = [(None if p.keypoints is None else p.keypoints[0, 0], p.surface and p.surface.left, p.score) for p in people]
    assert places == [(40, 39, 0.9), (2, 0, 0.7), (90, None, 0.5), (None, 60, 0.8)]


def test_nobody_on_one_side_leaves_the_other_as_it_is():
    assert joined([], []) == []
    assert joined([skeleton(1, 1)], [])[0].surface is None
    assert joined([], [surface(0, 0, 0.7)])[0].keypoints is None


def test_a_picture_of_surfaces_without_points_is_one_person_and_an_empty_one_nobody():
    iuv = np.zeros((16, 16, 3), np.uint8)
    assert divided([], iuv) == []
    iuv[2:4, 2:4] = iuv[10:12, 10:12] = 5
    (person,) = divided([], iuv)
    np.testing.assert_array_equal(person.surface.iuv, iuv)
