"""Any network of the ptlflow collection, with weights from a file: nothing is downloaded, nothing runs on random weights."""

from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.checkpoint import read_weights
from pipeline.errors import InputError, one_line
from pipeline.extractors.optical_flow import Measure
from pipeline.weights import path_of

WHERE = "optical_flow.options.weights"

SMALLEST_SIDE = 128
"""Correlation pyramids (RAFT: 1/8, then halved three times) need two pixels at their top."""


def build(model: str, device: str, weights: str) -> Measure:
    network, stride = _loaded(model, weights, device)

    @torch.inference_mode()
    def measure(source: UInt8[np.ndarray, "b h w 3"], target: UInt8[np.ndarray, "b h w 3"]) -> Float32[np.ndarray, "b h w 2"]:
        height, width = source.shape[1:3]
        pairs = np.stack([source, target], axis=1)[..., ::-1]  # ptlflow's networks expect BGR
        images = torch.from_numpy(pairs.copy()).to(device).movedim(-1, 2).float() / 255  # b 2 3 h w
        flows: Tensor = network({"images": _padded(images, stride)})["flows"]  # b 1 2 H W
        return flows[:, 0, :, :height, :width].movedim(1, -1).float().cpu().contiguous().numpy()

    return measure


def _padded(images: Tensor, stride: int) -> Tensor:
    """Right and below, by the border's pixels, to what the network can take: flow stays in pixels of the given size."""
    below, right = (-(-max(SMALLEST_SIDE, side) // stride) * stride - side for side in images.shape[-2:])
    single = F.pad(images.flatten(0, 1), (0, right, 0, below), mode="replicate")  # b*2 3 H W
    return single.reshape(*images.shape[:3], *single.shape[-2:])


@lru_cache(maxsize=1)
def _loaded(model: str, weights: str, device: str) -> tuple[nn.Module, int]:
    """Once in each worker, with its output stride."""
    file = path_of(weights, WHERE)
    import ptlflow  # takes seconds

    if model not in ptlflow.get_model_names():
        near = get_close_matches(model, ptlflow.get_model_names(), n=5, cutoff=0.3)
        raise InputError(f"optical_flow.options.model: ptlflow has no {model!r}; near are {', '.join(near) or 'none'}")
    network = ptlflow.get_model(model)
    try:
        network.load_state_dict(_state(file))
    except (RuntimeError, AttributeError, TypeError) as error:
        raise InputError(f"{WHERE}: {weights} does not fit {model} ({one_line(error)})") from None
    return network.to(device).eval().requires_grad_(False), network.output_stride


def _state(file: Path) -> dict[str, Any]:
    """A plain state dict or one of Lightning's; `module.` is what DataParallel put before each name."""
    saved = read_weights(file, WHERE)
    return {name.removeprefix("module."): weight for name, weight in saved.get("state_dict", saved).items()}
