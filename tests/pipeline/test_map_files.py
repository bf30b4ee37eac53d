"""Plain files of maps, against what the stages store of the same maps."""

import json
from pathlib import Path

import numpy as np
import pytest
from finished_journey import CAR, PALETTE, street
from mapped_clips import MappedClips
from PIL import Image

from pipeline import arrays, face_sketch, layout, pose_formats
from pipeline.errors import InputError
from pipeline.map_files import MapFiles, is_video
from pipeline.maps import ClipMaps, MapKind

FRAMES = 3
STREET = MapKind(PALETTE, True, 0, 0)
FACE, LINES, SURFACE, POINTS = (MapKind(None, False, edges, pose) for edges, pose in ((15, 0), (1, 0), (0, 3), (0, 3)))
LANDMARKS = np.stack([np.linspace(8, 40, 68), 14 + 8 * np.sin(np.arange(68))], axis=1).astype(np.float32)


def image(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def plain(folder: Path, *names: str) -> Path:
    """Maps of the street of stripes, as people have them: not numbered with leading zeros."""
    for t, frame in enumerate(street(0, FRAMES)):
        car = (frame.label == CAR).astype(np.uint8)
        pictures = {
            "labels": frame.label,
            "instances": np.where(frame.instance > 0, frame.instance + 4, 255).astype(np.uint8),
            "edges": 255 * car,
            "densepose": np.dstack([car * 9, car * 7, car * 5]),
            "images": frame.rgb,
        }
        for name in set(names) & pictures.keys():
            image(folder / name / f"{t + 9}.png", pictures[name])
        if "landmarks" in names:
            (folder / "landmarks").mkdir(parents=True, exist_ok=True)
            np.savetxt(folder / "landmarks" / f"{t + 9}.txt", LANDMARKS + t, delimiter=",")
        if "openpose" in names:
            (folder / "openpose").mkdir(parents=True, exist_ok=True)
            pose_formats.write_openpose(folder / "openpose" / f"{t + 9}_keypoints.json", people(t))
    return folder


def people(count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(1, 30, (count, 137, 3)).astype(np.float32)


def stored(folder: Path, trained_on: MapKind, min_pixels: int = 1) -> ClipMaps:
    files, out = MapFiles.of(folder), folder / "stored"
    out.mkdir()
    kind = files.kind(trained_on)
    folders = files.store(out, kind, min_pixels)
    assert MapKind.of(folders) == kind
    return ClipMaps(folders, kind)


def test_label_and_instance_images_are_what_the_stages_store(tmp_path):
    clips = MappedClips(tmp_path / "stages", {"labels"})
    clips.add("a", "test", FRAMES)
    staged = ClipMaps(clips.map_folders().of("a"), STREET)
    maps = stored(plain(tmp_path / "plain", "labels", "instances"), STREET)
    assert len(maps) == FRAMES
    np.testing.assert_array_equal(maps.labels(range(FRAMES)), staged.labels(range(FRAMES)))
    np.testing.assert_array_equal(maps.instances(range(FRAMES)) > 0, staged.instances(range(FRAMES)) > 0)


def test_void_has_no_label_and_no_instance(tmp_path):
    void = PALETTE.void[0]
    image(tmp_path / "labels/0.png", np.full((8, 8), void, np.uint8))
    image(tmp_path / "instances/0.png", np.full((8, 8), 7, np.uint16))
    maps = stored(tmp_path, STREET)
    assert (maps.labels([0]) == 255).all() and not maps.instances([0]).any()


def test_instance_images_of_16_bits_keep_their_ids(tmp_path):
    image(tmp_path / "labels/0.png", np.full((8, 8), CAR, np.uint8))
    ids = np.arange(64, dtype=np.uint16).reshape(8, 8) * 255
    image(tmp_path / "instances/0.png", ids)
    np.testing.assert_array_equal(stored(tmp_path, STREET).instances([0])[0], ids)


def test_without_instance_images_what_touches_of_one_class_is_one_thing(tmp_path):
    label = np.zeros((16, 16), np.uint8)
    label[2:6, 2:6], label[2:6, 9:12], label[12, 12] = CAR, CAR, CAR
    image(tmp_path / "labels/0.png", label)
    ids = stored(tmp_path, STREET, min_pixels=2).instances([0])[0]
    assert len({*ids[2:6, 2:6].ravel()}) == len({*ids[2:6, 9:12].ravel()}) == 1
    assert ids[2, 2] != ids[2, 9] and ids[2, 2] * ids[2, 9] > 0 and np.count_nonzero(ids) == 16 + 12


def test_a_generator_without_instances_is_given_none(tmp_path):
    without = MapKind(PALETTE, False, 0, 0)
    assert MapFiles.of(plain(tmp_path / "labels alone", "labels")).kind(without) == without
    assert MapFiles.of(plain(tmp_path / "both", "labels", "instances")).kind(without) == STREET


def test_lines_and_faces_and_bodies_are_drawn_as_by_the_stages(tmp_path):
    frames = list(street(0, FRAMES))
    lines = stored(plain(tmp_path / "lines", "edges"), LINES)
    np.testing.assert_array_equal(lines.edges(range(FRAMES))[..., 0] > 0, np.stack([frame.label == CAR for frame in frames]))
    face = stored(plain(tmp_path / "face", "landmarks", "images"), FACE)
    np.testing.assert_array_equal(face.edges([1])[0], face_sketch.draw(frames[1].rgb, LANDMARKS + 1))
    body = stored(plain(tmp_path / "body", "densepose"), SURFACE)
    assert body.poses([2])[0][frames[2].label == CAR].tolist() == [[round(5 * 255 / 24), 7, 9]] * (frames[2].label == CAR).sum()


def test_everybody_in_openposes_files_is_drawn_and_nobody_where_there_is_nobody(tmp_path):
    maps = stored(plain(tmp_path, "openpose", "images"), POINTS)
    keypoints = arrays.reading(layout.arrays(tmp_path / "stored", "pose"))["keypoints"]
    assert keypoints.shape == (FRAMES, FRAMES - 1, 137, 3)
    np.testing.assert_array_equal(keypoints[2], people(2))
    np.testing.assert_array_equal(keypoints[1], [people(1)[0], np.zeros((137, 3))])
    drawn = maps.poses(range(FRAMES)).any(axis=(1, 2, 3))
    assert drawn.tolist() == [False, True, True]


def removed(*files: str):
    return lambda folder: [(folder / file).unlink() for file in files]


def replaced(file: str, values: np.ndarray):
    return lambda folder: image(folder / file, values)


@pytest.mark.parametrize(
    ("names", "change", "sentence"),
    [
        (("labels", "instances"), removed("instances/9.png"), "instances has 2 files, labels 3: each frame needs one of both"),
        (
            ("labels", "densepose"),
            lambda folder: (folder / "labels/11.png").rename(folder / "labels/12.png"),
            "of densepose and labels only one has 11, though they share other names",
        ),
        (("labels",), replaced("labels/10.png", np.zeros((8, 9), np.uint8)), r"labels/10.png: is 9x8, its frame 48x32"),
        (("labels", "instances"), replaced("instances/10.png", np.zeros((8, 9), np.uint8)), "instances/10.png: is 9x8, the video's first"),
        (("labels",), replaced("labels/10.png", np.full((32, 48), 99, np.uint8)), "label id 99 at x=0 y=0 is not in palette camvid"),
        (("labels",), replaced("labels/10.png", np.zeros((32, 48, 3), np.uint8)), "a label image has one channel of 8 bits"),
        (("labels", "instances"), replaced("instances/9.png", np.zeros((32, 48, 3), np.uint8)), "an instance image has one channel of ids"),
        (("edges",), replaced("edges/10.png", np.ones((32, 48), np.uint8)), "lines are 255 and all else is 0"),
        (("edges",), replaced("edges/10.png", np.zeros((32, 48, 3), np.uint8)), "lines are 255 and all else is 0"),
        (("edges",), lambda folder: (folder / "edges/10.png").write_bytes(b"no image"), "edges/10.png: is no readable image"),
        (("densepose",), replaced("densepose/10.png", np.full((32, 48, 3), 99, np.uint8)), "its blue channel has 99"),
        (("openpose",), lambda folder: None, "nothing there says how large frames are: put the video's own into .*/images"),
        (("openpose", "images"), lambda folder: (folder / "openpose/10_keypoints.json").write_text("{"), "is no readable JSON"),
        (("landmarks",), lambda folder: None, "has landmarks and no images"),
        (
            ("landmarks", "images"),
            lambda folder: np.savetxt(folder / "landmarks/10.txt", np.full((68, 2), np.nan), delimiter=","),
            "landmarks/10.txt: has points that were not found",
        ),
        (
            ("labels",),
            lambda folder: [path.rename(path.with_suffix(".txt")) for path in (folder / "labels").iterdir()],
            "has no files that",
        ),
    ],
)
def test_files_that_are_no_maps_or_do_not_fit_are_refused_in_one_sentence(tmp_path, names, change, sentence):
    change(plain(tmp_path, *names))
    with pytest.raises(InputError, match=sentence) as refused:
        stored(tmp_path, MapKind(PALETTE if "labels" in names else None, "instances" in names, 0, 0))
    assert "\n" not in str(refused.value)


def test_a_folder_is_a_video_where_it_has_maps(tmp_path):
    assert is_video(plain(tmp_path / "a", "edges")) and not is_video(plain(tmp_path / "b", "images")) and not is_video(tmp_path)


@pytest.mark.parametrize("where", ["openpose_ref", "densepose_ref"])
def test_files_of_the_tools_themselves_are_read(shared_data, tmp_path, where):
    """One frame that OpenPose, and one that DensePose wrote."""
    source = shared_data / "frames" / where
    name, file = ("openpose", "test_keypoints.json") if where == "openpose_ref" else ("densepose", "demo_im_IUV.png")
    (tmp_path / name).mkdir()
    (tmp_path / name / file).write_bytes((source / file).read_bytes())
    if name == "openpose":
        (tmp_path / "images").mkdir()
        (tmp_path / "images/test.png").write_bytes((source / "test.png").read_bytes())
        assert len(json.loads((source / file).read_text())["people"]) > 0
    assert (stored(tmp_path, SURFACE).poses([0]) > 0).mean() > 0.001
