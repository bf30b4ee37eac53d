"""The source's own keypoints, surfaces or both."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from pipeline import arrays, layout
from pipeline.errors import InputError
from pipeline.extractors.pose import Person, Poses
from pipeline.people import divided


def build(clips: Path) -> Poses:
    path = layout.arrays(clips, "pose")
    if not path.is_file():
        raise InputError(f"{clips.name}: pose.backend is given, but its source has no poses")
    truth = arrays.reading(path)
    has_keypoints, has_surface = "keypoints" in truth, "iuv" in truth

    def people(t: int) -> list[Person]:
        found = [points for points in truth["keypoints"][t] if points.any()] if has_keypoints else []
        if has_surface:
            return divided(found, truth["iuv"][t])
        return [Person(points, None, float(points[:25, 2].mean())) for points in found]

    def find(rgb: UInt8[np.ndarray, "b h w 3"], frames: range) -> list[list[Person]]:
        return [people(t) for t in frames]

    return Poses(find, has_keypoints, has_surface)
