"""Mask R-CNN, or any other network of detectron2 that draws masks, with weights from a file: nothing is downloaded."""

from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import detectron2
import numpy as np
import torch
from detectron2.config import CfgNode, get_cfg
from detectron2.data import MetadataCatalog
from detectron2.data.transforms import ResizeShortestEdge
from detectron2.modeling import build_model
from jaxtyping import UInt8
from torch import nn

from pipeline import detectron2_weights
from pipeline.errors import InputError, one_line
from pipeline.extractors.instances import Find, Found
from pipeline.masks import Mask, Rule, require_shared
from pipeline.palettes import Palette
from pipeline.params import CountOrZero, Fraction, Pixels
from pipeline.weights import path_of, version_of

WHERE = "instances.options.weights"
CONFIGS = Path(detectron2.__file__).parent / "model_zoo" / "configs"


def build(
    palette: Palette,
    min_pixels: int,
    device: str,
    *,
    config: str,
    weights: str,
    score: Fraction,
    margin: CountOrZero,
    rest: Literal["none", "components"],
    shortest_side: Pixels | None = None,
) -> Find:
    """`config`: a name in detectron2's model zoo, such as COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml. `shortest_side`: pixels
    of the frame as the network sees it, its longest side in proportion; null = what the configuration says.

    Masks below `score` are left out. `margin` (pixels) and `rest`: pipeline/masks.py.
    """
    file, rule = path_of(weights, WHERE), Rule(palette, min_pixels, margin, rest)
    network = _loaded(config, file, version_of(file), score, shortest_side, device)
    require_shared(palette, network.names)

    def find(rgb: UInt8[np.ndarray, "b h w 3"], labels: UInt8[np.ndarray, "b h w"], frames: range) -> list[Found]:
        return [rule.found(masks, label) for masks, label in zip(network.masks(rgb), labels, strict=True)]

    return find


@dataclass(frozen=True)
class Network:
    model: nn.Module
    config: CfgNode
    names: list[str]
    """Of its classes, in their order."""

    @torch.inference_mode()
    def masks(self, rgb: UInt8[np.ndarray, "b h w 3"]) -> list[list[Mask]]:
        found = (result["instances"].to("cpu") for result in self.model([self._input(frame) for frame in rgb]))
        return [
            [
                Mask(mask, self.names[number], score)
                for mask, number, score in zip(one.pred_masks.numpy(), one.pred_classes.tolist(), one.scores.tolist(), strict=True)
            ]
            for one in found
        ]

    def _input(self, rgb: UInt8[np.ndarray, "h w 3"]) -> dict[str, Any]:
        """In the size that the configuration asks for; masks come in the frame's."""
        sizes, (height, width) = self.config.INPUT, rgb.shape[:2]
        frame = np.ascontiguousarray(rgb if sizes.FORMAT == "RGB" else rgb[..., ::-1])
        resize = ResizeShortestEdge([sizes.MIN_SIZE_TEST, sizes.MIN_SIZE_TEST], sizes.MAX_SIZE_TEST).get_transform(frame)
        image = torch.from_numpy(resize.apply_image(frame).astype(np.float32)).movedim(-1, 0)  # 3 H W
        return {"image": image, "height": height, "width": width}


@lru_cache(maxsize=1)
def _loaded(
    config: str, file: Path, version: tuple[tuple[str, int, int], ...], score: float, shortest_side: int | None, device: str
) -> Network:
    """Once in each worker, and again when the file is another `version`."""
    settings = _settings(config, shortest_side)
    names = MetadataCatalog.get(settings.DATASETS.TEST[0]).get("thing_classes") if settings.DATASETS.TEST else None
    if names is None or not settings.MODEL.MASK_ON:
        what = (
            "draws no masks"
            if names
            else f"names no DATASETS.TEST whose classes detectron2 knows ({', '.join(settings.DATASETS.TEST) or 'none'})"
        )
        raise InputError(f"instances.options.config: {config} {what}: take one of COCO-InstanceSegmentation or Cityscapes")
    settings.MODEL.WEIGHTS, settings.MODEL.DEVICE, settings.MODEL.ROI_HEADS.SCORE_THRESH_TEST = "", device, score
    model: nn.Module = build_model(settings)
    detectron2_weights.fill(model, file, parameter=WHERE, misfit=f"{file} does not fit {config}")
    return Network(model.eval().requires_grad_(False), settings, names)


def _settings(config: str, shortest_side: int | None) -> CfgNode:
    names = sorted(file.relative_to(CONFIGS).as_posix() for file in CONFIGS.rglob("*.yaml"))
    if config not in names:
        near = get_close_matches(config, names, n=3, cutoff=0.3)
        raise InputError(f"instances.options.config: detectron2's model zoo has no {config!r}; near are {', '.join(near) or 'none'}")
    settings = get_cfg()
    try:
        settings.merge_from_file(str(CONFIGS / config), allow_unsafe=False)
    except Exception as error:  # some of the zoo say their values in code
        raise InputError(f"instances.options.config: {config} is no plain configuration ({one_line(error)})") from None
    if shortest_side is not None:
        sizes = settings.INPUT
        sizes.MIN_SIZE_TEST, sizes.MAX_SIZE_TEST = shortest_side, shortest_side * sizes.MAX_SIZE_TEST // sizes.MIN_SIZE_TEST
    return settings
