"""Keypoint R-CNN with random weights: what the network itself says is found again at its places."""

import numpy as np
import pytest
import torch
import torchvision
from torchvision.models.detection import keypointrcnn_resnet50_fpn

from pipeline.errors import InputError
from pipeline.extractors.pose import torchvision_keypoints
from pipeline.pose_points import COCO_BODY, NECK
from pipeline.torchvision_norms import take_no_epsilon
from pipeline.weights import version_of
from tests.pipeline.extractors import maskrcnn_weights


def test_people_are_the_networks_own_with_pixels_middles_as_whole_numbers(tmp_path):
    torch.manual_seed(0)
    network = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None, min_size=64, max_size=106, box_score_thresh=0.2).eval()
    torch.save(network.state_dict(), tmp_path / "a.pth")
    take_no_epsilon(network)
    rgb = np.random.default_rng(0).integers(0, 256, (1, 32, 48, 3)).astype(np.uint8)
    with torch.inference_mode():
        (wanted,) = network([torch.from_numpy(rgb[0]).movedim(-1, 0) / 255])
    poses = torchvision_keypoints.build(str(tmp_path / "a.pth"), "cpu", min_score=0.2, min_point_score=-100.0, shortest_side=64)
    (people,) = poses.find(rgb, range(1))
    assert len(people) == len(wanted["scores"]) > 0
    for person, points, logits in zip(people, wanted["keypoints"].numpy(), wanted["keypoints_scores"].numpy(), strict=True):
        found = person.keypoints[list(COCO_BODY)]
        np.testing.assert_allclose(found[:, :2], points[:, :2] - 0.5, atol=1e-3)
        np.testing.assert_allclose(found[:, 2], 1 / (1 + np.exp(-logits)), atol=1e-4)
        np.testing.assert_allclose(person.keypoints[NECK, :2], (points[5, :2] + points[6, :2]) / 2 - 0.5, atol=1e-3)
        assert np.count_nonzero(person.keypoints[:, 2]) == 19  # no face, hands, feet


def test_weights_of_another_network_are_refused_in_a_sentence(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"pose.options.weights: .*a.pth does not fit keypointrcnn_resnet50_fpn"):
        torchvision_keypoints.build(str(tmp_path / "a.pth"), "cpu")


def test_published_weights_give_what_torchvision_makes_of_them(tmp_path, monkeypatch):
    torch.manual_seed(0)
    file = tmp_path / "published.pth"
    maskrcnn_weights.publish(keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None), file)
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", lambda *_, **__: torch.load(file, weights_only=True))
    theirs = keypointrcnn_resnet50_fpn(weights="COCO_V1", min_size=64, max_size=106, box_score_thresh=0.2).eval()
    ours = torchvision_keypoints._loaded(file, version_of(file), "cpu", 0.2, 64)
    image = [torch.from_numpy(np.random.default_rng(0).random((3, 32, 48), np.float32))]
    with torch.inference_mode():
        expected, found = theirs(image)[0], ours(image)[0]
    assert len(expected["scores"]) > 3
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-4)
