"""Folders in the official layouts of FaceForensics and FaceForensics++; the faces are a real person's, or drawn and found by a stand-in."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import arrays, before_work, clips, layout, manifest, new_dataset, params, plan, prepare, runner, video
from pipeline.errors import InputError
from pipeline.faces import Face
from pipeline.journey import STAGES
from pipeline.params_file import load
from pipeline.sources import Box, Item, open_item
from pipeline.sources.faceforensics import check, is_for_testing, items, person
from pipeline.store import Store
from tests.conftest import REPOSITORY

FOLDER = "original_sequences/youtube/c23/videos"
SKETCHES = "    edges:\n      backend: face_sketch\n      options: {face_weights: yunet-n-640, landmark_weights: mediapipe-face_landmark}\n"
OFFICIAL = [
    *(f"original_sequences/youtube/{quality}/videos/{n:03d}.mp4" for quality in ("raw", "c23", "c40") for n in range(1000)),
    *(f"manipulated_sequences/Deepfakes/c23/videos/{n:03d}_{n + 1:03d}.mp4" for n in range(0, 1000, 2)),
    "original_sequences/youtube/c23/masks/videos/000.mp4",
]


def source(**changes: object) -> params.FaceForensics:
    values = {
        "kind": "faceforensics",
        "path": ".",
        "frames_per_second": None,
        "scene_threshold": None,
        "folders": [FOLDER],
        "splits": None,
        "test_share": 0.1,
        "face_weights": "yunet.onnx",
        "face_every": 5,
        "face_lost": 0,
        "face_enlarge": 2.5,
        "face_follow": None,
    }
    return params.FaceForensics(**{**values, **changes})


def split_of(found: list[Item]) -> dict[str, str]:
    return {item.name: item.parameters["split"] for item in found}


def test_only_originals_of_the_named_quality_are_taken():
    found = items(source(), OFFICIAL)
    assert [item.files for item in found] == [(f"{FOLDER}/{n:03d}.mp4",) for n in range(1000)]
    assert [item.name for item in found[:2]] == ["000", "001"]


def test_the_share_of_test_videos_is_about_what_was_asked_and_stays_when_videos_come():
    splits = split_of(items(source(), OFFICIAL))
    assert 70 <= list(splits.values()).count("test") <= 130  # 100 expected, its standard deviation is 9.5
    fewer = split_of(items(source(), [file for file in OFFICIAL if not file.endswith("7.mp4")]))
    assert fewer == {name: split for name, split in splits.items() if not name.endswith("7")}
    assert set(split_of(items(source(test_share=0.0), OFFICIAL)).values()) == {"train"}
    assert set(split_of(items(source(test_share=1.0), OFFICIAL)).values()) == {"test"}


def test_a_larger_share_only_adds_test_videos():
    small, large = (
        {name for name, split in split_of(items(source(test_share=share), OFFICIAL)).items() if split == "test"} for share in (0.1, 0.3)
    )
    assert small < large


@pytest.mark.parametrize(
    ("file", "whom"),
    [
        ("train/original/-PMjPTgYiuE_0_JKsfXX792AU_3.avi", "-PMjPTgYiuE"),
        ("val/original/-PMjPTgYiuE_12.avi", "-PMjPTgYiuE"),
        ("original_sequences/actors/c23/videos/01__walking_outside_cafe_disgusted.mp4", "01"),
        ("original_sequences/youtube/c23/videos/003.mp4", "003"),
        ("mine/interview 2.mp4", "interview 2"),
    ],
)
def test_a_persons_videos_are_known_by_their_names(file, whom):
    assert person(file) == whom


def test_no_person_is_on_both_sides_of_the_split():
    """FaceForensics has several parts of one YouTube video; FaceForensics++ several scenes of each of 28 actors."""
    ids = [f"{n:04d}abc-_xy" for n in range(200)]
    parts = [f"train/original/{id_}_{part}_{other}_0.avi" for id_, other in zip(ids, ids[::-1], strict=True) for part in range(3)]
    actors = [
        f"original_sequences/actors/c23/videos/{n:02d}__{scene}.mp4" for n in range(1, 29) for scene in ("kitchen_still", "exit_phone_room")
    ]
    found = items(source(folders=["train/original", "original_sequences/actors/c23/videos"]), [*parts, *actors])
    sides: dict[str, set[str]] = {}
    for item in found:
        sides.setdefault(person(item.files[0]), set()).add(item.parameters["split"])
    assert len(found) == 656 and len(sides) == 228
    assert all(len(side) == 1 for side in sides.values())
    assert {"train"} in sides.values() and {"test"} in sides.values()


@pytest.mark.parametrize("folder", ["manipulated_sequences/Deepfakes/c23/videos", "train/altered", "test/mask"])
def test_manipulated_videos_are_refused(folder):
    with pytest.raises(InputError, match=f"source.folders: {folder} holds manipulated videos"):
        items(source(folders=[folder]), [f"{folder}/000_003.mp4"])


def test_a_folder_without_videos_is_refused_with_those_that_have_some():
    with pytest.raises(InputError, match=f"there are no videos in {FOLDER}; there are some in original_sequences/youtube/c40/videos"):
        items(source(), ["original_sequences/youtube/c40/videos/000.mp4"])


def test_a_table_says_which_videos_are_for_testing(tmp_path):
    files = [f"{FOLDER}/{n:03d}.mp4" for n in range(4)]
    rows = {0: "test", 1: "train", 2: "none"}
    pd.DataFrame([(files[n], split) for n, split in rows.items()], columns=["sequence", "split"]).to_csv(tmp_path / "splits.csv")
    found = items(source(path=str(tmp_path), splits="splits.csv"), files)
    assert {item.name: item.parameters["split"] for item in found[:2]} == {"000": "test", "001": "train"}
    assert [(item.name, item.problem) for item in found[2:]] == [("003", "has no row in splits.csv: give it the split train, test or none")]


def test_check_compares_with_the_official_counts_and_names_unreadable_videos(tmp_path):
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    video.write_mp4(folder / "000.mp4", [np.zeros((32, 32, 3), np.uint8)] * 5, "30/1", crf=30)
    (folder / "001.mp4").touch()
    files = {f"{FOLDER}/000.mp4": 1000, f"{FOLDER}/001.mp4": 0}
    (finding,) = check(source(), files, tmp_path)
    assert (finding.what, finding.found, finding.expected) == (f"{FOLDER}: videos", 2, 1000)
    assert finding.wrong == (f"{folder / '001.mp4'}: is empty; a video is needed",)
    papers = check(source(folders=["train/original", "val/original"]), files, tmp_path)
    assert sum(finding.expected for finding in papers) == 854


def walker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: dict[int, list[Face]], **changes: object) -> Item:
    """20 frames of 200x100; where the faces are is given."""
    video.write_mp4(tmp_path / "000.mp4", [np.zeros((100, 200, 3), np.uint8)] * 20, "30/1", crf=30)
    monkeypatch.setattr("pipeline.faces.looks", lambda frames, every, weights: seen)
    (tmp_path / "yunet.onnx").touch()
    (item,) = items(source(folders=["."], face_weights=str(tmp_path / "yunet.onnx"), **{"test_share": 0.0, **changes}), ["000.mp4"])
    return item


def test_each_clip_has_its_own_square_and_one_without_a_face_names_its_frames(tmp_path, monkeypatch):
    seen = {0: [Face(20.0, 20.0, 40.0, 40.0)], 5: [Face(20.0, 20.0, 40.0, 40.0)], 10: [Face(120.0, 60.0, 140.0, 80.0)], 15: []}
    footage = open_item(walker(tmp_path, monkeypatch, seen), tmp_path)
    assert (footage.num_frames, footage.test_from, footage.palette) == (20, 20, None)
    assert footage.crop is not None
    assert footage.crop(range(10)) == [Box(5, 5, 50, 50)] * 10
    assert {box.left for box in footage.crop(range(10, 15))} == {105}
    with pytest.raises(InputError, match="frames 10 to 19: a face is seen in 1 of 2 looks, it may be lost in 0"):
        footage.crop(range(10, 20))


def test_a_square_that_follows_moves_with_the_face_and_the_stored_face_stays_in_the_middle(tmp_path, monkeypatch):
    """A bright face of 20 pixels goes 3 pixels a frame to the right; looked at in every fifth frame."""
    seen = {t: [Face(20.0 + 3 * t, 40.0, 40.0 + 3 * t, 60.0)] for t in (0, 5, 10, 15)}
    item = walker(tmp_path, monkeypatch, seen, face_follow=0.5)
    frames = [np.zeros((100, 200, 3), np.uint8) for _ in range(20)]
    for t, frame in enumerate(frames):
        frame[40:60, 20 + 3 * t : 40 + 3 * t] = 250
    video.write_mp4(tmp_path / "000.mp4", frames, "30/1", crf=10)
    p = params.Clips(width=50, height=50, crop=None, frames=15, stride=None)
    (tmp_path / "out").mkdir()
    clips.run_item(item, tmp_path, tmp_path / "out", p, {})
    shown = arrays.reading(layout.arrays(tmp_path / "out" / "000_000000", "frames"))["rgb"]
    assert shown.shape == (15, 50, 50, 3)
    for frame in shown[2:10]:
        x = np.flatnonzero(frame[25, :, 0] > 128)
        assert (len(x), x.mean()) == pytest.approx((20, 24.5), abs=1.1)


def test_all_of_a_test_video_is_for_testing(tmp_path, monkeypatch):
    assert open_item(walker(tmp_path, monkeypatch, {}, test_share=1.0), tmp_path).test_from == 0


@pytest.fixture
def here(project: Path, shared_data: Path) -> Path:
    """A data set `people` of one real face, and a video that shows the face and then nothing; FaceForensics++'s folders. No maps."""
    flownet2 = "      backend: ptlflow\n      options: {model: flownet2, weights: ptlflow-flownet2-things}\n"
    text = (REPOSITORY / "params.yaml").read_text().replace(flownet2, "").replace(SKETCHES, "    edges: {}\n")
    text = text.replace("clips: {width: 512, height: 512, frames: 98}", "clips: {width: 512, height: 512, frames: 30}")
    layout.PARAMS.write_text(text.replace("face_weights: yunet-n-640", "face_weights: null"))
    folder = project / "raw" / FOLDER
    folder.mkdir(parents=True)
    frames = [frame[::2, ::2] for frame in video.frames(shared_data / "clips/face/face_talk_512x480.mp4")][:60]
    video.write_mp4(folder / "000.mp4", frames, "30/1", crf=18)
    video.write_mp4(folder / "001.mp4", [*frames[:35], *(np.zeros_like(frame) for frame in frames[35:])], "30/1", crf=18)
    new_dataset.run("people", project / "raw", like="faceforensics")
    return project


