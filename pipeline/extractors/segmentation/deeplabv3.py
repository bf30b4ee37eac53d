"""The DeepLabV3 that the stage segmentation_model trained, or was given."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from pipeline import layout
from pipeline.deeplabv3 import Segmenter
from pipeline.errors import InputError
from pipeline.extractors.segmentation import Labels


def build(model: Path, device: str) -> Labels:
    checkpoint = layout.segmentation_checkpoint(model)
    if not checkpoint.is_file():
        raise InputError(
            f"{model} holds no trained model: segmentation.weights_from must name a data set whose own segmentation.weights_from is itself"
        )
    segmenter = _loaded(checkpoint, checkpoint.stat().st_ino, device)

    def find(rgb: UInt8[np.ndarray, "b h w 3"], frames: range) -> UInt8[np.ndarray, "b h w"]:
        return segmenter.predict(rgb)

    return Labels(segmenter.palette, find)


@lru_cache(maxsize=1)
def _loaded(checkpoint: Path, inode: int, device: str) -> Segmenter:
    """Once in each worker."""
    return Segmenter.load(checkpoint, device)
