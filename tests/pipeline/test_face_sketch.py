import cv2
import numpy as np
import pytest

from pipeline import face_sketch
from pipeline.face_sketch import curve, distance, draw, forehead, piece


def face(x: float = 256, y: float = 230, size: float = 100) -> np.ndarray:
    """68 points of a drawn face, symmetric about x: half the jaw's width is `size`."""
    angles = np.linspace(np.pi, 0, 17)
    jaw = np.stack([np.cos(angles), 1.2 * np.sin(angles)], axis=-1)
    brow = np.stack([np.linspace(-0.7, -0.2, 5), [-0.25, -0.32, -0.35, -0.33, -0.28]], axis=-1)
    nose = [(0, -0.1), (0, 0.1), (0, 0.3), (0, 0.45), (-0.2, 0.55), (-0.1, 0.58), (0, 0.6), (0.1, 0.58), (0.2, 0.55)]
    eye = np.array([(-0.6, 0), (-0.5, -0.07), (-0.35, -0.07), (-0.25, 0), (-0.35, 0.05), (-0.5, 0.05)])
    mouth = [(-0.35, 0.8), (-0.2, 0.74), (-0.08, 0.7), (0, 0.72), (0.08, 0.7), (0.2, 0.74), (0.35, 0.8)]
    mouth += [(0.2, 0.9), (0.08, 0.94), (0, 0.95), (-0.08, 0.94), (-0.2, 0.9)]
    opening = [(-0.3, 0.8), (-0.1, 0.78), (0, 0.78), (0.1, 0.78), (0.3, 0.8), (0.1, 0.84), (0, 0.85), (-0.1, 0.84)]
    flip = np.array([-1, 1])
    points = np.concatenate([jaw, brow, (brow * flip)[::-1], nose, eye, (eye * flip)[[3, 2, 1, 0, 5, 4]], mouth, opening])
    return (points * size + (x, y)).astype(np.float32)


def turned(points: np.ndarray, radians: float) -> np.ndarray:
    return points @ np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])


def assert_alike(one: np.ndarray, other: np.ndarray) -> None:
    """But for roundings: no pixel of a line is two pixels from the other's."""
    near = np.ones((3, 3), np.uint8)
    assert not ((one > 0) & (cv2.dilate(other, near) == 0)).any()
    assert not ((other > 0) & (cv2.dilate(one, near) == 0)).any()
    assert one.any() and other.any()


GREY = np.full((512, 512, 3), 128, np.uint8)


def test_a_flat_curve_is_the_parabola_through_its_three_points():
    """y = (x - 5)² / 40 + 7.01, and the same that runs from right to left."""
    points = np.array([(5, 7.01), (25, 17.01), (45, 47.01)])
    (x, y) = curve(points).reshape(-1, 2).T
    assert x.tolist() == list(range(5, 46))
    np.testing.assert_array_equal(y, np.rint((x - 5) ** 2 / 40 + 7.01))
    np.testing.assert_array_equal(curve(points[::-1]).reshape(-1, 2)[::-1].T, (x, y))


def test_a_steep_curve_is_a_parabola_over_its_height():
    (x, y) = curve(np.array([(0.103, 0), (5.103, 20), (20.103, 40)])).reshape(-1, 2).T
    assert y.tolist() == list(range(41))
    np.testing.assert_array_equal(x, np.rint(y**2 / 80 + 0.103))


def test_five_points_are_two_curves_that_meet_and_a_fourth_point_is_reached_by_a_straight_line():
    points = np.array([(0.0, 0), (10, 5), (20, 0), (30, -5), (40, 0)])
    line = curve(points).reshape(-1, 2).tolist()
    assert all(place in line for place in points.tolist())
    np.testing.assert_array_equal(curve(points[:4]).reshape(-1, 2)[-2:], [(20, 0), (30, -5)])


def test_points_that_fold_back_are_joined_by_straight_lines_instead_of_a_parabola_that_runs_away():
    for points in ([(0.0, 0.0), (30, 5), (20, 0)], [(0.0, 0.0), (0.5, 9.0), (20, 0)], [(5.0, 5.0)] * 3):
        np.testing.assert_array_equal(piece(np.array(points)), points)


