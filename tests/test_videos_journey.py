"""A folder of videos without labels: another data set's model labels them, and the report says so."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from pipeline import arrays, layout, manifest, new_dataset, prepare, runner, video
from tests.conftest import REPOSITORY

STAGES = list(YAML(typ="safe", pure=True).load((REPOSITORY / "dvc.yaml").read_text())["stages"])
"""In an order in which they can run."""

TINY_TRAINING = {
    "generator": {"width": 4, "downsamplings": 2, "blocks": 1},
    "image_discriminator": {"width": 4},
    "video_discriminator": {"width": 4, "strides": [1]},
    "steps": 2,
    "window_frames": 4,
    "save_every": 2,
    "log_every": 1,
    "preview_every": 2,
}
SKY, ROAD = 0, 3


def landscape(num_frames: int, width: int, height: int, seed: int):
    """Rough sky above a rough road; both pass by, two pixels a frame."""
    random = np.random.default_rng(seed)
    picture = random.integers(150, 255, (height, width + 2 * num_frames, 3)).astype(np.uint8)
    picture[height // 2 :] //= 3
    label = np.full((height, width), SKY, np.uint8)
    label[height // 2 :] = ROAD
    for t in range(num_frames):
        yield picture[:, 2 * t : 2 * t + width], label


@pytest.fixture
def project(project: Path) -> Path:
    """With the project's own parameters."""
    (project / layout.PARAMS).write_bytes((REPOSITORY / layout.PARAMS).read_bytes())
    change({"machine": {"workers": 1, "threads": 1}})
    return project


def change(values: dict[str, Any]) -> None:
    """Sets single values of params.yaml, at any depth."""

    def into(old: Any, new: Any) -> Any:
        return {**old, **{k: into(old.get(k), v) for k, v in new.items()}} if isinstance(new, dict) and isinstance(old, dict) else new

    yaml = YAML(typ="safe", pure=True)
    changed = into(yaml.load(layout.PARAMS.read_text()), values)
    with layout.PARAMS.open("w") as file:
        yaml.dump(changed, file)


def run(stages: list[str], dataset: str) -> None:
    prepare.run(dataset)
    for stage in stages:
        assert runner.run(stage, dataset).failed == [], stage


def test_a_video_goes_all_the_way_with_the_labels_of_another_data_sets_model(project):
    for n, (rgb, label) in enumerate(landscape(6, 64, 32, seed=0)):
        for folder, picture in (("frames", rgb), ("labels", label)):
            path = project / "labelled" / folder / "s" / f"{n}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
    (project / "videos").mkdir()
    video.write_mp4(project / "videos" / "meine fahrt.mp4", [rgb for rgb, _ in landscape(20, 96, 54, seed=1)], "30000/1001", crf=10)

    new_dataset.run("labelled", project / "labelled", like="frames")
    new_dataset.run("drive", project / "videos", like="videos", weights_from="labelled")
    size = {"width": 64, "height": 32}
    change({"datasets": {"labelled": {"source": {"palette": "camvid", "test_frames": 0}, "clips": {**size, "frames": 6}}}})
    change({"datasets": {"labelled": {"segmentation_model": {"steps": 4}, "train": TINY_TRAINING}}})
    change({"datasets": {"drive": {"source": {"test_frames": 6}, "clips": {**size, "frames": 6}, "train": TINY_TRAINING}}})
    change({"datasets": {"drive": {"evaluate": {"video_network": {"window_frames": 4, "window_stride": 1}}}}})
    run(["clips", "segmentation_model"], "labelled")
    run(STAGES, "drive")

    labels = arrays.reading(layout.arrays(layout.stage("drive", "segmentation") / "meine_fahrt_000014", "segmentation"))
    assert labels.attributes["palette"]["name"] == "camvid" and labels["label"].shape == (6, 32, 64)
    assert json.loads(layout.scores(layout.stage("drive", "segmentation_scores")).read_text()) == {"used": False}
    page = " ".join(layout.page(layout.stage("drive", "report")).read_text().split())
    assert '<span class="badge">labels out of domain: model of labelled</span>' in page
    assert "the model of labelled labels result and real video alike, not whether it labels them rightly" in page
    assert "segmentation model of <b>labelled</b>, which was trained on other pictures (out of domain): no test frame here" in page
    assert "it reaches mIoU" not in page and "held-out IoU" not in page
    assert "meine_fahrt_000014" in page and "6 frames · 29.97 per second · 64 × 32" in page
    assert "trained on 2 clips (12 frames, 64 × 32)" in page
    assert video.properties(layout.video(layout.stage("drive", "synthesize") / "meine_fahrt_000014")).frames_per_second == "30000/1001"


