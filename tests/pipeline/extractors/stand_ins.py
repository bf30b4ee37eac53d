"""What cannot be had here: a module with pyopenpose's documented API that replays people and notes what it is asked; trained weights."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PYOPENPOSE = """
import json
import numpy as np

OPTIONS, IMAGES, STARTED = {}, [], []
PEOPLE = []  # as in OpenPose's JSON
FACE = None  # np.ndarray (people, 70, 3), as are the hands: (people, 21, 3) each
HANDS = None

class Datum:
    cvInputData = poseKeypoints = faceKeypoints = handKeypoints = None

class VectorDatum(list):
    pass

class WrapperPython:
    def configure(self, options):
        OPTIONS.clear()
        OPTIONS.update(options)

    def start(self):
        STARTED.append(dict(OPTIONS))

    def emplaceAndPop(self, data):
        assert isinstance(data, VectorDatum) and STARTED
        for datum in data:
            IMAGES.append(datum.cvInputData.copy())
            if PEOPLE:
                datum.poseKeypoints = np.float32([person["pose_keypoints_2d"] for person in PEOPLE]).reshape(-1, 25, 3)
                datum.faceKeypoints, datum.handKeypoints = FACE, HANDS
"""


@contextmanager
def pyopenpose(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """The stand-in, importable under the real name while the block lasts."""
    (folder / "pyopenpose.py").write_text(PYOPENPOSE)
    monkeypatch.syspath_prepend(folder)
    _forget()
    import pyopenpose as module

    yield module
    _forget()


def _forget() -> None:
    for name in ("pyopenpose", "pipeline.extractors.pose.openpose", "pipeline.extractors.pose.densepose_and_openpose"):
        sys.modules.pop(name, None)


def densepose_weights(folder: Path) -> Path:
    """Random ones; with the backbone's halved there are detections."""
    import torch
    from detectron2.modeling import build_model

    from pipeline.extractors.pose.densepose import configuration

    torch.manual_seed(0)
    state = build_model(configuration("R_50_FPN_s1x", 0.0, "cpu")).state_dict()
    halved = {name: weight / 2 if name.startswith("backbone") and name.endswith("weight") else weight for name, weight in state.items()}
    torch.save({"model": halved}, folder / "densepose.pth")
    return folder / "densepose.pth"
