"""The adapter of OpenPose against a stand-in that replays real output, and, where it is installed, against the real thing."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from pipeline import extractors, params, pose_formats
from pipeline.errors import InputError
from pipeline.plan import _with_hashes
from tests.pipeline.extractors.stand_ins import pyopenpose


def section(**options: object) -> params.Pose:
    return params.Pose(backend="openpose", options=options, people=1, batch_size=1, carry=0, missing="cut")


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    (folder / "pose").mkdir(parents=True)
    (folder / "pose/body.caffemodel").write_bytes(b"weights")
    return folder


@pytest.fixture
def openpose(tmp_path, monkeypatch):
    with pyopenpose(tmp_path, monkeypatch) as module:
        yield module


def test_real_people_are_replayed_and_the_picture_was_bgr(shared_data, models, openpose):
    folder = shared_data / "frames/openpose_ref"
    openpose.PEOPLE = json.loads((folder / "test_keypoints.json").read_text())["people"]
    rgb = np.asarray(Image.open(folder / "test.png").convert("RGB"))
    poses = extractors.load(section(folder_weights=str(models), net_resolution="-1x160", hands=False), clips=models, device="cpu")
    (people,) = poses.find(rgb[None], range(1))
    np.testing.assert_array_equal(np.stack([p.keypoints for p in people]), pose_formats.read_openpose(folder / "test_keypoints.json"))
    np.testing.assert_array_equal(openpose.IMAGES[0], rgb[..., ::-1])
    assert [
        {"model_folder": f"{models}/", "model_pose": "BODY_25", "net_resolution": "-1x160", "face": True, "hand": False}
    ] == openpose.STARTED
    assert (poses.keypoints, poses.surface) == (True, False)


def test_face_and_both_hands_have_their_places(models, openpose):
    openpose.PEOPLE = [{"pose_keypoints_2d": [1.0] * 75}] * 2
    openpose.FACE = np.full((2, 70, 3), 2, np.float32)
    openpose.HANDS = [np.full((2, 21, 3), 3, np.float32), np.full((2, 21, 3), 4, np.float32)]
    openpose.FACE[:, 7] = 5, 5, 0  # not found
    poses = extractors.load(section(folder_weights=str(models)), clips=models, device="cpu")
    (people,) = poses.find(np.zeros((1, 16, 16, 3), np.uint8), range(1))
    assert len(people) == 2
    wanted = [1] * 25 + [2] * 70 + [3] * 21 + [4] * 21
    wanted[25 + 7] = 0
    assert people[1].keypoints[:, 0].tolist() == wanted


def test_nobody_is_an_empty_list(models, openpose):
    poses = extractors.load(section(folder_weights=str(models)), clips=models, device="cpu")
    assert poses.find(np.zeros((2, 16, 16, 3), np.uint8), range(2)) == [[], []]


def test_the_folder_of_models_counts_by_what_is_in_it(models, tmp_path):
    def hashed(folder):
        return _with_hashes({"options": {"folder_weights": str(folder)}}, "pose")["options"]["folder_weights"]

    before = hashed(models)
    moved = models.rename(tmp_path / "elsewhere")
    assert hashed(moved) == before and len(before) == 64
    (moved / "pose/body.caffemodel").write_bytes(b"others!")
    assert hashed(moved) != before
    (moved / "pose/body.caffemodel").write_bytes(b"weights")
    (moved / "pose/body.caffemodel").rename(moved / "body.caffemodel")
    assert hashed(moved) != before


def test_a_folder_that_is_not_there_or_empty_is_refused(tmp_path):
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(InputError, match="pose.options.folder_weights: .* is no folder with files"):
            _with_hashes({"options": {"folder_weights": str(path)}}, "pose")


@pytest.mark.skipif(find_spec("pyopenpose") is not None, reason="pyopenpose is installed")
@pytest.mark.parametrize("backend", ["openpose", "densepose_and_openpose"])
def test_without_the_library_the_run_is_refused_before_any_work_and_says_so(backend):
    missing = "detectron2|pyopenpose" if backend != "openpose" else "pyopenpose"
    with pytest.raises(InputError, match=f"pose.backend {backend} needs (detectron2-densepose|{missing}), which is not installed"):
        extractors.check(section().model_copy(update={"backend": backend}))


@pytest.mark.openpose
@pytest.mark.skipif(find_spec("pyopenpose") is None, reason="pyopenpose is not installed: OpenPose itself is not run")
def test_the_real_openpose_finds_the_person_of_the_photo_again(shared_data, monkeypatch):
    import os

    folder = shared_data / "frames/openpose_ref"
    rgb = np.asarray(Image.open(folder / "test.png").convert("RGB"))
    poses = extractors.load(section(folder_weights=os.environ["OPENPOSE_MODELS"], face=False, hands=False), clips=folder, device="cpu")
    (people,) = poses.find(rgb[None], range(1))
    (wanted, *_) = pose_formats.read_openpose(folder / "test_keypoints.json")
    nearest = min(np.abs(person.keypoints[:25, :2] - wanted[:25, :2]).max() for person in people)
    assert nearest < 15