def test_videos_alone_go_all_the_way_by_their_edges(project):
    """No labels, no weights, no other data set: what is white in the maps are Canny's edges of the frames."""
    (project / "videos").mkdir()
    video.write_mp4(project / "videos" / "meine fahrt.mp4", [rgb for rgb, _ in landscape(20, 96, 54, seed=1)], "15/1", crf=10)
    new_dataset.run("drive", project / "videos", like="edges")
    change({"datasets": {"drive": {"source": {"test_frames": 6}, "clips": {"width": 64, "height": 32, "frames": 6}}}})
    change({"datasets": {"drive": {"train": {**TINY_TRAINING, "generator": {**TINY_TRAINING["generator"], "foreground": False}}}}})
    change({"datasets": {"drive": {"evaluate": {"video_network": {"window_frames": 4, "window_stride": 1}}, "dataset": {"min_frames": 6}}}})
    run(STAGES, "drive")

    clip = "meine_fahrt_000014"
    rgb = arrays.reading(layout.arrays(layout.stage("drive", "clips") / clip, "frames"))["rgb"][3]
    by_opencv = cv2.Canny(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), 100, 200)
    shown = np.asarray(Image.open(layout.media(layout.stage("drive", "report")) / f"{clip}.edges.png"))
    assert by_opencv.any()
    np.testing.assert_array_equal(shown, np.repeat(by_opencv[..., None], 3, axis=2))
    page = " ".join(layout.page(layout.stage("drive", "report")).read_text().split())
    assert "trained on 2 clips (12 frames, 64 × 32), turns edges into video" in page
    assert "mIoU" not in page and "label" not in page.split('id="made"')[0].split("<main>")[1].replace("aria-label", "")
    for stage in ("segmentation", "instances", "pose"):
        assert manifest.keys(layout.stage("drive", stage)) == {}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_highway_is_cut_and_labelled_by_the_model_of_camvid(project, shared_data):
    clip = shared_data / "clips/street/highway_960x540.mp4"
    (project / "videos").mkdir()
    (project / "videos" / clip.name).symlink_to(clip)
    new_dataset.run("camvid", shared_data / "seg_gt/camvid_0016E5_15hz", like="camvid")
    new_dataset.run("highway", project / "videos", like="videos", weights_from="camvid")
    change({"datasets": {"highway": {"clips": {"width": 240, "height": 136}}}})
    run(["clips", "segmentation_model"], "camvid")
    run(["clips", "segmentation", "segmentation_scores"], "highway")

    clips = manifest.clips(layout.stage("highway", "clips"))
    assert clips["first_frame"].tolist() == [0, 30, 60, 90, 120, 161]
    assert clips["num_frames"].tolist() == [30] * 5 + [60]  # 221 frames, the last 60 for testing
    assert set(clips["frames_per_second"]) == {"25/1"} and clips["split"].tolist() == ["train"] * 5 + ["test"]
    assert json.loads(layout.scores(layout.stage("highway", "segmentation_scores")).read_text()) == {"used": False}

    test_clip = clips["clip"].iloc[-1]
    rgb = arrays.reading(layout.arrays(layout.stage("highway", "clips") / test_clip, "frames"))["rgb"][0]
    np.testing.assert_allclose(rgb.astype(float), frame_by_opencv(clip, 161), atol=24)
    assert np.abs(rgb - frame_by_opencv(clip, 161)).mean() < 2

    labels = arrays.reading(layout.arrays(layout.stage("highway", "segmentation") / test_clip, "segmentation"))
    assert labels.attributes["palette"]["name"] == "camvid" and labels["label"].shape == (60, 136, 240)
    before_the_car = labels["label"][:][:, 110:, 90:150]
    assert (before_the_car == ROAD).mean() > 0.9


def frame_by_opencv(path: Path, number: int) -> np.ndarray:
    """At 240x136: 242x136 covers it, one column falls away on each side."""
    video_file = cv2.VideoCapture(str(path))
    for _ in range(number + 1):
        _, bgr = video_file.read()
    return cv2.resize(bgr[..., ::-1], (242, 136), interpolation=cv2.INTER_AREA)[:, 1:241].astype(float)
