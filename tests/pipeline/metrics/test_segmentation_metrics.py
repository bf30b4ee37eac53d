import math

import numpy as np
import pytest
import torch
from torchmetrics import JaccardIndex

from pipeline.metrics.segmentation import confusion, iou, mean_iou


def test_iou_of_a_case_counted_by_hand():
    truth = np.array([[0, 0, 1, 1], [0, 0, 1, 255]], np.uint8)
    predicted = np.array([[0, 0, 1, 0], [0, 1, 1, 1]], np.uint8)
    counts = confusion(truth, predicted, 3)
    np.testing.assert_array_equal(counts, [[3, 1, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(iou(counts), [3 / 5, 2 / 4, math.nan])
    assert mean_iou(counts) == pytest.approx((3 / 5 + 2 / 4) / 2)


def test_predicted_void_counts_as_wrong():
    truth, predicted = np.zeros((2, 2), np.uint8), np.array([[0, 0], [0, 255]], np.uint8)
    assert iou(confusion(truth, predicted, 1))[0] == 3 / 4


def test_mean_iou_equals_torchmetrics():
    random = np.random.default_rng(0)
    truth, predicted = random.integers(0, 5, (2, 3, 20, 30)).astype(np.uint8)
    truth[random.random(truth.shape) < 0.1] = 255
    other = JaccardIndex(task="multiclass", num_classes=5, ignore_index=255)
    expected = other(torch.from_numpy(predicted).long(), torch.from_numpy(truth).long())
    assert mean_iou(confusion(truth, predicted, 5)) == pytest.approx(expected.item(), abs=1e-6)


def test_matrices_of_frames_add_up():
    random = np.random.default_rng(1)
    truth, predicted = random.integers(0, 4, (2, 6, 8, 9)).astype(np.uint8)
    parts = sum(confusion(t, p, 4) for t, p in zip(truth, predicted, strict=True))
    np.testing.assert_array_equal(parts, confusion(truth, predicted, 4))


def test_nothing_labelled_has_no_mean():
    void = np.full((2, 2), 255, np.uint8)
    assert math.isnan(mean_iou(confusion(void, void, 3)))
