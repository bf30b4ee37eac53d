"""The DeepLabV3 that the stage segmentation_model trained, or was given."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from pipeline import layout
from pipeline.deeplabv3 import Segmenter
from pipeline.errors import InputError
from pipeline.extractors.segmentation import Labels
from pipeline.params import Count, CountOrZero
from pipeline.tiles import Tiles

SMALLEST_STEP = 32
"""Pixels from a tile to the next: two of the coarsest backbone's outputs."""


def build(
    model: Path, device: str, tile: Count | None = None, overlap: CountOrZero = 256, precision: Literal["float32", "bfloat16"] = "float32"
) -> Labels:
    """`tile`: pixels of the (enlarged) frame, in each direction, that the backbone sees at once, for where memory is short; null = all.
    `overlap`: pixels that neighbouring tiles share."""
    checkpoint = layout.segmentation_checkpoint(model)
    if not checkpoint.is_file():
        raise InputError(
            f"{model} holds no trained model: segmentation.weights_from must name a data set whose own segmentation.weights_from is itself"
        )
    if tile is not None and overlap > tile - SMALLEST_STEP:
        raise InputError(f"segmentation.options: tile is {tile} and overlap {overlap}: tile must be {SMALLEST_STEP} pixels more")
    segmenter = _loaded(checkpoint, checkpoint.stat().st_ino, device)
    within = None if tile is None else Tiles(tile, overlap)

    def find(rgb: UInt8[np.ndarray, "b h w 3"], frames: range) -> UInt8[np.ndarray, "b h w"]:
        return segmenter.predict(rgb, within, precision)

    return Labels(segmenter.palette, find)


@lru_cache(maxsize=1)
def _loaded(checkpoint: Path, inode: int, device: str) -> Segmenter:
    """Once in each worker."""
    return Segmenter.load(checkpoint, device)
