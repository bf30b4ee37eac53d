"""The source's own labels; every frame must have one."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from pipeline import arrays, layout, palettes
from pipeline.errors import InputError
from pipeline.extractors.segmentation import Labels


def build(clips: Path) -> Labels:
    path = layout.arrays(clips, "segmentation")
    if not path.is_file():
        raise InputError(f"{clips.name}: segmentation.backend is given, but its source has no labels")
    truth = arrays.reading(path)
    bare = sorted(set(range(len(truth["label"]))) - set(truth.attributes["labelled_frames"]))
    if bare:
        raise InputError(f"{clips.name}: segmentation.backend is given, but frame {bare[0]} has no label ({len(bare)} have none)")

    def find(rgb: UInt8[np.ndarray, "b h w 3"], frames: range) -> UInt8[np.ndarray, "b h w"]:
        return truth["label"][frames.start : frames.stop]

    return Labels(palettes.from_attributes(truth.attributes["palette"]), find)
