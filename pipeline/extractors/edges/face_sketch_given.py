"""The source's own landmarks of a face."""

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from pipeline import arrays, layout
from pipeline.errors import InputError
from pipeline.extractors.edges import Frames, Landmarks


def build(clips: Path) -> Landmarks:
    path = layout.arrays(clips, "edges")
    if not path.is_file():
        raise InputError(f"{clips.name}: edges.backend is face_sketch_given, but its source has no landmarks")

    def locate(frames: Frames) -> Float32[np.ndarray, "t 68 2"]:
        points = arrays.reading(path)["landmarks"][:]
        points[np.isnan(points).any(axis=(1, 2))] = np.nan
        return points

    return Landmarks(locate)
