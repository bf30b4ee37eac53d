"""DensePose of detectron2: part, U and V of every person's surface. Both are built from source (docs/models.md)."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import detectron2
import numpy as np
import torch
from densepose import add_densepose_config
from densepose.vis.extractor import DensePoseResultExtractor
from detectron2.config import get_cfg
from detectron2.data.transforms import ResizeShortestEdge
from detectron2.modeling import build_model
from detectron2.structures import Instances
from jaxtyping import UInt8
from torch import Tensor, nn

from pipeline import detectron2_weights
from pipeline.extractors.pose import Person, Poses, Surface
from pipeline.params import Fraction, Pixels
from pipeline.weights import path_of, version_of

WHERE = "pose.options.weights"


def build(
    weights: str,
    device: str,
    network: Literal["R_50_FPN_s1x", "R_101_FPN_s1x", "R_50_FPN_DL_s1x", "R_101_FPN_DL_s1x"] = "R_50_FPN_s1x",
    min_score: Fraction = 0.7,
    shortest_side: Pixels = 800,
) -> Poses:
    """`network`: densepose_rcnn_<network> of DensePose's model zoo. `shortest_side`: pixels of the frame as the network sees it."""
    file = path_of(weights, WHERE)
    model, results_of = _loaded(file, version_of(file), network, min_score, device), DensePoseResultExtractor()
    resize = ResizeShortestEdge(shortest_side, shortest_side * 5 // 3)

    @torch.inference_mode()
    def find(rgb: UInt8[np.ndarray, "b h w 3"], frames: range) -> list[list[Person]]:
        return [_people(found["instances"].to("cpu"), results_of) for found in model([_seen(frame, resize) for frame in rgb])]

    return Poses(find, keypoints=False, surface=True)


def _seen(rgb: UInt8[np.ndarray, "h w 3"], resize: ResizeShortestEdge) -> dict[str, Any]:
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    image = resize.get_transform(bgr).apply_image(bgr)
    return {"image": torch.from_numpy(image.astype(np.float32)).movedim(-1, 0), "height": rgb.shape[0], "width": rgb.shape[1]}


def _people(found: Instances, results_of: DensePoseResultExtractor) -> list[Person]:
    results, boxes = results_of(found)
    if results is None:
        return []
    return [
        Person(None, Surface(int(left), int(top), _iuv(result.labels, result.uv)), score)
        for result, (left, top, *_), score in zip(results, boxes.tolist(), found.scores.tolist(), strict=True)
    ]


def _iuv(labels: Tensor, uv: Tensor) -> UInt8[np.ndarray, "h w 3"]:
    """U and V of 0..1 (some leave it a little) as 0..255, where there is a part."""
    values = (uv.clamp(0, 1) * 255).to(torch.uint8) * (labels > 0)
    return np.stack([labels.to(torch.uint8).numpy(), *values.to(torch.uint8).numpy()], axis=-1)


@lru_cache(maxsize=1)
def _loaded(file: Path, version: tuple[tuple[str, int, int], ...], network: str, min_score: float, device: str) -> nn.Module:
    """Once in each worker, and again when the file is another `version`."""
    model: nn.Module = build_model(configuration(network, min_score, device))
    detectron2_weights.fill(model, file, parameter=WHERE, misfit=f"{file} does not fit {network}")
    return model.eval().requires_grad_(False)


def configuration(network: str, min_score: float, device: str) -> Any:
    """What the network's file of the same name in projects/DensePose/configs says; that folder is in no installed package."""
    cfg = get_cfg()
    add_densepose_config(cfg)
    cfg.merge_from_file(str(Path(detectron2.__file__).parent / "model_zoo" / "configs" / "Base-RCNN-FPN.yaml"), allow_unsafe=False)
    cfg.MODEL.WEIGHTS, cfg.MODEL.DEVICE = "", device
    cfg.MODEL.RESNETS.DEPTH = 101 if network.startswith("R_101") else 50
    cfg.MODEL.DENSEPOSE_ON, cfg.MODEL.MASK_ON = True, False
    cfg.MODEL.ROI_HEADS.NAME, cfg.MODEL.ROI_HEADS.NUM_CLASSES = "DensePoseROIHeads", 1
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = min_score
    cfg.MODEL.ROI_BOX_HEAD.POOLER_SAMPLING_RATIO, cfg.MODEL.ROI_BOX_HEAD.POOLER_TYPE = 2, "ROIAlign"
    head = cfg.MODEL.ROI_DENSEPOSE_HEAD
    head.NAME = "DensePoseDeepLabHead" if "_DL_" in network else "DensePoseV1ConvXHead"
    head.POOLER_TYPE, head.NUM_COARSE_SEGM_CHANNELS = "ROIAlign", 2
    return cfg
