import numpy as np
from PIL import Image

from pipeline import palettes, pictures


def flow(*vectors: tuple[float, float]) -> np.ndarray:
    return np.array([vectors], np.float16)


def test_no_motion_is_white_and_full_motion_a_full_colour_of_its_direction():
    colours = pictures.optical_flow_colours(flow((0, 0), (4, 0), (-4, 0), (8, 0)), full=4)[0].tolist()
    assert colours == [[255, 255, 255], [255, 0, 0], [0, 255, 255], [255, 0, 0]]


def test_the_wheel_shows_the_colour_of_a_direction_at_its_place():
    wheel = pictures.colour_wheel(64)
    assert wheel.shape == (64, 64, 4)
    assert wheel[0, 0, 3] == 0 and wheel[32, 32, 3] == 255
    right, left = wheel[32, 62, :3].astype(int), wheel[32, 1, :3].astype(int)
    assert right[0] > 240 and right[1] < 30
    assert left[0] < 30 and left[1] > 240


def test_full_colour_is_chosen_from_confident_vectors_alone():
    vectors = np.zeros((1, 200, 2), np.float16)
    vectors[..., 0] = 2.5
    vectors[0, 0] = 90
    confidence = np.full((1, 200), 255, np.uint8)
    assert pictures.full_length(vectors, confidence) == 3
    assert pictures.full_length(vectors, confidence * 0) == 1


def test_an_object_keeps_its_colour_wherever_it_is():
    rgb = np.full((6, 6, 3), 100, np.uint8)
    instance = np.zeros((6, 6), np.uint16)
    instance[:3, :3] = 7
    moved = np.roll(instance, 2, axis=1)
    assert (pictures.objects_over(rgb, instance)[0, 0] == pictures.objects_over(rgb, moved)[0, 2]).all()
    assert (pictures.objects_over(rgb, instance)[5, 5] == 60).all()


def test_labels_are_outlined_and_void_is_dark():
    palette = palettes.load("camvid")
    label = np.array([[3, 3, 255]], np.uint8)
    picture = pictures.labels_over(np.full((1, 3, 3), 100, np.uint8), label, palette)[0]
    np.testing.assert_array_equal(picture[0], [117, 78, 117])  # 0.4 of the frame, 0.6 of (128, 64, 128)
    assert (picture[1] == 255).all()
    assert (picture[2] == 40).all()


def test_stills_stand_side_by_side_with_a_clear_gap(tmp_path):
    frames = [np.full((4, 5, 3), value, np.uint8) for value in (10, 20)]
    row = pictures.side_by_side(frames, gap=3)
    assert row.shape == (4, 13, 4)
    assert (row[:, 5:8, 3] == 0).all() and (row[:, 8:, :3] == 20).all()
    pictures.save(tmp_path / "new" / "row.png", row)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "new" / "row.png")), row)
