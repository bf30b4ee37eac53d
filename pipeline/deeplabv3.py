"""DeepLabV3 (torchvision): built from nothing, kept with its palette, applied to frames. The one place where it sees frames."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from jaxtyping import Float, Int64, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline import palettes
from pipeline.errors import InputError, is_machine_fault, one_line
from pipeline.palettes import VOID, Palette

MEAN = (123.675, 116.28, 103.53)
"""RGB, 0..255; also what a picture is padded with."""
DEVIATION = (58.395, 57.12, 57.375)

ABOUT = "deeplabv3"
"""The checkpoint's only metadata entry, JSON: with several, safetensors orders them anew in every process."""


@dataclass(frozen=True)
class Segmenter:
    network: nn.Module
    """One output channel for each class of the palette that is learned, in its order."""
    palette: Palette
    architecture: str
    enlarge: float
    """The network sees frames enlarged by this factor; labels come in the frames' own size."""

    @classmethod
    def untrained(cls, architecture: str, palette: Palette, enlarge: float, device: str) -> "Segmenter":
        """Random weights, by torch's generator; nothing is downloaded."""
        make = getattr(torchvision.models.segmentation, architecture)
        network = make(weights=None, weights_backbone=None, num_classes=len(palette.learned), aux_loss=False)
        return cls(network.to(device), palette, architecture, enlarge)

    @classmethod
    def load(cls, path: Path, device: str) -> "Segmenter":
        """From a checkpoint that `save` wrote, ready to predict."""
        about = _about(path)
        try:
            segmenter = cls.untrained(about["architecture"], palettes.from_attributes(about["palette"]), about["enlarge"], "cpu")
            segmenter.network.load_state_dict(load_file(path))
        except (RuntimeError, SafetensorError, LookupError, TypeError, AttributeError) as error:
            if is_machine_fault(error):
                raise
            raise InputError(f"{path}: its weights do not fit its description ({one_line(error)})") from None
        segmenter.network.to(device).eval().requires_grad_(False)
        return segmenter

    def save(self, path: Path) -> None:
        about = {"architecture": self.architecture, "palette": self.palette.as_attributes(), "enlarge": self.enlarge}
        weights = {name: weight.cpu().contiguous() for name, weight in self.network.state_dict().items()}
        save_file(weights, path, metadata={ABOUT: json.dumps(about, sort_keys=True)})

    def logits(self, rgb: UInt8[np.ndarray, "b h w 3"]) -> Float[Tensor, "b n h w"]:
        """In the frames' own size, whatever the network's."""
        device = next(self.network.parameters()).device
        image = torch.from_numpy(np.array(rgb)).to(device).movedim(-1, 1).float()  # b 3 h w, 0..255
        image = (image - _channels(MEAN, device)) / _channels(DEVIATION, device)
        scores: Tensor = self.network(_resized(image, [round(side * self.enlarge) for side in image.shape[-2:]]))["out"]
        return _resized(scores, list(image.shape[-2:]))

    @torch.inference_mode()
    def predict(self, rgb: UInt8[np.ndarray, "b h w 3"]) -> UInt8[np.ndarray, "b h w"]:
        """Label ids. Void and classes that are not learned are never predicted."""
        ids = np.array(self.palette.learned, np.uint8)
        label: np.ndarray = ids[self.logits(rgb).argmax(dim=1).cpu().numpy()]
        return label

    def channels_of(self, label: UInt8[np.ndarray, "*b h w"]) -> Int64[Tensor, "*b h w"]:
        """Label ids as channel numbers of the network; void, and what is not learned, is void."""
        table = np.full(256, VOID, np.int64)
        table[self.palette.learned] = np.arange(len(self.palette.learned))
        return torch.from_numpy(table[label])


def _about(path: Path) -> dict[str, Any]:
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads(file.metadata()[ABOUT])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        if is_machine_fault(error):
            raise
        raise InputError(f"{path}: is no DeepLabV3 checkpoint of the stage segmentation_model") from None


def _channels(values: tuple[float, float, float], device: torch.device) -> Float[Tensor, "3 1 1"]:
    return torch.tensor(values, device=device)[:, None, None]


def _resized(image: Float[Tensor, "b c h w"], size: list[int]) -> Float[Tensor, "b c height width"]:
    return image if list(image.shape[-2:]) == size else F.interpolate(image, size=size, mode="bilinear", align_corners=False)