def set_weights(value: str) -> None:
    layout.PARAMS.write_text(layout.PARAMS.read_text().replace("face_weights: null", f"face_weights: {value}"))


def test_clips_of_a_data_set_without_maps_are_made_and_what_shows_no_face_is_listed(here, shared_data):
    set_weights(str(shared_data / "weights" / "yunet_n_640_640.onnx"))
    layout.PARAMS.write_text(layout.PARAMS.read_text().replace("test_share: 0.1", "test_share: 0.0").replace("workers: 2", "workers: 1"))
    prepare.run("people")
    summary = runner.run("clips", "people")
    folder = layout.stage("people", "clips")
    assert (summary.computed, summary.failed, summary.left_out) == (2, [], 1)
    assert str(summary).endswith(f"; 1 clips are left out, {layout.left_out(folder)} says why")
    assert manifest.clips(folder)["clip"].tolist() == ["000_000000", "000_000030", "001_000000"]
    (left_out,) = manifest.left_out(folder)
    assert left_out["clip"] == "001_000030"
    assert left_out["reason"] == "frames 30 to 59: a face is seen in 1 of 6 looks, it may be lost in 1"
    stored = arrays.reading(layout.arrays(folder / "000_000000", "frames"))["rgb"]
    assert stored.shape == (30, 512, 512, 3)

    again = runner.run("clips", "people")
    assert (again.computed, again.reused, again.left_out) == (0, 2, 1)
    with pytest.raises(
        InputError, match="the backends of segmentation, pose and edges are null: the data set has no maps, which dataset needs"
    ):
        runner.run("dataset", "people")


