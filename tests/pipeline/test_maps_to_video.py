"""`python -m pipeline synthesize`: the stage's frames from the same maps, for one video or several; and nothing where it is refused."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mapped_clips import MappedClips
from PIL import Image
from untrained import save_untrained, save_untrained_image_generator

from models.video_generator import VideoGenerator
from pipeline import arrays, layout, maps_to_video, params, synthesize, video
from pipeline.errors import InputError
from pipeline.maps import MapKind
from pipeline.params_file import load
from pipeline.video_orders import Order
from tests.conftest import REPOSITORY

LENGTHS = {"first": 5, "second": 3}


class Asked:
    """A data set with its generator, the same maps in plain files, and what a person asks for."""

    def __init__(self, root: Path) -> None:
        self.root, self.clips = root, MappedClips(root / "data/mine", {"labels"})
        for clip, num_frames in LENGTHS.items():
            self.clips.add(clip, "test", num_frames)
        self.kind = MapKind.of(self.clips.map_folders().of("first"))
        save_untrained(root / "data/mine/train", self.kind)
        text = re.sub(r"^  threads: \d+", "  threads: 1", (REPOSITORY / "params.yaml").read_text(), flags=re.MULTILINE)
        (root / "params.yaml").write_text(text)  # two threads wait for each other where others use the cores, too
        for clip, num_frames in LENGTHS.items():
            files = self.clips.map_folders().of(clip).files()
            for t in range(num_frames):
                self.image(f"plain/{clip}/labels/{t}.png", files["segmentation"]["label"][t])
                self.image(f"plain/{clip}/instances/{t}.png", files["instances"]["instance"][t])
                self.image(f"real/{clip}/{t}.png", self.real(clip)[t])

    def image(self, path: str, values: np.ndarray) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(self.root / path)

    def real(self, clip: str) -> np.ndarray:
        return arrays.reading(layout.arrays(self.clips.folder("clips") / clip, "frames"))["rgb"][:]

    def order(self, maps: str, **changed: object) -> Order:
        nothing = dict.fromkeys(("clip", "lossless", "image_generator", "first_frames", "frames_per_second", "device"))
        return replace(Order(checkpoint=Path("data/mine/train"), maps=Path(maps), out=Path("out.mp4"), batch=1, **nothing), **changed)

    def by_the_stage(self, clip: str, first_frame: str = "itself") -> np.ndarray:
        """Also its mp4, in stage/CLIP."""
        out, work = self.root / "stage" / clip, self.root / "work" / clip
        for folder in (out, work):
            folder.mkdir(parents=True)
        synthesize.run_clip(
            self.clips.folder("clips") / clip,
            **{stage: folder and folder / clip for stage, folder in self.clips.maps().items()},
            **{stage: self.root / "data/mine" / stage for stage in ("train", "train_image_generator")},
            out=out,
            work=work,
            p=params.Synthesize(first_frame=first_frame, part_frames=100, crf=18),
            made_by={},
            device="cpu",
        )
        return arrays.reading(layout.arrays(out, "frames"))["rgb"][:]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    return Asked(tmp_path_factory.mktemp("built"))


@pytest.fixture
def asked(built: Asked, project: Path) -> Iterator[Asked]:
    """A copy of its own. Threads are set, since their number changes rounding."""
    shutil.copytree(built.root, project, dirs_exist_ok=True)
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(load(layout.PARAMS).machine.threads)
    asked, asked.clips = copy(built), copy(built.clips)
    asked.root, asked.clips.root = project, project / "data/mine"
    yield asked
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


def images(folder: Path) -> np.ndarray:
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.iterdir())])


def test_a_clip_of_a_data_set_is_made_as_by_the_stage(asked):
    expected = asked.by_the_stage("first")
    order = asked.order("data/mine", clip="first", lossless=Path("frames.zip"))
    assert maps_to_video.run(order) == [Path("out.mp4")]
    np.testing.assert_array_equal(arrays.reading(Path("frames.zip"))["rgb"][:], expected)
    assert Path("out.mp4").read_bytes() == Path("stage/first/video.mp4").read_bytes()
    assert video.properties(Path("out.mp4")).frames_per_second == "15/1"


def test_plain_files_give_the_same_video(asked):
    expected = asked.by_the_stage("second")
    maps_to_video.run(asked.order("plain/second", frames_per_second=12.5, lossless=Path("frames")))
    np.testing.assert_array_equal(images(Path("frames")), expected)
    assert video.properties(Path("out.mp4")).frames_per_second == "25/2"


def test_a_data_set_s_only_test_clip_is_the_file_that_was_asked_for(asked):
    about = layout.manifest(Path("data/mine/clips"))
    about.write_text("".join(line for line in about.read_text().splitlines(keepends=True) if not line.startswith("second")))
    assert maps_to_video.run(asked.order("data/mine")) == [Path("out.mp4")]
    assert maps_to_video.run(asked.order("data/mine", out=Path("videos"))) == [Path("videos/first.mp4")]


@pytest.mark.parametrize("maps", ["data/mine", "plain"])
def test_several_videos_are_made_side_by_side_each_under_its_name(asked, maps):
    expected = {clip: asked.by_the_stage(clip) for clip in LENGTHS}
    order = asked.order(maps, out=Path("videos"), lossless=Path("frames"), batch=2, frames_per_second=15.0)
    assert sorted(maps_to_video.run(order)) == [Path("videos/first.mp4"), Path("videos/second.mp4")]
    for clip, frames in expected.items():
        assert video.properties(Path(f"videos/{clip}.mp4")).num_frames == len(frames) == LENGTHS[clip]
        made = images(Path("frames") / clip).astype(int)
        assert np.abs(made[:3] - frames[:3]).max() <= 2  # a batch rounds otherwise, and each frame amplifies it


@pytest.mark.parametrize("given", ["real/second", "data/mine/clips/second"])
def test_it_goes_on_from_given_frames(asked, given):
    expected = asked.by_the_stage("second", "given")
    maps_to_video.run(asked.order("data/mine", clip="second", first_frames=Path(given), lossless=Path("frames")))
    np.testing.assert_array_equal(images(Path("frames")), expected)
    np.testing.assert_array_equal(expected[:2], asked.real("second")[:2])


def test_it_goes_on_from_an_image_generators_frames(asked):
    save_untrained_image_generator(asked.root / "data/mine/train_image_generator", asked.kind)
    expected = asked.by_the_stage("second", "image_generator")
    drawing = Path("data/mine/train_image_generator/networks")
    maps_to_video.run(asked.order("plain/second", frames_per_second=15.0, image_generator=drawing, lossless=Path("frames")))
    np.testing.assert_array_equal(images(Path("frames")), expected)


def test_a_generator_with_batch_norm_makes_one_after_another(asked):
    """Otherwise the videos of a batch would change each other."""
    save_untrained(asked.root / "data/mine/train", asked.kind, norm="batch")
    alone = [asked.order("plain/second", frames_per_second=15.0, lossless=Path("alone"))]
    beside = asked.order("plain", out=Path("videos"), frames_per_second=15.0, lossless=Path("beside"), batch=2)
    for order in (*alone, beside):
        maps_to_video.run(order)
    np.testing.assert_array_equal(images(Path("beside/second")), images(Path("alone")))


def test_a_video_that_is_there_is_replaced_once_the_new_one_is_whole(asked):
    Path("out.mp4").write_bytes(b"old")
    maps_to_video.run(asked.order("data/mine", clip="second"))
    assert video.properties(Path("out.mp4")).num_frames == 3


CLIP = {"clip": "second"}


def damaged(asked: Asked) -> None:
    """Its last frame."""
    asked.image("plain/second/labels/2.png", np.full((32, 48), 77, np.uint8))


def other_maps(asked: Asked) -> None:
    save_untrained(asked.root / "data/mine/train", MapKind(None, False, 15, 0))


def small(asked: Asked) -> None:
    save_untrained(asked.root / "data/mine/train", asked.kind, downsamplings=5)


def other_image_generator(asked: Asked) -> None:
    save_untrained_image_generator(asked.root / "other", MapKind(None, False, 15, 0))
    save_untrained_image_generator(asked.root / "deep", asked.kind, downsamplings=6)


def no_test_clips(asked: Asked) -> None:
    table = layout.manifest(asked.clips.folder("clips"))
    table.write_text(table.read_text().replace(",test", ",train"))


def other_real(asked: Asked) -> None:
    for t in range(2):
        asked.image(f"small/{t}.png", np.zeros((16, 48, 3), np.uint8))
    asked.image("one/0.png", np.zeros((32, 48, 3), np.uint8))


@pytest.mark.parametrize(
    ("maps", "changed", "before", "sentence"),
    [
        ("nowhere", {}, None, "--maps: there is no folder nowhere"),
        (
            "data",
            {},
            None,
            "--maps: data is no data set's folder, has none of the folders labels, .* and no folder in it",
        ),
        ("data/mine", {"clip": "third"}, None, "--clip: data/mine has no maps of a clip third"),
        ("data/mine", {**CLIP, "checkpoint": Path("plain")}, None, r"plain: no trained generator there \(generator.json is missing\)"),
        ("data/mine", {**CLIP, "out": Path("no/out.mp4")}, None, "--out: there is no folder .*no"),
        ("data/mine", {**CLIP, "out": Path("plain")}, None, "--out: plain is a folder"),
        ("data/mine", {**CLIP, "lossless": Path("plain")}, None, "--lossless: plain is there already"),
        ("data/mine", {**CLIP, "lossless": Path("out.mp4")}, None, "--lossless: out.mp4 is --out, too: give the frames another name"),
        ("data/mine", {**CLIP, "lossless": Path("params.yaml")}, None, "--lossless: params.yaml is a file, where a folder of images is"),
        ("data/mine", {**CLIP, "lossless": Path("params.yaml/x.zip")}, None, "--lossless: params.yaml is a file, where a folder for x.zip"),
        ("data/mine", {}, None, "--out: out.mp4 is to be a folder, for 2 videos: give a name without .mp4, or take one by --clip"),
        (
            "data/mine",
            {"out": Path("videos"), "lossless": Path("params.yaml")},
            None,
            "--lossless: params.yaml is a file, where a folder for .* is to be",
        ),
        ("data/mine", {"out": Path("params.yaml")}, None, "--out: params.yaml is a file, where a folder for .*.mp4 is to be"),
        ("data/mine", {}, no_test_clips, "--maps: data/mine has no test clips: name one of its clips by --clip"),
        ("data/mine", {**CLIP, "batch": 0}, None, "--batch is 0"),
        ("data/mine", {**CLIP, "frames_per_second": -1.0}, None, "--frames-per-second is -1"),
        ("data/mine", {**CLIP, "frames_per_second": float("nan")}, None, "--frames-per-second is nan"),
        ("data/mine", {**CLIP, "first_frames": Path("real/second"), "image_generator": Path("x")}, None, "leave one out"),
        ("data/mine", {**CLIP, "first_frames": Path("nowhere")}, None, "--first-frames: there are no images in nowhere"),
        ("data/mine", {**CLIP, "first_frames": Path("one")}, other_real, "--first-frames: there are 1, this generator goes on from 2"),
        ("data/mine", {**CLIP, "first_frames": Path("small")}, other_real, "--first-frames: they are 48x16, the maps 48x32"),
        ("data/mine", {**CLIP, "image_generator": Path("other")}, other_image_generator, "the image generator was trained on 15 edge"),
        (
            "data/mine",
            {**CLIP, "image_generator": Path("deep")},
            other_image_generator,
            "48x32, too small: this image generator",
        ),
        ("data/mine", CLIP, other_maps, "second: its maps are labels .*; the generator was trained on 15 edge channels"),
        ("data/mine", CLIP, small, "second: frames are 48x32, too small: this generator needs more than 64 pixels a side"),
        (
            "plain/second",
            {"frames_per_second": 15.0},
            other_maps,
            "plain/second: its maps are nothing; the generator was",
        ),
        ("plain/second", {}, None, "second: its maps do not say how fast frames follow each other: give --frames-per-second"),
        ("plain/second", {"frames_per_second": 15.0}, damaged, "labels/2.png: label id 77 at x=0 y=0 is not in palette camvid"),
        ("plain", {"frames_per_second": 15.0, "out": Path("videos")}, damaged, "labels/2.png: label id 77"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_sentence_and_nothing_is_left(asked, maps, changed, before, sentence):
    if before:
        before(asked)
    there = sorted(asked.root.rglob("*"))
    with pytest.raises(InputError, match=sentence) as refused:
        maps_to_video.run(asked.order(maps, **changed))
    assert "\n" not in str(refused.value)
    assert sorted(asked.root.rglob("*")) == there


def test_stopped_while_frames_are_made_it_leaves_nothing(asked, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    there = sorted(asked.root.rglob("*"))
    monkeypatch.setattr("models.video_generator.VideoGenerator.step", stop)
    with pytest.raises(KeyboardInterrupt):
        maps_to_video.run(asked.order("plain", out=Path("videos"), frames_per_second=15.0, lossless=Path("frames")))
    assert sorted(asked.root.rglob("*")) == there


def parts_of(frames: int, asked: Asked) -> None:
    text = re.sub(r"part_frames: \d+", f"part_frames: {frames}", layout.PARAMS.read_text())
    layout.PARAMS.write_text(text)


def killed_in(step: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The generator's frames are counted; the one of this number is not made."""
    made, make = [], VideoGenerator.step

    def counted(*arguments: object) -> object:
        made.append(1)
        if len(made) == step:
            raise KeyboardInterrupt
        return make(*arguments)

    monkeypatch.setattr(VideoGenerator, "step", counted)
    return made


