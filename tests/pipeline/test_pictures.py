import numpy as np
from PIL import Image

from pipeline import palettes, pictures


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
