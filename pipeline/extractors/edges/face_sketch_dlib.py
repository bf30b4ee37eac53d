"""Landmarks of the main face by dlib: its frontal detector, on the CPU, and a shape predictor of 68 points whose file is given."""

from typing import Literal

import dlib
import numpy as np
from jaxtyping import Float32

from pipeline import faces, weights
from pipeline.errors import InputError
from pipeline.extractors.edges import Frames, Landmarks
from pipeline.overlap import ahead


def build(predictor_weights: str, enlarge: Literal[0, 1, 2, 3] = 0) -> Landmarks:
    """`enlarge`: how often frames are doubled before faces are looked for; as they are, those from 80 pixels on are found."""
    path = weights.path_of(predictor_weights, "edges.options.predictor_weights")
    try:
        predictor = dlib.shape_predictor(str(path))
    except RuntimeError:
        raise InputError(f"{path}: holds no shape predictor of dlib's (.dat)") from None
    detector = dlib.get_frontal_face_detector()

    def locate(frames: Frames) -> Float32[np.ndarray, "t 68 2"]:
        seen = {t: [_face(box) for box in detector(rgb, enlarge)] for t, rgb in enumerate(ahead(frames()))}
        person = faces.main_person(seen)
        points = np.full((len(seen), 68, 2), np.nan, np.float32)
        for t, rgb in enumerate(ahead(frames())):
            if t in person:
                points[t] = _points(predictor(rgb, _box(person[t])), path.name)
        return points

    return Landmarks(locate)


def _points(shape: dlib.full_object_detection, name: str) -> Float32[np.ndarray, "68 2"]:
    if shape.num_parts != 68:
        raise InputError(f"edges.options.predictor_weights: {name} predicts {shape.num_parts} points; 68 are needed")
    return np.array([(point.x, point.y) for point in shape.parts()], np.float32)


def _face(box: dlib.rectangle) -> faces.Face:
    return faces.Face(float(box.left()), float(box.top()), float(box.right()), float(box.bottom()))


def _box(face: faces.Face) -> dlib.rectangle:
    return dlib.rectangle(*(round(value) for value in (face.left, face.top, face.right, face.bottom)))