def test_the_distance_map_of_a_line_is_a_third_of_the_steps_to_it():
    line = np.array([[[7, 0]], [[7, 999]]], np.int32)
    expected = np.minimum(np.abs(np.arange(1000) - 7) // 3, 255)
    np.testing.assert_array_equal(distance(line, 1000, 1000), np.tile(expected, (1000, 1)))
    point = np.array([[[10, 20]]], np.int32)
    y, x = np.mgrid[:60, :80]
    np.testing.assert_array_equal(distance(np.concatenate([point] * 2), 60, 80), (abs(x - 10) + abs(y - 20)) // 3)


def test_a_line_that_the_picture_does_not_show_is_far_from_everywhere():
    assert (distance(np.array([[[-9, 5]], [[-2, 8]]], np.int32), 32, 48) == 255).all()


def test_the_forehead_of_a_symmetric_face_is_symmetric_and_two_thirds_as_high_as_the_jaw_is_deep():
    """A jaw of half a circle: the forehead is half an ellipse."""
    angles = np.linspace(np.pi, 0, 17)
    points = np.zeros((68, 2))
    points[:17] = 100 * np.stack([np.cos(angles), np.sin(angles)], axis=-1) + (200, 150)
    expected = np.stack([200 + 100 * np.cos(angles), 150 - 100 * np.sin(angles) * 2 / 3], axis=-1)[1:16]
    np.testing.assert_allclose(forehead(points), expected, atol=1e-9)


def test_the_forehead_tilts_with_the_head():
    np.testing.assert_allclose(forehead(turned(face(), 0.6)), turned(forehead(face()), 0.6), atol=1e-3)


def test_a_face_has_a_sketch_and_fourteen_distances_that_are_none_on_their_own_lines():
    sketch = draw(GREY, face())
    assert (sketch.shape, sketch.dtype) == ((512, 512, 15), np.uint8)
    assert set(np.unique(sketch[..., 0])) == {0, 255}
    on_a_line = sketch[..., 0] == 255
    assert (sketch[..., 1:].min(axis=-1)[on_a_line] == 0).all()  # nothing else is in a grey picture
    parts = [(0, 16), (17, 21), (22, 26), (28, 31), (31, 35), (35, 28), (36, 39), (39, 36), (42, 45), (45, 42), (48, 54), (54, 48)]
    for channel, ends in enumerate([*parts, (60, 64), (64, 60)], start=1):
        for x, y in np.rint(face()[list(ends)]).astype(int):
            assert sketch[y, x, channel] == 0 and sketch[y, x, 0] == 255
    assert sketch[230, 256, 1] == 80 // 3  # from the middle of the face up to its forehead


def test_the_sketch_of_a_mirrored_face_is_the_mirrored_sketch():
    points = face(x=200.3)
    order = [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    order += [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
    one, other = draw(GREY, points)[..., 0], draw(GREY, (np.array([511, 0]) + points * (-1, 1))[order])[:, ::-1, 0]
    assert_alike(one, other)


def test_edges_of_the_picture_are_kept_around_the_face_and_not_in_it():
    """A striped picture: outside the contour the sketch is Canny's, inside it shows no stripes."""
    striped = np.tile(np.repeat([0, 200], 8), 32)[None, :, None].repeat(512, 0).repeat(3, 2).astype(np.uint8)
    sketch, grey = draw(striped, face())[..., 0], draw(GREY, face())[..., 0]
    inside = cv2.fillPoly(np.zeros((512, 512), np.uint8), [curve(np.concatenate([face(), forehead(face())])[list(face_sketch.CONTOUR)])], 1)
    np.testing.assert_array_equal(sketch[inside > 0], grey[inside > 0])
    canny = cv2.Canny(cv2.cvtColor(striped, cv2.COLOR_RGB2GRAY), 100, 200)
    np.testing.assert_array_equal(sketch[inside == 0], np.maximum(canny, grey)[inside == 0])
    assert canny[inside == 0].any()


@pytest.mark.parametrize("where", [(0.3, 230.2), (399.3, 499.2), (256.3, -60.2), (-3000, 1e7)])
def test_of_a_face_partly_outside_the_picture_the_part_inside_is_drawn(where):
    """As a larger picture shows it there."""
    x, y = where
    sketch = draw(GREY[:, :400], face(x, y))
    assert sketch.shape == (512, 400, 15)
    if y < 1000:
        wide = cv2.copyMakeBorder(GREY[:, :400], 300, 300, 300, 300, cv2.BORDER_REPLICATE)
        assert_alike(sketch[..., 0], draw(wide, face(x + 300, y + 300))[300:-300, 300:-300, 0])
    else:
        assert not sketch[..., 0].any() and (sketch[..., 1:] == 255).all()