@pytest.mark.parametrize(("stopped_in", "made_after"), [(4, 3), (5, 1)])
def test_stopped_and_asked_again_it_makes_what_is_missing_and_the_same_files(asked, monkeypatch, capsys, stopped_in, made_after):
    """Parts of two frames, five in all."""
    parts_of(2, asked)
    for folder in ("whole", "again"):
        Path(folder).mkdir()
    maps_to_video.run(asked.order("data/mine", clip="first", out=Path("whole/out.mp4"), lossless=Path("whole/frames.zip")))
    order = asked.order("data/mine", clip="first", out=Path("again/out.mp4"), lossless=Path("again/frames.zip"))
    with monkeypatch.context() as patched:
        killed_in(stopped_in, patched)
        with pytest.raises(KeyboardInterrupt):
            maps_to_video.run(order)
    (left,) = Path("again").iterdir()
    assert left.name.startswith("out.mp4.unfinished-")
    assert f"what is finished lies in {left}; the same command goes on there" in capsys.readouterr().err
    made = killed_in(0, monkeypatch)
    maps_to_video.run(order)
    assert len(made) == made_after
    assert f"goes on in {left}" in capsys.readouterr().err
    assert sorted(path.name for path in Path("again").iterdir()) == ["frames.zip", "out.mp4"]
    for name in ("frames.zip", "out.mp4"):
        assert Path("again", name).read_bytes() == Path("whole", name).read_bytes()


