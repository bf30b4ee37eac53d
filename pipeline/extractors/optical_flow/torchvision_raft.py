"""RAFT by torchvision, with its weights or those of RAFT's authors: nothing is downloaded, nothing runs on random weights."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torchvision
from torch import Tensor, nn

from pipeline.extractors.optical_flow import Measure
from pipeline.optical_flow_network import WHERE, fill, measuring, state_of
from pipeline.params import Few
from pipeline.weights import path_of, version_of

STRIDE = 8


def build(
    model: Literal["raft_small", "raft_large"],
    device: str,
    weights: str,
    updates: Few = 12,
    precision: Literal["float32", "bfloat16"] = "float32",
) -> Measure:
    """`updates`: how often the network corrects its flow."""
    file = path_of(weights, WHERE)
    network = _loaded(model, file, version_of(file), device)

    def flow(first: Tensor, second: Tensor) -> Tensor:
        last: Tensor = network(first, second, num_flow_updates=updates)[-1]
        return last

    return measuring(flow, _signed, stride=STRIDE, device=device, precision=precision)


def _signed(rgb: Tensor) -> Tensor:
    """Colours in -1..1."""
    return rgb * 2 - 1


@lru_cache(maxsize=1)
def _loaded(model: str, file: Path, version: tuple[tuple[str, int, int], ...], device: str) -> nn.Module:
    """Once in each worker, and again when the file is another `version`."""
    network: nn.Module = getattr(torchvision.models.optical_flow, model)(weights=None)
    fill(network, torchvision_names(state_of(file)), model, str(file))
    return network.to(device).eval().requires_grad_(False)


AUTHORS_NAMES = {
    r"^fnet\.": "feature_encoder.",
    r"^cnet\.": "context_encoder.",
    r"(_encoder\.)conv1\.": r"\1convnormrelu.0.",
    r"(_encoder\.)norm1\.": r"\1convnormrelu.1.",
    r"(_encoder\.)conv2\.": r"\1conv.",
    r"(layer\d\.\d\.)conv(\d)\.": r"\1convnormrelu\2.0.",
    r"(layer\d\.\d\.)norm(\d)\.": r"\1convnormrelu\2.1.",
    r"^update_block\.encoder\.conv\.": "update_block.motion_encoder.conv.0.",
    r"^update_block\.encoder\.convc(\d)\.": r"update_block.motion_encoder.convcorr\1.0.",
    r"^update_block\.encoder\.convf(\d)\.": r"update_block.motion_encoder.convflow\1.0.",
    r"^update_block\.gru\.conv([zrq])\.": r"update_block.recurrent_block.convgru1.conv\1.",
    r"^update_block\.gru\.conv([zrq])(\d)\.": r"update_block.recurrent_block.convgru\2.conv\1.",
    r"^update_block\.mask\.0\.": "mask_predictor.convrelu.0.",
    r"^update_block\.mask\.2\.": "mask_predictor.conv.",
}
"""How the same layers are called in the files of RAFT's authors."""


def torchvision_names(state: dict[str, Any]) -> dict[str, Any]:
    """Those of the authors translated; torchvision's own stay. The authors save a shortcut's norm twice: as norm3 (or 4), too."""
    return {_torchvision_name(name): weight for name, weight in state.items() if not re.search(r"\.norm[34]\.", name)}


def _torchvision_name(name: str) -> str:
    for theirs, ours in AUTHORS_NAMES.items():
        name = re.sub(theirs, ours, name)
    return name
