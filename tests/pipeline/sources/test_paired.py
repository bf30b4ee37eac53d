"""Folders as vid2vid's example data sets have them: Cityscapes with subfolders, faces with keypoints, poses with two kinds of maps."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline import arrays, layout, palettes, params, pose_formats
from pipeline.clips import run_item
from pipeline.errors import InputError
from pipeline.extractors.instances import given
from pipeline.sources import open_item
from pipeline.sources.paired import check, items

ROAD, CAR, VOID = 3, 8, 11  # of the palette camvid


def source(**changes: object) -> params.Paired:
    return params.Paired(**{"kind": "paired", "path": ".", "palette": "camvid", "frames_per_second": 17.0, **changes})


def write(root: Path, folder: str, pictures: list[np.ndarray], name: str = "aachen_000000_{n:06d}_leftImg8bit.png") -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for n, picture in enumerate(pictures):
        Image.fromarray(picture).save(root / folder / name.format(n=n))


def texts(root: Path, folder: str, count: int, name: str) -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for n in range(count):
        (root / folder / name.format(n=n)).write_text("\n".join(["1.0,2.0"] * 68))


def frames(count: int) -> list[np.ndarray]:
    return [np.full((6, 8, 3), 10 * n, np.uint8) for n in range(count)]


def maps(count: int) -> list[np.ndarray]:
    """Road, with a car of two columns that moves; one pixel void."""
    found = []
    for n in range(count):
        label = np.full((6, 8), ROAD, np.uint8)
        label[2:4, n : n + 2] = CAR
        label[0, 0] = VOID
        found.append(label)
    return found


def instances(count: int) -> list[np.ndarray]:
    """As vid2vid has them: 255 = background, ids from 0; here of another number in each frame."""
    found = []
    for n in range(count):
        ids = np.full((6, 8), 255, np.uint8)
        ids[2:4, n : n + 2] = ids[0, 0] = n  # the label of 0, 0 is void
        found.append(ids)
    return found


def listed(root: Path) -> list[str]:
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


def sizes(root: Path) -> dict[str, int]:
    return {file: (root / file).stat().st_size for file in listed(root)}


@pytest.fixture
def cityscapes(tmp_path: Path) -> Path:
    for split, sequence, count in (("train", "seq0000", 4), ("train", "seq0001", 3), ("test", "stuttgart_00", 5)):
        write(tmp_path, f"{split}_A/{sequence}", maps(count))
        write(tmp_path, f"{split}_B/{sequence}", frames(count))
        write(tmp_path, f"{split}_inst/{sequence}", instances(count))
    return tmp_path


def test_a_subfolder_is_a_sequence_with_its_maps_and_instances(cityscapes):
    found = items(source(), listed(cityscapes))
    assert [item.name for item in found] == ["train-seq0000", "train-seq0001", "test-stuttgart_00"]
    footage = [open_item(item, cityscapes) for item in found]
    assert [(f.num_frames, f.test_from, f.frames_per_second) for f in footage] == [(4, 4, "17/1"), (3, 3, "17/1"), (5, 0, "17/1")]
    read = list(footage[0].frames)
    assert [int(frame.rgb[0, 0, 0]) for frame in read] == [0, 10, 20, 30]
    for n, frame in enumerate(read):
        assert frame.label is not None and frame.instance is not None
        assert frame.label[0, 0] == 255 and set(np.unique(frame.label)) == {ROAD, CAR, 255}
        np.testing.assert_array_equal(frame.instance, np.where(maps(4)[n] == CAR, n + 1, 0))


def test_one_sequence_may_lie_in_the_folder_itself(tmp_path):
    write(tmp_path, "train_A", maps(3))
    write(tmp_path, "train_B", frames(3))
    (item,) = items(source(), listed(tmp_path))
    assert (item.name, item.problem) == ("train", "")
    assert [frame.instance for frame in open_item(item, tmp_path).frames] == [None] * 3


def test_pairs_belong_together_by_their_order_where_their_names_have_nothing_in_common(tmp_path):
    """Frame 10 comes after frame 9."""
    write(tmp_path, "train_A/s", [np.full((6, 8), n, np.uint8) for n in range(11)], "label_{n:03d}.png")
    write(tmp_path, "train_B/s", frames(11), "{n}.png")
    (item,) = items(source(), listed(tmp_path))
    read = list(open_item(item, tmp_path).frames)
    assert [int(frame.rgb[0, 0, 0]) for frame in read] == [10 * n for n in range(11)]
    assert [int(frame.label[0, 0]) for frame in read] == list(range(11))


@pytest.mark.parametrize(
    ("gone", "sentence"),
    [
        (
            "train_A/seq0000/aachen_000000_000001_leftImg8bit.png",
            "train_A/seq0000 has 3 files, train_B/seq0000 has 4 frames: each frame needs one",
        ),
        ("train_inst/seq0000/aachen_000000_000001_leftImg8bit.png", "train_inst/seq0000 has 3 files, train_B/seq0000 has 4 frames"),
        ("train_B/seq0000/aachen_000000_000001_leftImg8bit.png", "train_A/seq0000 has 4 files, train_B/seq0000 has 3 frames"),
    ],
)
def test_other_counts_are_refused_with_both_numbers_and_the_other_sequences_go_on(cityscapes, gone, sentence):
    (cityscapes / gone).unlink()
    first, *others = items(source(), listed(cityscapes))
    assert sentence in first.problem
    assert [item.problem for item in others] == ["", ""]
    with pytest.raises(InputError, match="each frame needs one"):
        open_item(first, cityscapes)


def test_equal_counts_of_other_frames_are_no_pairs(cityscapes):
    (cityscapes / "train_A/seq0000/aachen_000000_000001_leftImg8bit.png").unlink()
    (cityscapes / "train_B/seq0000/aachen_000000_000002_leftImg8bit.png").unlink()
    first, *_ = items(source(), [file for file in listed(cityscapes) if "inst" not in file])
    assert (
        first.problem
        == "train_A/seq0000 and train_B/seq0000: only one of them has aachen_000000_000001_leftImg8bit, though they share other names"
    )


def test_a_map_of_another_size_and_an_unknown_id_are_named(cityscapes):
    path = cityscapes / "train_A/seq0000/aachen_000000_000001_leftImg8bit.png"
    for label, sentence in ((np.zeros((6, 9), np.uint8), "is 9x6, its frame 8x6"), (np.full((6, 8), 99, np.uint8), "label id 99")):
        Image.fromarray(label).save(path)
        first, *_ = items(source(), listed(cityscapes))
        with pytest.raises(InputError, match=f"{path.name}: {sentence}"):
            list(open_item(first, cityscapes).frames)


def test_folders_of_another_kind_are_refused_with_what_is_wanted(tmp_path):
    write(tmp_path, "frames", frames(2))
    with pytest.raises(InputError, match="there is no train_B, test_B, train_img or test_img with images in"):
        items(source(), listed(tmp_path))


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    write(tmp_path, "train_img/0001_00000", frames(3), "{n:05d}.jpg")
    texts(tmp_path, "train_keypoints/0001_00000", 3, "{n:05d}.txt")
    write(tmp_path, "test_img/0002_00000", frames(3), "{n:05d}.jpg")
    texts(tmp_path, "test_keypoints/0002_00000", 2, "{n:05d}.txt")
    return tmp_path


def test_frames_of_faces_come_with_their_landmarks_which_are_counted(faces):
    found = items(source(palette=None), listed(faces))
    wrong = "test_keypoints/0002_00000 has 2 files, test_img/0002_00000 has 3 frames: each frame needs one"
    assert [(item.name, item.problem) for item in found] == [("train-0001_00000", ""), ("test-0002_00000", wrong)]
    read = list(open_item(found[0], faces).frames)
    assert [frame.label for frame in read] == [None] * 3
    assert all((frame.landmarks == (1, 2)).all() for frame in read)
    findings = {finding.what: finding for finding in check(source(palette=None), sizes(faces), faces)}
    assert {what: (f.found, f.expected) for what, f in findings.items()} == {
        "train_img: frames": (3, None),
        "train_keypoints: files": (3, 3),
        "test_img: frames": (3, None),
        "test_keypoints: files": (2, 3),
    }
    assert findings["test_keypoints: files"].wrong == (
        "test_keypoints/0002_00000 has 2 files, test_img/0002_00000 has 3 frames: each frame needs one",
    )


def test_poses_are_counted_of_both_kinds(tmp_path):
    write(tmp_path, "train_img/dancer", frames(3), "frame{n:06d}.png")
    write(tmp_path, "train_densepose/dancer", frames(3), "frame{n:06d}.png")
    texts(tmp_path, "train_openpose/dancer", 3, "frame{n:06d}_keypoints.json")
    (tmp_path / "train_openpose/dancer/frame000001_keypoints.json").write_text("")
    found = {finding.what: finding for finding in check(source(palette=None), sizes(tmp_path), tmp_path)}
    assert {what: (f.found, f.expected) for what, f in found.items()} == {
        "train_img: frames": (3, None),
        "train_openpose: files": (3, 3),
        "train_densepose: files": (3, 3),
    }
    assert found["train_openpose: files"].wrong == ("train_openpose/dancer/frame000001_keypoints.json: is empty",)
    assert found["train_densepose: files"].wrong == ()


def test_landmarks_and_poses_go_into_the_clips_where_they_are_in_the_picture(tmp_path):
    """Frames of 64x48 become 32x24 and are cropped to 32x20: a point at the middle of its 2x2 pixels is then one pixel's middle."""
    write(tmp_path, "train_img", [np.zeros((48, 64, 3), np.uint8)] * 2, "{n}.png")
    face = np.full((68, 2), 20.5, np.float32)
    face[67] = np.nan
    people = np.zeros((2, 137, 3), np.float32)
    people[1, 4] = 10.5, 30.5, 0.75
    surface = np.zeros((48, 64, 3), np.uint8)
    surface[30:32, 10:12] = 3, 100, 200
    (tmp_path / "train_keypoints").mkdir()
    (tmp_path / "train_openpose").mkdir()
    for n, found in enumerate((people[:0], people)):
        np.savetxt(tmp_path / f"train_keypoints/{n}.txt", face + 2 * n, delimiter=",")
        pose_formats.write_openpose(tmp_path / f"train_openpose/{n}_keypoints.json", found)
    write(tmp_path, "train_densepose", [surface[..., ::-1]] * 2, "{n}_IUV.png")
    (item,) = items(source(palette=None), listed(tmp_path))
    run_item(item, tmp_path, tmp_path / "train_img", params.Clips(width=32, height=20, crop=None, frames=2, stride=None), {})
    landmarks = arrays.reading(layout.arrays(tmp_path / "train_img/train_000000", "edges"))["landmarks"]
    assert (landmarks.shape, landmarks.dtype) == ((2, 68, 2), np.float32)
    assert landmarks[1][0].tolist() == [11, 9] and np.isnan(landmarks[1][67]).all()
    pose = arrays.reading(layout.arrays(tmp_path / "train_img/train_000000", "pose"))
    assert pose["keypoints"].shape == (2, 2, 137, 3) and not pose["keypoints"][0].any()
    assert pose["keypoints"][1][1, 4].tolist() == [5, 13, 0.75] and np.count_nonzero(pose["keypoints"][1]) == 3
    assert pose["iuv"][0][13, 5].tolist() == [3, 100, 200] and np.count_nonzero(pose["iuv"][0]) == 3