def test_several_videos_side_by_side_go_on_too(asked, monkeypatch):
    """Of five frames and three, in parts of two: stopped in the fifth step, four frames are kept."""
    parts_of(2, asked)
    orders = [
        asked.order("plain", out=Path(name), lossless=Path(name) / "frames", batch=2, frames_per_second=15.0) for name in ("whole", "again")
    ]
    maps_to_video.run(orders[0])
    with monkeypatch.context() as patched:
        killed_in(5, patched)
        with pytest.raises(KeyboardInterrupt):
            maps_to_video.run(orders[1])
    made = killed_in(0, monkeypatch)
    maps_to_video.run(orders[1])
    assert len(made) == 1
    for path in (path for path in Path("whole").rglob("*") if path.is_file()):
        assert path.read_bytes() == (Path("again") / path.relative_to("whole")).read_bytes()


def test_what_was_made_of_other_weights_is_not_gone_on_with(asked, monkeypatch):
    parts_of(2, asked)
    order = asked.order("data/mine", clip="first")
    with monkeypatch.context() as patched:
        killed_in(4, patched)
        with pytest.raises(KeyboardInterrupt):
            maps_to_video.run(order)
    save_untrained(asked.root / "data/mine/train", asked.kind)
    made = killed_in(0, monkeypatch)
    maps_to_video.run(order)
    assert len(made) == 5


