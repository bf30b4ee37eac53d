"""Faces, dancers and edges from data set to report: the stages' own functions on a street whose car stands for the face or body."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from finished_journey import WINDOWS
from mapped_clips import MappedClips
from PIL import Image

from pipeline import arrays, dataset, evaluate, layout, learners, params, pose_map, report, synthesize, train, video
from pipeline.checkpoint import TrainedGenerator
from pipeline.devices import Devices
from pipeline.errors import InputError
from pipeline.index import read_index
from pipeline.maps import ClipMaps, MapKind
from tests.pipeline.test_report import MODEL_TRAINING, TRAINING, Page

GENERATOR = {"width": 4, "downsamplings": 2, "blocks": 1, "foreground": False}
TINY = params.Train.model_validate(
    {
        **TRAINING.model_dump(),
        **{"generator": {**TRAINING.generator.model_dump(), **GENERATOR}, "steps": 2, "log_every": 1, "save_every": 2, "preview_every": 2},
        "image_discriminator": {"width": 4, "layers": 2, "scales": 1},
        "video_discriminator": {"width": 4, "layers": 2, "scales": 1, "strides": [1]},
    }
)
USED = {"whole": range(7), "cut": range(3, 9)}
"""Of the test clips; a third one is left out."""


@dataclass(frozen=True)
class Finished:
    clips: MappedClips
    kind: MapKind

    def folder(self, stage: str) -> Path:
        return self.clips.folder(stage)

    def read(self, *stages: str) -> dict[str, Path]:
        return {stage: self.folder(stage) for stage in stages}

    def array(self, stage: str, clip: str, name: str) -> np.ndarray:
        return arrays.reading(layout.arrays(self.folder(stage) / clip, "frames"))[name][:]

    def scores(self) -> dict:
        return json.loads(layout.scores(self.folder("evaluate")).read_text())


def synthesized(clips: MappedClips, clip: str, has: dict[str, Path | None], out: Path) -> None:
    (clips.folder("work of synthesize") / clip).mkdir(exist_ok=True)
    of_clip = {stage: folder and folder / clip for stage, folder in has.items()}
    clip_folder = clips.folder("clips") / clip
    synthesize.run_clip(
        clip_folder,
        **of_clip,
        **{stage: clips.folder(stage) for stage in ("train", "train_image_generator")},
        out=out,
        work=clips.folder("work of synthesize") / clip,
        p=params.Synthesize(first_frame="itself", part_frames=4, crf=30),
        made_by={},
        device="cpu",
    )


def journey(root: Path, has: set[str]) -> Finished:
    clips = MappedClips(root, has)
    clips.add("first", "train", 8)
    clips.add("second", "train", 10, missing=[1])
    clips.add("whole", "test", 7)
    clips.add("cut", "test", 12, missing=[2, 9])
    clips.add("gone", "test", 6, missing=[1, 3, 5])
    maps, data, flow = clips.maps(), clips.folder("dataset"), clips.folder("optical_flow")
    for split in ("train", "test"):
        chosen = params.Dataset(exclude=[], min_frames=6)
        dataset.run_split(split, clips.folder("clips"), optical_flow=flow, out=data, p=chosen, **maps)
    arguments = {"optical_flow": flow, "dataset": data, "out": clips.folder("train"), "work": clips.folder("work"), **maps}
    arguments["watch"] = clips.folder("watch")
    train.run(clips.folder("clips"), **arguments, p=TINY, device="cpu")
    for clip in (*USED, "gone"):
        (clips.folder("synthesize") / clip).mkdir()
        synthesized(clips, clip, maps, clips.folder("synthesize") / clip)
    layout.scores(clips.folder("segmentation_scores")).write_text('{"used": false}')
    done = Finished(clips, MapKind.of(clips.map_folders().of("first")))
    measured = done.read(
        "clips", "optical_flow", "segmentation_model", "segmentation_scores", "dataset", "synthesize", "synthesize_per_frame"
    )
    measuring = params.Evaluate(stride=1, video_network=WINDOWS)
    evaluate.run(**measured, segmentation=maps["segmentation"], out=clips.folder("evaluate"), p=measuring, device="cpu")
    shown = done.read("clips", "segmentation_scores", "optical_flow", "dataset", "train", "train_per_frame")
    report.run(
        **shown,
        **maps,
        **done.read("synthesize", "synthesize_per_frame", "evaluate", "out"),
        p=params.Report(clips=2, crf=30),
        model_training=MODEL_TRAINING,
        training=TINY,
        dataset_name="mine",
        made_by={"key": "feed" * 16, "inputs": {stage: {"*": stage} for stage in shown}, "parameters": {"p": {}}},
    )
    return done


HAS = {"face": {"face"}, "dance": {"iuv"}, "canny": {"canny"}, "all": {"labels", "canny", "iuv"}}


@pytest.fixture(scope="module", params=list(HAS))
def finished(request, tmp_path_factory) -> Finished:
    return journey(tmp_path_factory.mktemp(request.param), HAS[request.param])


def test_the_index_has_the_usable_part_of_each_clip(finished):
    index = read_index(finished.folder("dataset"), "test")
    assert {row["clip"]: range(row["start"], row["start"] + row["num_frames"]) for row in index.to_dict("records")} == USED


def test_the_generator_was_trained_on_as_many_channels_as_there_are(finished):
    trained = TrainedGenerator(layout.networks(finished.folder("train")), "cpu")
    assert trained.kind == finished.kind
    described = json.loads((layout.networks(finished.folder("train")) / "generator.json").read_text())
    assert described["generator"]["map_channels"] == finished.kind.channels
    stated = {"face": 15, "canny": 1, "iuv": 3, "labels": 12}
    assert finished.kind.channels == sum(stated[name] for name in finished.clips.has)


def test_the_previews_first_row_shows_the_maps(finished):
    picture = np.asarray(Image.open(layout.preview(finished.folder("train"), 2)))
    height = (picture.shape[0] - 8) // 3
    assert picture[:height].any()
    if "labels" not in finished.clips.has:
        assert (picture[:height] == 0).mean() > 0.5  # lines or a body on black


def test_exactly_the_usable_part_is_synthesized(finished):
    for clip, used in USED.items():
        file = arrays.reading(layout.arrays(finished.folder("synthesize") / clip, "frames"))
        assert file["rgb"].shape == (len(used), 32, 48, 3)
        assert file.attributes["first_frame"] == 100 + used.start
        assert video.properties(layout.video(finished.folder("synthesize") / clip)).num_frames == len(used)


def test_a_frame_is_made_from_the_maps_of_the_same_frame(finished, tmp_path):
    """Of the clip that begins late, the frames are those of a clip that consists of its usable part alone."""
    alone = MappedClips(tmp_path, finished.clips.has)
    (tmp_path / "train").symlink_to(finished.folder("train"))
    for stage, folder in finished.clips.maps().items():
        if folder:
            source = arrays.reading(layout.arrays(folder / "cut", stage))
            (alone.folder(stage) / "cut").mkdir()
            attributes = {name: value for name, value in source.attributes.items() if name != "missing"}
            with arrays.writing(layout.arrays(alone.folder(stage) / "cut", stage), attributes) as writer:
                for t in USED["cut"]:
                    for name in source.names():
                        writer.append(name, source[name][t])
    (alone.folder("clips") / "cut").symlink_to(finished.folder("clips") / "cut")
    synthesized(alone, "cut", alone.maps(), alone.folder("synthesize"))
    again = arrays.reading(layout.arrays(alone.folder("synthesize"), "frames"))["rgb"][:]
    np.testing.assert_array_equal(again, finished.array("synthesize", "cut", "rgb"))


def test_a_clip_of_which_too_little_is_left_is_in_no_table(finished):
    assert "gone" in layout.clips_left_out(finished.folder("dataset")).read_text()
    assert {row["clip"] for row in finished.scores()["clips"]} == set(USED)


def test_the_scores_are_of_the_usable_part(finished):
    scores = finished.scores()
    assert scores["test"] == {"clips": 2, "frames": sum(map(len, USED.values())), "given_frames": 0}
    assert scores["real"]["warping_error"] == pytest.approx(0, abs=1e-9)  # its true flow, from the part's second frame on
    real = {clip: finished.array("clips", clip, "rgb")[used.start : used.stop] / 255 for clip, used in USED.items()}
    for method, of_clip in {"vid2vid": "synthesize", "copy_first_frame": None}.items():
        fake = {
            clip: finished.array(of_clip, clip, "rgb") / 255 if of_clip else np.stack([real[clip][0]] * len(real[clip])) for clip in USED
        }
        squared = np.concatenate([((real[clip] - fake[clip]) ** 2).mean(axis=(1, 2, 3)) for clip in USED])
        assert scores[method]["psnr"] == pytest.approx(-10 * np.log10(squared.mean()), abs=1e-3)


def test_mean_colours_are_compared_where_there_are_labels_alone(finished):
    assert ("mean_colour_per_label" in finished.scores()) == ("labels" in finished.clips.has)
    assert finished.scores()["vid2vid"]["miou"] is None


def test_the_page_shows_what_there_is_and_names_it(finished):
    out, has = finished.folder("out"), finished.clips.has
    page = Page(layout.page(out).read_text())
    words = page.words()
    assert f"turns {' and '.join(finished.kind.names())} into video" in words
    assert ("Data and labels" in words) == ("mIoU" in words) == ("labels" in has)
    if "labels" not in has:
        assert "label" not in words.lower().replace("labels.png", "").split("parameters")[0]
    shown = {path.name.split(".")[1] for path in layout.media(out).glob("cut.*.png")}
    assert {"edges": bool(has & {"face", "canny"}), "pose": "iuv" in has, "labels": "labels" in has, "instances": "labels" in has} == {
        name: name in shown for name in ("edges", "pose", "labels", "instances")
    }
    assert {video.properties(path).num_frames for path in layout.media(out).glob("cut.*.mp4")} == {len(USED["cut"])}


def test_the_pictures_are_of_the_middle_of_the_usable_part(finished):
    t = USED["cut"][len(USED["cut"]) // 2]
    pictures = {path.name: np.asarray(Image.open(path)) for path in layout.media(finished.folder("out")).glob("cut.*.png")}
    np.testing.assert_array_equal(pictures["cut.frame.png"], finished.array("clips", "cut", "rgb")[t])
    if finished.kind.edges:
        edge = arrays.reading(layout.arrays(finished.folder("edges") / "cut", "edges"))["edge"][t][..., :1]
        np.testing.assert_array_equal(pictures["cut.edges.png"], np.repeat(edge, 3, axis=2))
    if finished.kind.pose:
        pose = arrays.reading(layout.arrays(finished.folder("pose") / "cut", "pose"))
        np.testing.assert_array_equal(pictures["cut.pose.png"], pose_map.pose_map(pose, t)[..., -3:])
    maps = ClipMaps(finished.clips.map_folders().of("cut"), finished.kind)
    np.testing.assert_array_equal(pictures["cut.real.poster.png"], finished.array("clips", "cut", "rgb")[USED["cut"].start])
    np.testing.assert_array_equal(pictures["cut.maps.poster.png"], maps.picture(USED["cut"].start))


def test_maps_of_another_kind_than_it_was_trained_on_are_refused(tmp_path):
    clips = MappedClips(tmp_path, {"face"})
    clips.add("a", "train", 6)
    clips.add("b", "test", 6)
    arguments = {"optical_flow": clips.folder("optical_flow"), "dataset": clips.folder("dataset"), "out": clips.folder("train")}
    for split in ("train", "test"):
        chosen = params.Dataset(exclude=[], min_frames=6)
        dataset.run_split(
            split, clips.folder("clips"), optical_flow=clips.folder("optical_flow"), out=clips.folder("dataset"), p=chosen, **clips.maps()
        )
    arguments |= {"work": clips.folder("work"), "watch": clips.folder("watch")}
    train.run(clips.folder("clips"), **arguments, **clips.maps(), p=TINY.model_copy(update={"steps": 1}), device="cpu")
    other = MappedClips(tmp_path / "other", {"canny"})
    other.add("b", "test", 6)
    with pytest.raises(InputError, match="b: its maps are 1 edge channels; the generator was trained on 15 edge channels"):
        synthesized(clips, "b", other.maps(), tmp_path)


def test_a_foreground_generator_without_labels_is_refused(tmp_path):
    with pytest.raises(InputError, match="train.generator.foreground is true, but there are no label maps"):
        learners.vid2vid(TRAINING, MapKind(None, False, 1, 0), Devices("cpu"))
