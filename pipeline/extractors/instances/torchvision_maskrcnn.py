"""Mask R-CNN of torchvision, trained on COCO, with weights from a file: nothing is downloaded, nothing runs on random weights."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor, nn
from torchvision.models import detection

from pipeline.checkpoint import load_weights
from pipeline.extractors.instances import Find, Found
from pipeline.masks import Mask, Rule, require_shared
from pipeline.palettes import Palette
from pipeline.params import CountOrZero, Fraction, Pixels
from pipeline.torchvision_norms import take_no_epsilon
from pipeline.weights import path_of, version_of

WHERE = "instances.options.weights"

NAMES: list[str] = detection.MaskRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
"""By the network's class number; it has gaps."""


def build(
    palette: Palette,
    min_pixels: int,
    device: str,
    *,
    architecture: Literal["maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2"],
    weights: str,
    shortest_side: Pixels,
    longest_side: Pixels,
    score: Fraction,
    margin: CountOrZero,
    rest: Literal["none", "components"],
) -> Find:
    """The network sees a frame scaled so that its shorter side has `shortest_side` pixels, but its longer one no more than `longest_side`.

    Masks below `score` are left out. `margin` (pixels) and `rest`: pipeline/masks.py.
    """
    require_shared(palette, NAMES)
    file, rule = path_of(weights, WHERE), Rule(palette, min_pixels, margin, rest)
    network = _loaded(architecture, file, version_of(file), shortest_side, longest_side, score, device)

    @torch.inference_mode()
    def find(rgb: UInt8[np.ndarray, "b h w 3"], labels: UInt8[np.ndarray, "b h w"], frames: range) -> list[Found]:
        images = torch.from_numpy(np.array(rgb)).to(device).movedim(-1, 1).float() / 255  # b 3 h w
        return [rule.found(_masks(result), label) for result, label in zip(network(list(images)), labels, strict=True)]

    return find


def _masks(result: dict[str, Tensor]) -> list[Mask]:
    """Boxes without a mask of their class (numbers that COCO does not use) have the name N/A, which claims nothing."""
    pixels = (result["masks"][:, 0] >= 0.5).cpu().numpy()  # n h w
    numbers, scores = result["labels"].tolist(), result["scores"].tolist()
    return [Mask(mask, NAMES[number], score) for mask, number, score in zip(pixels, numbers, scores, strict=True)]


@lru_cache(maxsize=1)
def _loaded(
    architecture: str,
    file: Path,
    version: tuple[tuple[str, int, int], ...],
    shortest_side: int,
    longest_side: int,
    score: float,
    device: str,
) -> nn.Module:
    """Once in each worker, and again when the file is another `version`."""
    sizes = {"min_size": shortest_side, "max_size": longest_side, "box_score_thresh": score}
    network: nn.Module = getattr(detection, architecture)(weights=None, weights_backbone=None, **sizes)
    load_weights(network, file, WHERE)
    if architecture == "maskrcnn_resnet50_fpn":
        take_no_epsilon(network)
    return network.to(device).eval().requires_grad_(False)
