"""Any network of the ptlflow collection, with weights from a file: nothing is downloaded, nothing runs on random weights."""

from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.extractors.optical_flow import Measure
from pipeline.optical_flow_network import WHERE, fill, measuring, state_of
from pipeline.weights import path_of, version_of


def build(model: str, device: str, weights: str, precision: Literal["float32", "bfloat16"] = "float32") -> Measure:
    file = path_of(weights, WHERE)
    network, stride = _loaded(model, file, version_of(file), device)

    def flow(first: Tensor, second: Tensor) -> Tensor:
        flows: Tensor = network({"images": torch.stack([first, second], dim=1)})["flows"]  # b 1 2 H W
        return flows[:, 0]

    return measuring(flow, _bgr, stride=stride, device=device, precision=precision)


def _bgr(rgb: Tensor) -> Tensor:
    """What ptlflow's networks expect."""
    return rgb.flip(0)


@lru_cache(maxsize=1)
def _loaded(model: str, file: Path, version: tuple[tuple[str, int, int], ...], device: str) -> tuple[nn.Module, int]:
    """Once in each worker, and again when the file is another `version`; with its output stride."""
    import ptlflow  # takes seconds

    if model not in ptlflow.get_model_names():
        near = get_close_matches(model, ptlflow.get_model_names(), n=5, cutoff=0.3)
        raise InputError(f"optical_flow.options.model: ptlflow has no {model!r}; near are {', '.join(near) or 'none'}")
    network = ptlflow.get_model(model)
    fill(network, state_of(file), model, str(file))
    return network.to(device).eval().requires_grad_(False), network.output_stride
