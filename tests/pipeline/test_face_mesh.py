"""The face mesh on real pictures: no other file of its architecture can be made here."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline import faces, video
from pipeline.errors import InputError
from pipeline.face_mesh import TABLE, FaceMesh, Square, around_points

MIRRORED = [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
MIRRORED += [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
"""Which landmark each one is in a mirror."""


@pytest.fixture(scope="module")
def mesh(shared_data: Path) -> FaceMesh:
    return FaceMesh(shared_data / "weights" / "face_landmark_468.tflite")


@pytest.fixture(scope="module")
def talking(shared_data: Path) -> np.ndarray:
    """Some frames of a talking face."""
    return np.stack(list(video.frames(shared_data / "clips/face/face_talk_512x480.mp4"))[:200:40])


def landmarks_of(rgb: np.ndarray, mesh: FaceMesh, shared_data: Path) -> np.ndarray:
    ((face,),) = faces.looks([rgb], 1, shared_data / "weights" / "yunet_n_640_640.onnx").values()
    found = mesh.landmarks(rgb, face)
    assert found is not None
    return found


def eye_distance(points: np.ndarray) -> float:
    """Between the outer corners."""
    return float(np.linalg.norm(points[36] - points[45]))


def test_the_table_names_sixty_eight_different_points_in_order():
    table = pd.read_csv(TABLE)
    assert table["point"].tolist() == list(range(68))
    assert table["mesh"].is_unique and table["mesh"].between(0, 467).all()


def test_the_square_is_seen_upright_in_the_networks_pixels():
    """Its centre lies between the middle pixels; a point half a side along its own x axis at the right edge."""
    square = Square(100.0, 50.0, 96.0, float(np.radians(30)))
    there = square.from_picture()
    np.testing.assert_allclose(there @ [100, 50, 1], [95.5, 95.5], atol=1e-3)
    np.testing.assert_allclose(there @ [100 + 48 * np.cos(np.pi / 6), 50 + 48 * np.sin(np.pi / 6), 1], [191.5, 95.5], atol=1e-3)


def test_the_square_around_points_is_upright_to_the_eyes_however_they_are_turned():
    """A rectangle of 80x40 pixels, turned by 25 degrees about its middle, with the outer eye corners on its long sides' line."""
    upright = np.random.default_rng(0).uniform((-40, -20), (40, 20), (468, 2))
    upright[:4] = (-40, -20), (40, -20), (40, 20), (-40, 20)
    upright[[33, 263]] = (-30, -5), (30, -5)
    c, s = np.cos(np.radians(25)), np.sin(np.radians(25))
    square = around_points((upright @ np.array([[c, s], [-s, c]]) + (300, 200)).astype(np.float32))
    assert (square.x, square.y, square.side, np.degrees(square.roll)) == pytest.approx((300, 200, 1.5 * 80, 25), abs=1e-3)


def test_a_mirrored_face_has_the_mirrored_landmarks(mesh, talking, shared_data):
    """Within 2 % of the distance of the eyes; and none of it to one side, as half a pixel of the network's would be (1 %)."""
    aside = []
    for rgb in talking:
        points = landmarks_of(rgb, mesh, shared_data)
        mirrored = landmarks_of(np.ascontiguousarray(rgb[:, ::-1]), mesh, shared_data)[MIRRORED]
        error = (np.array([rgb.shape[1] - 1, 0]) + mirrored * (-1, 1) - points) / eye_distance(points)
        assert np.linalg.norm(error, axis=1).mean() < 0.025
        aside.append(error[:, 0].mean())
    assert abs(np.mean(aside)) < 0.005


def test_a_tilted_face_has_the_tilted_landmarks(mesh, talking, shared_data):
    for rgb, degrees in zip(talking, (-35, -20, 20, 35, 10), strict=True):
        turn = cv2.getRotationMatrix2D((256, 240), degrees, 0.8)
        points = landmarks_of(rgb, mesh, shared_data)
        tilted = landmarks_of(cv2.warpAffine(rgb, turn, (512, 480)), mesh, shared_data)
        error = np.linalg.norm(tilted - (points @ turn[:, :2].T + turn[:, 2]), axis=1)
        assert error.mean() < 0.03 * 0.8 * eye_distance(points)


def test_landmarks_lie_where_people_marked_them(mesh, shared_data):
    """Small faces of COCO photos (14 to 17 pixels between the outer eye corners), one of them seen from the side."""
    errors = []
    for rgb, truth in marked_faces(shared_data):
        middle, seen = truth.mean(axis=0), faces.looks([rgb], 1, shared_data / "weights" / "yunet_n_640_640.onnx")[0]
        face = min(
            seen, key=lambda face: float(np.hypot((face.left + face.right) / 2 - middle[0], (face.top + face.bottom) / 2 - middle[1]))
        )
        points = mesh.landmarks(rgb, face)
        errors.append(np.linalg.norm(points - truth, axis=1).mean() / eye_distance(truth))
    assert len(errors) == 3
    assert max(errors) < 0.12 and np.mean(errors) < 0.09


def marked_faces(shared_data: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    folder = shared_data / "frames" / "coco"
    told = json.loads((folder / "test_coco_wholebody.json").read_text())
    names = {image["id"]: folder / image["file_name"] for image in told["images"]}
    return [
        (cv2.cvtColor(cv2.imread(str(names[about["image_id"]])), cv2.COLOR_BGR2RGB), np.reshape(about["face_kpts"], (68, 3))[:, :2])
        for about in told["annotations"]
        if about["face_valid"] and names[about["image_id"]].is_file()
    ]


@pytest.mark.parametrize("look", ["noise", "black", "a wall"])
def test_where_there_is_no_face_there_are_no_landmarks(mesh, talking, look):
    picture = {"noise": np.random.default_rng(0).integers(0, 256, (480, 512, 3), np.uint8), "black": np.zeros((480, 512, 3), np.uint8)}
    assert mesh.landmarks(picture.get(look, talking[0]), faces.Face(400.0, 10.0, 500.0, 110.0)) is None


@pytest.mark.parametrize("content", ["nothing", "another network", "half a file"])
def test_a_file_without_the_network_is_refused_in_one_sentence(content, tmp_path, shared_data):
    weights = shared_data / "weights"
    data = {
        "nothing": b"no network" * 100,
        "another network": (weights / "yunet_n_640_640.onnx").read_bytes(),
        "half a file": (weights / "face_landmark_468.tflite").read_bytes()[:600_000],
    }
    (tmp_path / "mesh.tflite").write_bytes(data[content])
    with pytest.raises(InputError, match=r"mesh\.tflite: holds no face mesh of MediaPipe's \(\.tflite, 468 points\)") as refused:
        FaceMesh(tmp_path / "mesh.tflite")
    assert "\n" not in str(refused.value)
