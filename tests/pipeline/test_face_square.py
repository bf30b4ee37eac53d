import numpy as np
import pytest

from pipeline.face_square import square, squares
from pipeline.sources import Box
from tests.pipeline.test_faces import face


def test_the_square_is_centred_and_as_wide_as_asked():
    assert square([face(90, 40, 20)], 2.5, height=200, width=300) == Box(75, 25, 50, 50)
    assert square([face(90, 40, 20), face(110, 40, 20)], 2.5, 200, 300) == Box(85, 25, 50, 50)


@pytest.mark.parametrize(("left", "top"), [(0, 0), (280, 0), (0, 180), (280, 180), (-5, -5), (290, 190)])
def test_the_square_stays_inside_the_picture(left, top):
    box = square([face(left, top, 20)], 2.5, height=200, width=300)
    assert box.width == box.height == 50
    assert 0 <= box.left <= 250 and 0 <= box.top <= 150


def test_the_square_is_no_larger_than_the_picture_and_holds_all_places_of_the_face():
    assert square([face(50, 30, 100)], 2.5, height=160, width=300) == Box(20, 0, 160, 160)
    assert square([face(10, 40, 20), face(130, 40, 20)], 2.5, 200, 300) == Box(10, 0, 140, 140)


def test_a_square_that_follows_goes_straight_between_looks_at_a_face_that_does():
    """Looked at in every fifth frame; smoothing keeps the straight line, away from the clip's ends."""
    person = {t: face(50 + 2 * t, 60, 20) for t in range(100, 150, 5)}
    boxes = squares(person, range(100, 150), 2.0, 2.5, height=200, width=600)
    assert {(box.width, box.height, box.top) for box in boxes} == {(50, 50, 45)}
    assert [box.left for box in boxes[10:40]] == [50 + 2 * t - 15 for t in range(110, 140)]


def test_the_larger_its_deviation_the_less_a_following_square_shakes():
    random = np.random.default_rng(0)
    person = {t: face(100 + random.normal(0, 5), 60, 20) for t in range(60)}
    shakes = [np.std([box.left for box in squares(person, range(60), deviation, 2.5, 200, 300)]) for deviation in (0.3, 2.0, 10.0)]
    assert shakes[0] > 4 and shakes[0] > 1.5 * shakes[1] > 2 * shakes[2]


def test_a_following_square_has_one_size_and_never_leaves_the_picture():
    person = {t: face(8 * t - 20, 150 - 3 * t, 20 + t % 3) for t in range(0, 41, 4)}
    boxes = squares(person, range(41), 1.0, 2.5, height=160, width=300)
    assert len({(box.width, box.height) for box in boxes}) == 1
    for box in boxes:
        assert 0 <= box.left <= 300 - box.width and 0 <= box.top <= 160 - box.height
