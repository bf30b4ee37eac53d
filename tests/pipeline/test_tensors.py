import numpy as np
import pytest
import torch

from pipeline import palettes
from pipeline.tensors import foreground_of, frames_to_tensor, maps_to_tensor, optical_flow_to_tensor, tensor_to_frames


def test_frames_go_to_minus_one_and_one_and_back():
    rgb = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    image = frames_to_tensor(rgb)
    assert image.shape == (2, 3, 4, 5)
    assert image[0, 1, 2, 3].item() == pytest.approx(rgb[0, 2, 3, 1] / 127.5 - 1, abs=1e-6)
    np.testing.assert_array_equal(tensor_to_frames(image), rgb)
    assert tensor_to_frames(torch.tensor([-1.5, 0.0, 1.5]).reshape(3, 1, 1)).ravel().tolist() == [0, 128, 255]


def test_maps_are_one_hot_labels_and_instance_edges_and_void_is_nothing():
    palette = palettes.load("camvid")
    label = np.array([[8, 8, 255, 0]], np.uint8)
    instance = np.array([[1, 1, 2, 2]], np.uint16)
    maps = maps_to_tensor(label, instance, palette)
    assert maps.shape == (12, 1, 4)
    assert maps[:11].sum(dim=0).tolist() == [[1, 1, 0, 1]]
    assert maps[11].tolist() == [[0, 1, 1, 0]]
    assert foreground_of(maps, palette).tolist() == [[[1, 1, 0, 0]]]  # cars


def test_confidence_becomes_the_binary_mask_at_128():
    optical_flow, confidence = optical_flow_to_tensor(np.ones((1, 1, 3, 2), np.float16), np.array([[[127, 128, 255]]], np.uint8))
    assert optical_flow.shape == (1, 2, 1, 3)
    assert confidence.ravel().tolist() == [0, 1, 1]
