"""torchvision's own weights as the beginning of a training: of a classifier with the same backbone, or of a whole DeepLabV3."""

from pathlib import Path
from typing import Any

from torch import Tensor

from pipeline.checkpoint import read_weights
from pipeline.deeplabv3 import Segmenter
from pipeline.errors import InputError

PARAMETER = "segmentation_model.backbone_weights"

BACKBONE, LAST_LAYER = "backbone.", "classifier.4."
"""In a DeepLabV3's names."""

COUNTER = "num_batches_tracked"
"""Older files lack it, and nothing computes with it."""


def load(segmenter: Segmenter, path: Path, name: str) -> None:
    """InputError, naming the parameter, where anything but the last layer is not as in the network: a deeper one's file has all that a
    shallower one needs, and more."""
    given = _of_deeplabv3(read_weights(path, PARAMETER))
    network = segmenter.network.state_dict()
    whole = any(not key.startswith(BACKBONE) for key in given)
    wanted = {key: weight for key, weight in network.items() if whole or key.startswith(BACKBONE)}
    if problem := _first_difference(_without_last_layer(given), _without_last_layer(wanted)):
        raise InputError(f"{PARAMETER}: {name} is not of {segmenter.architecture} or its backbone ({problem})")
    same_classes = all(key in given and given[key].shape == weight.shape for key, weight in network.items() if key.startswith(LAST_LAYER))
    segmenter.network.load_state_dict(given if same_classes else _without_last_layer(given), strict=False)


def _of_deeplabv3(saved: dict[str, Any]) -> dict[str, Tensor]:
    """By the names of a DeepLabV3; without an auxiliary head, or a classifier's."""
    weights = {key: weight for key, weight in saved.items() if isinstance(key, str) and isinstance(weight, Tensor)}
    if any(key.startswith(BACKBONE) for key in weights):
        return {key: weight for key, weight in weights.items() if not key.startswith("aux_classifier.")}
    return {
        f"{BACKBONE}{key.removeprefix('features.')}": weight
        for key, weight in weights.items()
        if not key.startswith(("fc.", "classifier."))
    }


def _without_last_layer(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: weight for key, weight in weights.items() if not key.startswith(LAST_LAYER)}


def _first_difference(given: dict[str, Tensor], wanted: dict[str, Tensor]) -> str | None:
    for key in sorted({*given, *wanted}):
        if key.endswith(COUNTER):
            continue
        if key not in given:
            return f"{key} is missing"
        if key not in wanted:
            return f"it has {key}, which the network has not"
        if given[key].shape != wanted[key].shape:
            return f"{key} has the shape {tuple(given[key].shape)}, not {tuple(wanted[key].shape)}"
    return None
