import numpy as np
import pytest

from pipeline.labelled_frames import labelled_frames
from pipeline.segmentation_examples import class_weights, varied
from tests.pipeline.test_segmentation_model import COLOURS, PALETTE, bands, write_clips


@pytest.mark.parametrize("crop", [None, [40, 24], [96, 80]])
def test_a_varied_image_has_the_crops_size_and_keeps_its_labels(crop):
    label = bands(20, 30)
    rgb = COLOURS[label].astype(np.uint8)
    for number in range(20):
        new_rgb, new_label = varied(rgb, label, crop, [0.5, 2.0], np.random.default_rng(number))
        size = label.shape if crop is None else (crop[1], crop[0])
        assert (new_rgb.shape, new_label.shape) == ((*size, 3), size)
        known = new_label != 255
        assert known.any()
        distance = np.abs(new_rgb[known].astype(int) - COLOURS[new_label[known]]).max(axis=-1)
        assert (distance < 60).mean() > 0.9  # but for the blend along edges


def test_a_varied_image_is_as_large_as_the_scale_says():
    """Of a frame at half its size, a quarter of the crop shows something; at twice its size, all of it does."""
    label = bands(20, 30)
    for scale, share in ((0.5, 0.25), (1.0, 1.0), (2.0, 1.0)):
        _, new = varied(COLOURS[label].astype(np.uint8), label, None, [scale, scale], np.random.default_rng(0))
        assert (new != 255).mean() == pytest.approx(share, abs=0.02)


def test_parts_come_from_everywhere():
    label = np.arange(200, dtype=np.uint8).reshape(10, 20)
    rgb = np.repeat(label[..., None], 3, axis=2)
    random = np.random.default_rng(0)
    corners = {int(varied(rgb, label, [4, 3], [1.0, 1.0], random)[1].min()) for _ in range(2000)}
    assert corners == {20 * y + x for y in range(8) for x in range(17)}


def test_rare_classes_weigh_more_by_the_formula(tmp_path):
    label = np.zeros((10, 20), np.uint8)
    label[:, 10:] = 1
    label[0, :10] = 255
    seen = labelled_frames(write_clips(tmp_path, [("a", "train", "s", 0, [np.where(label == 255, 0, label)], [0])]), "train")
    np.testing.assert_allclose(class_weights(seen, PALETTE, "frequency"), 1 / np.log(1.02 + np.array([0.5, 0.5, 0.0])))
    assert class_weights(seen, PALETTE, "none").tolist() == [1, 1, 1]
