"""The network whose features video FID compares: one with fixed random weights, or torchvision's with weights that were given."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from models.random_video_network import RandomVideoNetwork
from pipeline import params
from pipeline.checkpoint import read_weights
from pipeline.errors import InputError, one_line
from pipeline.metrics.video_features import Prepare
from pipeline.store import file_sha256
from pipeline.tensors import frames_to_tensor
from pipeline.weights import path_of

WIDTHS, SEED = (16, 32, 64, 128), 0
SIDE = 112
"""Height and width of what the random network sees: the whole frame, scaled to the size that Kinetics networks see."""

RANDOM = "random features, comparable within this report only"
GIVEN = "features of given weights, comparable where weights, windows and their stride are equal"

WHERE = "evaluate.video_network.weights"

HEADS = ("fc", "head", "classifier")
"""How torchvision's video networks call their last layer, which turns features into classes."""


@dataclass(frozen=True)
class VideoNetwork:
    network: nn.Module
    prepare: Prepare
    weights_sha256: str
    features_are: str
    """In which other numbers these can be compared with."""
    device: str

    @torch.inference_mode()
    def features(self, window: list[Float[Tensor, "3 h w"]]) -> Float32[np.ndarray, " d"]:
        video = torch.stack(window, dim=1)[None]  # 1 3 t h w
        features: np.ndarray = self.network(video.to(self.device))[0].float().cpu().numpy()
        return features


def load(p: params.VideoNetwork, device: str) -> VideoNetwork:
    """InputError for weights that are not this network's, and for windows that it does not take: both are tried here."""
    found = _random(device) if p.name == "random" else _given(p.name, path_of(p.weights or "", WHERE), device)
    try:
        black = found.prepare(np.zeros((16, 16, 3), np.uint8))
        found.features([black] * p.window_frames)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"evaluate.video_network.window_frames is {p.window_frames}: {p.name} takes no windows of that length ({one_line(error)}); "
            "Kinetics networks take 16"
        ) from None
    return found


def _random(device: str) -> VideoNetwork:
    network = RandomVideoNetwork(widths=WIDTHS, seed=SEED)
    return VideoNetwork(network.eval().to(device), _whole_frame, weights_sha256(network), RANDOM, device)


def _whole_frame(rgb: UInt8[np.ndarray, "h w 3"]) -> Float[Tensor, "3 height width"]:
    return F.interpolate(frames_to_tensor(rgb)[None], size=(SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True)[0]


def weights_sha256(network: nn.Module) -> str:
    """Of names and little-endian values, in the network's order."""
    digest = hashlib.sha256()
    for name, weight in network.state_dict().items():
        digest.update(name.encode() + weight.cpu().numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def _given(name: str, weights: Path, device: str) -> VideoNetwork:
    import torchvision  # seconds; needed only here

    network = torchvision.models.get_model(name, weights=None)
    head = next(head for head in HEADS if hasattr(network, head))
    setattr(network, head, nn.Identity())
    state = {key: weight for key, weight in _read(weights).items() if not key.startswith(f"{head}.")}
    _require_fitting(state, network, name, weights)
    network.load_state_dict(state)
    network.eval().requires_grad_(False).to(device)
    see = torchvision.models.get_model_weights(name).DEFAULT.transforms()  # the sizes, mean and deviation of its Kinetics training

    def prepare(rgb: UInt8[np.ndarray, "h w 3"]) -> Float[Tensor, "3 height width"]:
        return see(torch.from_numpy(rgb).movedim(-1, 0)[None].contiguous())[:, 0]  # from t 3 h w to 3 t height width

    return VideoNetwork(network, prepare, file_sha256(weights), GIVEN, device)


def _read(path: Path) -> dict[str, Tensor]:
    state = read_weights(path, WHERE)
    if not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path}: holds no state dict (names and tensors), as torchvision's weights do")
    return state


def _require_fitting(state: dict[str, Tensor], network: nn.Module, name: str, path: Path) -> None:
    shapes = {key: tuple(weight.shape) for key, weight in state.items()}
    wanted = {key: tuple(weight.shape) for key, weight in network.state_dict().items()}
    wrong = [key for key in {**wanted, **shapes} if shapes.get(key) != wanted.get(key)]
    if wrong:
        found, right = (of.get(wrong[0], "missing") for of in (shapes, wanted))
        raise InputError(f"{path}: holds no weights of {name}: {wrong[0]} is {found} in the file and {right} in the network")