def test_a_surface_of_another_size_is_named_with_both_sizes(tmp_path):
    write(tmp_path, "train_img", frames(1), "{n}.png")
    write(tmp_path, "train_densepose", [np.zeros((7, 8, 3), np.uint8)], "{n}_IUV.png")
    (item,) = items(source(palette=None), listed(tmp_path))
    with pytest.raises(InputError, match="0_IUV.png: is 8x7, its frame 8x6"):
        list(open_item(item, tmp_path).frames)


def test_check_names_counts_and_damaged_frames_of_maps(cityscapes):
    (cityscapes / "train_B/seq0001/aachen_000000_000000_leftImg8bit.png").write_bytes(b"no image")
    (cityscapes / "test_inst/stuttgart_00/aachen_000000_000004_leftImg8bit.png").unlink()
    found = {finding.what: finding for finding in check(source(), sizes(cityscapes), cityscapes)}
    assert (found["train_A: files"].found, found["train_A: files"].expected, found["train_A: files"].wrong) == (7, 7, ())
    assert "is no readable image" in found["train_B: frames"].wrong[0]
    assert (found["test_inst: files"].found, found["test_inst: files"].expected) == (4, 5)


def test_clips_hold_the_truth_and_each_object_has_the_class_of_its_frame(tmp_path):
    """Id 0 is a car in the first frame and a person in the second: nothing links them."""
    person = 9
    labels = [np.full((32, 32), CAR, np.uint8), np.full((32, 32), person, np.uint8)]
    write(tmp_path, "train_A", labels)
    write(tmp_path, "train_B", [np.zeros((32, 32, 3), np.uint8)] * 2)
    write(tmp_path, "train_inst", [np.zeros((32, 32), np.uint8)] * 2)
    (item,) = items(source(), listed(tmp_path))
    p = params.Clips(width=32, height=32, crop=None, frames=2, stride=None)
    run_item(item, tmp_path, tmp_path / "train_B", p, {})
    clip = tmp_path / "train_B" / "train_000000"
    stored = arrays.reading(layout.arrays(clip, "segmentation"))
    assert stored.attributes["labelled_frames"] == [0, 1]
    assert palettes.from_attributes(stored.attributes["palette"]).name == "camvid"
    find = given.build(clip)
    for t, class_ in enumerate((CAR, person)):
        (found,) = find(np.zeros((1, 32, 32, 3), np.uint8), stored["label"][t : t + 1], range(t, t + 1))
        assert (found.linked, {n: thing.label for n, thing in found.things.items()}) == (False, {1: class_})
