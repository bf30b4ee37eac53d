"""DeepLabV3 (torchvision): built from nothing, kept with its palette, applied to frames. The one place where it sees frames."""

import json
from collections.abc import Sequence
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

from pipeline import palettes, tiles
from pipeline.errors import InputError, is_machine_fault, one_line
from pipeline.palettes import VOID, Palette
from pipeline.tiles import Tiles

MEAN = (123.675, 116.28, 103.53)
"""RGB, 0..255; also what a picture is padded with."""
DEVIATION = (58.395, 57.12, 57.375)

STRIDE = {"deeplabv3_mobilenet_v3_large": 16, "deeplabv3_resnet50": 8, "deeplabv3_resnet101": 8}
"""Architecture -> pixels for each of the backbone's outputs."""

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
        return _resized(self._scores(rgb, None), rgb.shape[1:3])

    @torch.inference_mode()
    def predict(
        self, rgb: UInt8[np.ndarray, "b h w 3"], within: Tiles | None = None, precision: str = "float32"
    ) -> UInt8[np.ndarray, "b h w"]:
        """Label ids. Void and classes that are not learned are never predicted.

        With tiles the backbone sees the frame (enlarged) in parts; the head, which pools over all of it, always sees the whole.
        """
        with torch.autocast(self._device().type, torch.bfloat16, enabled=precision == "bfloat16"):
            scores = self._scores(rgb, within).float()
        # frame by frame: 19 classes of one frame of 2048x1024 are 160 MB already
        channel = torch.cat([_resized(of_frame[None], rgb.shape[1:3]).argmax(dim=1) for of_frame in scores])
        label: np.ndarray = np.array(self.palette.learned, np.uint8)[channel.cpu().numpy()]
        return label

    def _scores(self, rgb: UInt8[np.ndarray, "b h w 3"], within: Tiles | None) -> Float[Tensor, "b n height width"]:
        """At the network's stride. torchvision's own forward would enlarge them to the size that it saw, which need not be the frame's."""
        image = self._image(rgb)
        found = tiles.features(self._backbone, image, within, STRIDE[self.architecture]) if within else self._backbone(image)
        scores: Tensor = self.network.classifier(found)  # type: ignore[operator]
        return scores

    def _backbone(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c height width"]:
        found: Tensor = self.network.backbone(image)["out"]  # type: ignore[operator]
        return found

    def _image(self, rgb: UInt8[np.ndarray, "b h w 3"]) -> Float[Tensor, "b 3 height width"]:
        """As the network sees it: enlarged, colours normalised. Its memory is channels_last, as the frames' is."""
        frames, device = torch.from_numpy(np.array(rgb)), self._device()
        if device.type == "cuda":
            frames = frames.pin_memory()
        image = frames.to(device, non_blocking=True).movedim(-1, 1).float()  # b 3 h w, 0..255
        image = (image - _channels(MEAN, device)) / _channels(DEVIATION, device)
        return _resized(image, [round(side * self.enlarge) for side in rgb.shape[1:3]])

    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

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


def _resized(image: Float[Tensor, "b c h w"], size: Sequence[int]) -> Float[Tensor, "b c height width"]:
    return image if tuple(image.shape[-2:]) == tuple(size) else F.interpolate(image, size=list(size), mode="bilinear", align_corners=False)
