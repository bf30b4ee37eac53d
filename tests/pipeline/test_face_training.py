"""Whole small trainings with a discriminator of faces: on the street of stripes, whose car is a body with a head."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from mapped_clips import STRIDES
from safetensors.torch import load_file

from models.discriminator_input import Spot
from pipeline import layout, train
from pipeline.batch import Batch
from pipeline.dataset import read_index
from pipeline.maps import MapFolders, MapKind
from pipeline.schedule import Schedule
from pipeline.windows import Folders, Windows
from tests.pipeline.test_report import TRAINING
from tests.pipeline.test_training import EVERYTHING, TINY, Folder, Killed, files, kill_in_step, section, terms

FACES: dict[str, Any] = {
    "generator": {**TINY["generator"], "foreground": False},
    "face_discriminator": {"width": 4, "layers": 2, "scales": 1, "side": 0.25},
}
OF_FACES = {f"face_{name}" for name in ("gan", "feature_matching", "real", "fake")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("dancers"), {"iuv"})


@pytest.fixture(scope="module")
def headless(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("headless"), {"iuv"}, headless="abc")
