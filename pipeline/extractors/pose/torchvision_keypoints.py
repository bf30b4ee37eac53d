"""torchvision's Keypoint R-CNN (ResNet-50, FPN): the 17 points of COCO at their places of BODY_25; no face, hands, feet or surface."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import nn
from torchvision.models.detection import keypointrcnn_resnet50_fpn

from pipeline.checkpoint import read_weights
from pipeline.errors import InputError, one_line
from pipeline.extractors.pose import Person, Poses
from pipeline.params import Fraction, Pixels
from pipeline.pose_points import COCO_BODY, person
from pipeline.torchvision_norms import take_no_epsilon
from pipeline.weights import path_of, version_of

WHERE = "pose.options.weights"


def build(weights: str, device: str, min_score: Fraction = 0.7, min_point_score: float = 0.0, shortest_side: Pixels = 800) -> Poses:
    """`shortest_side`: pixels of the frame as the network sees it. People above `min_score` (0..1); of their points those from
    `min_point_score` on (the network's logit: 0 is one half), with its sigmoid as score."""
    file = path_of(weights, WHERE)
    network = _loaded(file, version_of(file), device, min_score, shortest_side)

    @torch.inference_mode()
    def find(rgb: UInt8[np.ndarray, "b h w 3"], frames: range) -> list[list[Person]]:
        images = torch.from_numpy(rgb).to(device).movedim(-1, 1).float() / 255
        return [_people({name: values.cpu().numpy() for name, values in found.items()}, min_point_score) for found in network(list(images))]

    return Poses(find, keypoints=True, surface=False)


def _people(found: dict[str, np.ndarray], least: float) -> list[Person]:
    each = zip(found["keypoints"], found["keypoints_scores"], found["scores"], strict=True)
    return [Person(_placed(points, logits, least), None, float(score)) for points, logits, score in each]


def _placed(points: Float32[np.ndarray, "17 3"], logits: Float32[np.ndarray, " 17"], least: float) -> Float32[np.ndarray, "137 3"]:
    score = np.where(logits >= least, 1 / (1 + np.exp(-logits.astype(np.float64))), 0)
    return person(np.concatenate([points[:, :2] - 0.5, score[:, None]], axis=1).astype(np.float32), COCO_BODY)


@lru_cache(maxsize=1)
def _loaded(file: Path, version: tuple[tuple[str, int, int], ...], device: str, min_score: float, shortest_side: int) -> nn.Module:
    """Once in each worker, and again when the file is another `version`."""
    sizes = {"min_size": shortest_side, "max_size": shortest_side * 5 // 3}
    network = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None, box_score_thresh=min_score, **sizes)
    try:
        network.load_state_dict(read_weights(file, WHERE))
    except (RuntimeError, AttributeError, TypeError) as error:
        raise InputError(f"{WHERE}: {file} does not fit keypointrcnn_resnet50_fpn ({one_line(error)})") from None
    take_no_epsilon(network)
    return network.to(device).eval().requires_grad_(False)
