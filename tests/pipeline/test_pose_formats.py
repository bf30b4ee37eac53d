"""Real files of OpenPose, DensePose and COCO are read and written again without loss."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline import pose_formats
from pipeline.errors import InputError
from pipeline.pose_points import MIDDLE_OF_HIPS, NECK


def test_a_real_openpose_file_is_written_again_with_equal_numbers(shared_data, tmp_path):
    real = shared_data / "frames/openpose_ref/test_keypoints.json"
    keypoints = pose_formats.read_openpose(real)
    assert (keypoints.shape, keypoints.dtype) == ((3, 137, 3), np.float32)
    pose_formats.write_openpose(tmp_path / "again.json", keypoints)
    assert json.loads((tmp_path / "again.json").read_text()) == json.loads(real.read_text())


def test_face_and_hands_of_openpose_have_their_places(tmp_path):
    groups = {"pose": (25, 1), "face": (70, 2), "hand_left": (21, 3), "hand_right": (21, 4)}
    someone = {f"{name}_keypoints_2d": [value] * (3 * count) for name, (count, value) in groups.items()}
    (tmp_path / "a.json").write_text(json.dumps({"version": 1.3, "people": [someone]}))
    (keypoints,) = pose_formats.read_openpose(tmp_path / "a.json")
    assert keypoints[:, 2].tolist() == [1] * 25 + [2] * 70 + [3] * 21 + [4] * 21
    pose_formats.write_openpose(tmp_path / "b.json", keypoints[None])
    assert json.loads((tmp_path / "b.json").read_text())["people"][0].items() >= someone.items()


def body(number: str, count: int) -> str:
    return f'{{"people": [{{"pose_keypoints_2d": [{", ".join([number] * count)}]}}]}}'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is no readable JSON"),
        ("[]", "has no list `people`"),
        (body("1", 54), "pose_keypoints_2d has 54 numbers, 75 are right"),
        ('{"people": [{}]}', "pose_keypoints_2d has no list of numbers, 75 are right"),
        (body("null", 75), "something else than numbers"),
        (body("1e999", 75), "something else than numbers"),
    ],
)
def test_other_json_is_refused_with_what_is_right(tmp_path, text, sentence):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=f"a.json: {sentence}"):
        pose_formats.read_openpose(tmp_path / "a.json")


def test_real_densepose_images_are_written_again_with_equal_pixels(shared_data, tmp_path):
    folder = shared_data / "frames/densepose_ref"
    iuv, people = pose_formats.read_iuv(folder / "demo_im_IUV.png"), pose_formats.read_inds(folder / "demo_im_INDS.png")
    assert iuv[..., 0].max() == 24 and iuv.shape == (*people.shape, 3)
    assert ((people > 0) == (iuv[..., 0] > 0)).mean() > 0.99
    pose_formats.write_iuv(tmp_path / "iuv.png", iuv)
    pose_formats.write_inds(tmp_path / "inds.png", people)
    for ours, theirs in (("iuv.png", "demo_im_IUV.png"), ("inds.png", "demo_im_INDS.png")):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / ours)), np.asarray(Image.open(folder / theirs)))


def test_what_is_no_densepose_image_is_refused(tmp_path):
    for array, sentence in ((np.full((4, 4, 3), 25, np.uint8), "parts are 0..24"), (np.zeros((4, 4), np.uint8), "three channels")):
        Image.fromarray(array).save(tmp_path / "a.png")
        with pytest.raises(InputError, match=sentence):
            pose_formats.read_iuv(tmp_path / "a.png")
    with pytest.raises(InputError, match="has one channel"):
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a.png")
        pose_formats.read_inds(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["test_coco.json", "test_coco_wholebody.json"])
def test_real_people_of_coco_are_written_again_with_equal_numbers(shared_data, name):
    path = shared_data / "frames/coco" / name
    written = json.loads(path.read_text())
    read = pose_formats.read_coco(path)
    assert sum(map(len, read.values())) == len(written["annotations"]) == 14
    for annotation in written["annotations"]:
        keypoints = pose_formats.from_coco(annotation)
        again = pose_formats.to_coco(keypoints)
        for group in again.keys() & annotation.keys():
            wanted = np.float32(annotation[group]).reshape(-1, 3)
            wanted[wanted[:, 2] <= 0] = 0  # a few have places of points that were not found
            np.testing.assert_array_equal(np.float32(again[group]).reshape(-1, 3), wanted)
        left, right = keypoints[5], keypoints[2]
        if left[2] > 0 and right[2] > 0:
            np.testing.assert_allclose(keypoints[NECK, :2], (left + right)[:2] / 2)


def test_left_and_right_of_a_person_who_stands_in_front_are_not_mixed_up(shared_data):
    """Somebody who faces the camera has the left hip right in the picture, in COCO as in OpenPose's own output."""
    (front, *_) = pose_formats.read_openpose(shared_data / "frames/openpose_ref/test_keypoints.json")
    coco = np.float32(pose_formats.to_coco(front)["keypoints"]).reshape(17, 3)
    assert coco[5, 0] > coco[6, 0] and coco[11, 0] > coco[12, 0] and coco[1, 0] > coco[2, 0]
    assert coco[0, 1] < coco[5, 1] < coco[11, 1] < coco[13, 1] < coco[15, 1]  # nose, shoulder, hip, knee, ankle
    back = pose_formats.from_coco({"keypoints": coco.ravel().tolist()})
    np.testing.assert_allclose(back[MIDDLE_OF_HIPS, :2], front[MIDDLE_OF_HIPS, :2], atol=3)  # OpenPose's own is near the middle


def test_landmarks_are_68_lines_and_nothing_else(tmp_path):
    path: Path = tmp_path / "a.txt"
    path.write_text("\n".join(f"{n}.5,{2 * n}" for n in range(67)) + "\nnan,nan")
    points = pose_formats.read_landmarks(path)
    assert points[66].tolist() == [66.5, 132] and np.isnan(points[67]).all()
    for text, sentence in (("1,2\n3,4", "has 2 lines of 2 numbers; a face has 68"), ("1,a", "are no `x,y`")):
        path.write_text(text)
        with pytest.raises(InputError, match=sentence):
            pose_formats.read_landmarks(path)
