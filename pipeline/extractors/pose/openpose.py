"""OpenPose by its own Python module: BODY_25, face and hands. Built from its source, with the folder of the built module itself
on PYTHONPATH (docs/models.md); its models lie in a folder."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyopenpose
from jaxtyping import Float32, UInt8

from pipeline.errors import InputError, one_line
from pipeline.extractors.pose import Person, Poses
from pipeline.pose_points import BODY, FACE, LEFT_HAND, POINTS, RIGHT_HAND
from pipeline.weights import path_of, version_of

WHERE = "pose.options.folder_weights"


def build(folder_weights: str, net_resolution: str = "-1x368", face: bool = True, hands: bool = True) -> Poses:
    """`folder_weights`: OpenPose's folder `models`. `net_resolution`: width x height, multiples of 16; -1 = as the picture's sides are."""
    models = path_of(folder_weights, WHERE)
    wrapper = _started(models, version_of(models), net_resolution, face, hands)

    def find(rgb: UInt8[np.ndarray, "b h w 3"], frames: range) -> list[list[Person]]:
        return [_people(wrapper, frame) for frame in rgb]

    return Poses(find, keypoints=True, surface=False)


def _people(wrapper: Any, rgb: UInt8[np.ndarray, "h w 3"]) -> list[Person]:
    datum = pyopenpose.Datum()
    datum.cvInputData = np.ascontiguousarray(rgb[..., ::-1])  # BGR
    wrapper.emplaceAndPop(pyopenpose.VectorDatum([datum]))
    keypoints = np.zeros((len(_points(datum.poseKeypoints)), POINTS, 3), np.float32)
    left, right = datum.handKeypoints if datum.handKeypoints is not None else (None, None)
    for where, given in ((BODY, datum.poseKeypoints), (FACE, datum.faceKeypoints), (LEFT_HAND, left), (RIGHT_HAND, right)):
        if len(points := _points(given)):
            keypoints[:, where] = np.where(points[..., 2:] > 0, points, 0)
    return [Person(person, None, float(person[BODY, 2].mean())) for person in keypoints]


def _points(given: np.ndarray | None) -> Float32[np.ndarray, "person n 3"]:
    """Nobody is None in some versions, an empty array in others."""
    return given if given is not None and np.ndim(given) == 3 else np.zeros((0, 0, 3), np.float32)


@lru_cache(maxsize=1)
def _started(models: Path, version: tuple[tuple[str, int, int], ...], net_resolution: str, face: bool, hands: bool) -> Any:
    """Once in each worker, and again when the folder is another `version`."""
    wrapper = pyopenpose.WrapperPython()
    wrapper.configure(
        {"model_folder": f"{models}/", "model_pose": "BODY_25", "net_resolution": net_resolution, "face": face, "hand": hands}
    )
    try:
        wrapper.start()
    except RuntimeError as error:
        raise InputError(f"{WHERE}: OpenPose does not start with {models} ({one_line(error)})") from None
    return wrapper