def test_results_may_lie_on_another_file_system(asked):
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as elsewhere:
        if Path(elsewhere).stat().st_dev == asked.root.stat().st_dev:
            pytest.skip("there is only one file system here")
        for lossless in (Path(elsewhere) / "frames.zip", Path(elsewhere) / "frames"):
            maps_to_video.run(asked.order("data/mine", clip="second", lossless=lossless))
        assert sorted(path.name for path in Path(elsewhere).iterdir()) == ["frames", "frames.zip"]
        np.testing.assert_array_equal(images(lossless), arrays.reading(lossless.with_suffix(".zip"))["rgb"][:])


def test_the_command_says_what_it_made_and_ends_with_status_1_where_it_could_not(asked):
    command = [sys.executable, "-m", "pipeline", "synthesize", "--checkpoint", "data/mine/train", "--maps", "plain/second"]
    command += ["--out", "out.mp4", "--device", "cpu", "--lossless", "frames.zip"]
    environment = {"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"}
    refused = subprocess.run(command, cwd=asked.root, env=environment, capture_output=True, text=True)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("error: second: its maps do not say how fast") and refused.stderr.count("\n") == 1
    done = subprocess.run([*command, "--frames-per-second", "15"], cwd=asked.root, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "out.mp4\n"), done.stderr
    assert arrays.reading(asked.root / "frames.zip")["rgb"].shape == (3, 32, 48, 3)