def test_the_weights_count_by_their_content(here, shared_data, monkeypatch):
    monkeypatch.setattr("pipeline.faces.require_detector", lambda weights: None)
    content = (shared_data / "weights" / "yunet_n_640_640.onnx").read_bytes()
    keys = []
    prepare.run("people")
    for name, data in (("a.onnx", content), ("b.onnx", content), ("c.onnx", content + b" ")):
        (here / name).write_bytes(data)
        set_weights(str(here / name))
        keys.append([job.key for job in plan.plan(STAGES["clips"], "people", load(layout.PARAMS), Store(layout.store()))])
        layout.PARAMS.write_text(layout.PARAMS.read_text().replace(f"face_weights: {here / name}", "face_weights: null"))
    assert keys[0] == keys[1] != keys[2]


def test_without_weights_nothing_begins(here):
    with pytest.raises(
        InputError, match=r"datasets\.people\.source\.face_weights is null: give YuNet's weights, which find the faces: yunet-n-640"
    ):
        before_work.check(STAGES["clips"], "people", load(layout.PARAMS))
    set_weights("gone.onnx")
    with pytest.raises(InputError, match=r"datasets\.people\.source\.face_weights: gone\.onnx is no file"):
        before_work.check(STAGES["clips"], "people", load(layout.PARAMS))


def test_weights_of_something_else_are_refused_before_the_first_video(here):
    set_weights("params.yaml")
    with pytest.raises(InputError, match=r"params\.yaml: holds no YuNet \(\.onnx\) that this OpenCV can read"):
        before_work.check(STAGES["clips"], "people", load(layout.PARAMS))


def test_a_crop_of_all_clips_and_one_of_each_face_exclude_one_another(here):
    set_weights("params.yaml")
    text = layout.PARAMS.read_text().replace("crop: null ", "crop: [64, 64] ")
    layout.PARAMS.write_text(text)
    with pytest.raises(InputError, match=r"datasets\.people\.clips\.crop is \[64, 64\]: each clip shows the square around its face"):
        before_work.check(STAGES["clips"], "people", load(layout.PARAMS))


def test_every_clip_is_looked_at(here):
    set_weights("params.yaml")
    layout.PARAMS.write_text(layout.PARAMS.read_text().replace("face_every: 5", "face_every: 31"))
    with pytest.raises(InputError, match=r"datasets\.people\.source\.face_every is 31: clips of clips\.frames = 30 need a look in each"):
        before_work.check(STAGES["clips"], "people", load(layout.PARAMS))


def test_the_split_of_a_name_is_what_it_was():
    """By sha256sum, those of 010 and 023 begin with 0x13 and 0x16, less than 0x1999 of 0xffff; no others do."""
    assert [n for n in range(40) if is_for_testing(f"{n:03d}.mp4", 0.1)] == [10, 23]
