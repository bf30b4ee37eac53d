"""Landmarks of the main face by two small networks run by OpenCV, on the CPU: YuNet finds the face, MediaPipe's face mesh its points."""

import numpy as np
from jaxtyping import Float32

from pipeline import faces, weights
from pipeline.extractors.edges import Frames, Landmarks
from pipeline.face_mesh import FaceMesh
from pipeline.overlap import ahead

STEADY = 2.0
"""Deviation in frames of the Gaussian that smooths a face's box: without, the points follow its jitter."""

LOST = 10
"""Frames in a row in which YuNet may miss a face, and the face mesh is asked whether it is there."""


def build(face_weights: str, landmark_weights: str) -> Landmarks:
    """Of YuNet (.onnx) and of the 468-point face mesh (.tflite)."""
    detector = weights.path_of(face_weights, "edges.options.face_weights")
    mesh = FaceMesh(weights.path_of(landmark_weights, "edges.options.landmark_weights"))

    def locate(frames: Frames) -> Float32[np.ndarray, "t 68 2"]:
        seen = faces.looks(ahead(frames()), 1, detector)
        way = faces.steady(faces.main_person(seen), range(len(seen)), LOST, STEADY)
        points = np.full((len(seen), 68, 2), np.nan, np.float32)
        for t, rgb in enumerate(ahead(frames())):
            if t in way and (found := mesh.landmarks(rgb, way[t])) is not None:
                points[t] = found
        return points

    return Landmarks(locate)
