"""Videos in the forms that people have, written by the test: each frame's brightness tells its number."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from pipeline import arrays, layout, manifest, new_dataset, params, prepare, runner, video
from pipeline.clips import run_item
from pipeline.errors import InputError
from pipeline.sources import Item, open_item
from pipeline.sources.videos import check, items
from tests.conftest import REPOSITORY

STEP = 8
"""Of brightness from a frame to the next: more than any codec takes away."""


def source(**changes: object) -> params.Videos:
    values = {"kind": "videos", "path": ".", "frames_per_second": None, "scene_threshold": None, "splits": None}
    return params.Videos(**{**values, "test_videos": [], "test_frames": 0, **changes})


def numbered(num_frames: int, height: int = 32, width: int = 48) -> list[np.ndarray]:
    return [np.full((height, width, 3), STEP * n, np.uint8) for n in range(num_frames)]


def number(rgb: np.ndarray) -> int:
    return round(float(rgb.mean()) / STEP)


def write(
    path: Path,
    pictures: list[np.ndarray],
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    milliseconds: Sequence[int] | None = None,
    rate: int = 30,
    **context: int,
) -> None:
    """Any codec and pixel format; `milliseconds` says when each frame is shown."""
    base = Fraction(1, 1000) if milliseconds else Fraction(1, rate)
    options = {"x265-params": "log-level=none:pools=none:frame-threads=1"} if codec == "libx265" else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options={"crf": "5", **options} if codec.startswith("lib") else {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.time_base, stream.codec_context.time_base = pix_fmt, base, base
        if not codec.startswith("lib"):
            stream.codec_context.bit_rate = 8_000_000
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        for n, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = milliseconds[n] if milliseconds else n, base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def numbers(path: Path, frames_per_second: float | None = None) -> list[int]:
    """Of its frames, which are as many as its properties promise."""
    found = [number(rgb) for rgb in video.frames(path, frames_per_second)]
    assert len(found) == video.properties(path, frames_per_second).num_frames
    return found


@pytest.mark.parametrize(
    ("ending", "codec", "pix_fmt", "context"),
    [
        ("mp4", "libx264", "yuv420p", {}),
        ("mp4", "libx264", "yuv420p10le", {}),
        ("mp4", "libx265", "yuv420p10le", {}),
        ("mp4", "libx265", "yuv420p", {}),
        ("webm", "libvpx-vp9", "yuv420p", {}),
        ("webm", "libvpx", "yuv420p", {}),
        ("mov", "libx264", "yuv444p", {}),
        ("mp4", "libx264", "gray", {"color_range": 2}),
        ("mkv", "ffv1", "gray", {}),
        ("avi", "mpeg4", "yuv420p", {}),
        ("avi", "libx264", "yuv420p", {}),
        ("avi", "mjpeg", "yuvj420p", {}),
    ],
)
def test_every_usual_codec_depth_and_container_gives_all_frames_in_order(tmp_path, ending, codec, pix_fmt, context):
    path = tmp_path / f"a.{ending}"
    write(path, numbered(30, 64, 96), codec, pix_fmt, **context)
    assert numbers(path) == list(range(30))
    assert video.properties(path) == video.VideoProperties(30, 64, 96, "30/1")
    rgb = next(video.frames(path))
    assert rgb.dtype == np.uint8 and rgb.shape == (64, 96, 3)


@pytest.mark.parametrize(("height", "width"), [(33, 47), (31, 48), (32, 49)])
def test_odd_sizes_are_kept(tmp_path, height, width):
    path = tmp_path / "a.mp4"
    write(path, numbered(5, height, width), pix_fmt="yuv444p")
    assert (video.properties(path).height, video.properties(path).width) == (height, width)
    assert next(video.frames(path)).shape == (height, width, 3)


@pytest.mark.parametrize(("curve", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused_with_what_to_do(tmp_path, curve, name):
    path = tmp_path / "a.mp4"
    write(path, numbered(5), "libx264", "yuv420p10le", color_trc=curve)
    for read in (video.properties, lambda path: next(video.frames(path))):
        with pytest.raises(InputError, match=rf"a\.mp4: is HDR video \({name}\); convert it to standard range first"):
            read(path)


@pytest.mark.parametrize(
    ("rate", "frames"),
    [
        (None, list(range(30))),
        (30.0, list(range(30))),
        (15.0, list(range(0, 30, 2))),
        (10.0, list(range(0, 30, 3))),
        (20.0, [0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19, 21, 22, 24, 25, 27, 28]),
        (1.0, [0]),
        (14.0, [0, 2, 4, 6, 9, 11, 13, 15, 17, 19, 21, 24, 26, 28]),
    ],
)
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_lower_rate_takes_frames_evenly(tmp_path, ending, rate, frames):
    """In Matroska times are rounded to milliseconds."""
    path = tmp_path / f"a.{ending}"
    write(path, numbered(30))
    assert numbers(path, rate) == frames


def test_the_rate_that_is_asked_for_is_the_clips_rate(tmp_path):
    write(tmp_path / "a.mp4", numbered(30))
    assert video.properties(tmp_path / "a.mp4", 7.5).frames_per_second == "15/2"
    (item,) = items(source(frames_per_second=15.0), ["a.mp4"])
    footage = open_item(item, tmp_path)
    assert (footage.num_frames, footage.frames_per_second) == (15, "15/1")
    assert [number(frame.rgb) for frame in footage.frames] == list(range(0, 30, 2))


def test_a_higher_rate_than_the_videos_is_refused_with_both(tmp_path):
    write(tmp_path / "a.mp4", numbered(10))
    with pytest.raises(InputError, match=r"a\.mp4: source\.frames_per_second is 50, but it has 30: that many at most"):
        video.properties(tmp_path / "a.mp4", 50.0)


VARIABLE = [0, 33, 67, 100, 133, 167, 200, 323, 357, 390, 590, 623, 657, 690]
"""Milliseconds of a phone in bad light: 30 frames/s with two gaps."""


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_variable_rate_is_refused_and_the_setting_named(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    write(path, numbered(len(VARIABLE)), milliseconds=VARIABLE)
    with pytest.raises(InputError, match=r"its frame rate varies, 5 to 30\.3 frames/s: set source\.frames_per_second"):
        video.properties(path)
    (finding,) = [finding for finding in check(source(), {path.name: 1}, tmp_path) if finding.what == "videos"]
    assert "set source.frames_per_second" in finding.wrong[0]


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize(("rate", "at"), [(10.0, [0, 100, 200, 323, 390, 590, 590]), (5.0, [0, 200, 390, 590]), (30.0, None)])
def test_a_variable_rate_becomes_a_constant_one_of_the_nearest_frames(tmp_path, ending, rate, at):
    path = tmp_path / f"a.{ending}"
    write(path, numbered(len(VARIABLE)), milliseconds=VARIABLE)
    nearest = [min(VARIABLE, key=lambda ms: abs(ms - 1000 * n / rate)) for n in range(21)]
    assert numbers(path, rate) == [VARIABLE.index(ms) for ms in (at or nearest)]


def test_times_that_a_container_rounds_are_a_constant_rate(tmp_path):
    """30 frames/s in milliseconds: 33, 34, 33, ..."""
    path = tmp_path / "a.mkv"
    write(path, numbered(30), milliseconds=[round(1000 * n / 30) for n in range(30)])
    assert numbers(path) == list(range(30))


NAMES = ["my dance 1.mp4", "-dash.mp4", "Tänze/Prélude 舞.MP4", "a'b\"c.mp4", "100%.mp4", "semi;colon&.mov"]


def test_videos_of_any_name_become_clips_with_names_of_their_own(tmp_path):
    for name in NAMES:
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        video.write_mp4(path.with_suffix(".mp4"), numbered(4), "30/1", crf=20)
        path.with_suffix(".mp4").rename(path)
    found = items(source(), NAMES)
    clips = params.Clips(width=48, height=32, crop=None, frames=4, stride=None)
    for item in found:
        out = tmp_path / "out" / item.name
        out.mkdir(parents=True)
        run_item(item, tmp_path / "raw", out, clips, {})
        stored = arrays.reading(layout.arrays(out / f"{item.name}_000000", "frames"))["rgb"]
        assert [number(rgb) for rgb in stored[:]] == [0, 1, 2, 3]
    assert [item.name for item in found] == ["my_dance_1", "dash", "Tänze-Prélude_舞", "a_b_c", "100_", "semi_colon_"]


def prepared(project: Path, **values: str) -> None:
    """A data set `mine` of the videos in raw/, of which single settings of the catalog's entry are changed."""
    text = (REPOSITORY / layout.PARAMS).read_text().replace("workers: 2", "workers: 1")
    layout.PARAMS.write_text(text)
    new_dataset.run("mine", project / "raw", like="dance")
    before, entry = layout.PARAMS.read_text().split("\n  mine:\n")
    for old, new in {
        "crop: [512, 720], ": "",
        "width: 512, height: 720": "width: 48, height: 32",
        "frames: 60": "frames: 4",
        **values,
    }.items():
        assert old in entry, old
        entry = entry.replace(old, new, 1)
    flownet2 = "      backend: ptlflow\n      options: {model: flownet2, weights: ptlflow-flownet2-things}\n"
    options = "{weights: densepose-rcnn_R_50_FPN_s1x, folder_weights: openpose/models}"
    poses = f"      backend: densepose_and_openpose\n      options: {options}\n"
    entry = entry.replace(flownet2, "").replace(poses, "      backend: null\n")
    layout.PARAMS.write_text(f"{before}\n  mine:\n{entry}")
    prepare.run("mine")


def test_links_to_videos_and_folders_are_followed_and_a_folder_can_be_for_testing(project):
    """Dancers as folders, one of them linked; nothing is copied."""
    (project / "elsewhere" / "second").mkdir(parents=True)
    (project / "raw" / "first").mkdir(parents=True)
    video.write_mp4(project / "elsewhere" / "film.mp4", numbered(8), "30/1", crf=20)
    video.write_mp4(project / "elsewhere" / "second" / "other.mp4", numbered(5), "30/1", crf=20)
    (project / "raw" / "first" / "a.mp4").symlink_to(project / "elsewhere" / "film.mp4")
    (project / "raw" / "second").symlink_to(project / "elsewhere" / "second")
    prepared(project, **{"test_videos: [test]": "test_videos: [second]"})
    assert runner.run("clips", "mine").failed == []
    clips = manifest.clips(layout.stage("mine", "clips"))
    assert list(zip(clips["clip"], clips["split"], clips["num_frames"], strict=True)) == [
        ("first-a_000000", "train", 4),
        ("first-a_000004", "train", 4),
        ("second-other_000000", "test", 5),
    ]


def test_a_folder_for_testing_that_is_not_there_is_refused(project):
    with pytest.raises(InputError, match=r"source\.test_videos: there is no test in \.; there are first/a\.mp4"):
        items(source(test_videos=["test"]), ["first/a.mp4", "tests/b.mp4"])


def test_an_empty_video_fails_alone_and_is_named(project):
    (project / "raw" / "test").mkdir(parents=True)
    video.write_mp4(project / "raw" / "test" / "good.mp4", numbered(5), "30/1", crf=20)
    (project / "raw" / "empty.mp4").touch()
    (project / "raw" / "notes.txt").write_text("no video")
    prepared(project)
    summary = runner.run("clips", "mine")
    assert summary.computed == 1
    assert [(outcome.name, outcome.problem) for outcome in summary.failed] == [
        ("empty", f"{project / 'raw' / 'empty.mp4'}: is empty; a video is needed")
    ]
    found = {finding.what: finding for finding in check(source(), {"empty.mp4": 0, "test/good.mp4": 9, "notes.txt": 8}, project / "raw")}
    assert (found["videos"].found, found["other files"].found) == (2, 1)
    assert found["videos"].wrong == (f"{project / 'raw' / 'empty.mp4'}: is empty; a video is needed",)


def test_videos_whose_names_become_the_same_are_refused_before_any_work(project):
    (project / "raw" / "test").mkdir(parents=True)
    for name in ("a b.mp4", "a_b.mp4", "test/c.mp4"):
        video.write_mp4(project / "raw" / name, numbered(5), "30/1", crf=20)
    prepared(project)
    with pytest.raises(InputError, match="two sequences would be called a_b: rename a file or folder of one"):
        runner.run("clips", "mine")


def split_of(found: list[Item]) -> dict[str, object]:
    return {item.name: item.parameters["test"] for item in found}


def test_a_table_decides_for_each_video_and_what_it_forgets_fails_alone(tmp_path):
    rows = [("a.mp4", "train"), ("b c.mp4", "test"), ("d.mp4", "none")]
    pd.DataFrame(rows, columns=["sequence", "split"]).to_csv(tmp_path / "splits.csv", index=False)
    files = ["a.mp4", "b c.mp4", "d.mp4", "e.mp4", "splits.csv"]
    found = items(source(path=str(tmp_path), splits="splits.csv", test_frames=3), files)
    assert split_of(found) == {"a": 0, "b_c": "all", "e": 3}
    assert [item.problem for item in found] == ["", "", "has no row in splits.csv: give it the split train, test or none"]


def test_the_last_frames_of_a_video_are_for_testing_at_the_rate_that_is_taken(tmp_path):
    write(tmp_path / "a.mp4", numbered(30))
    (item,) = items(source(frames_per_second=15.0, test_frames=5), ["a.mp4"])
    assert open_item(item, tmp_path).test_from == 10
    (item,) = items(source(frames_per_second=15.0, test_frames=16), ["a.mp4"])
    with pytest.raises(InputError, match=r"a\.mp4: has 15 frames, source\.test_frames asks for 16"):
        open_item(item, tmp_path)


def test_a_video_is_cut_where_its_scene_changes_at_the_rate_that_is_taken(tmp_path):
    """Two places at 30 frames/s, 24 frames of the first: at 15 frames/s the second begins with frame 12."""
    random = np.random.default_rng(0)
    places = [random.integers(0, high, (4, 40, 3)).astype(np.uint8).repeat(16, 0).repeat(16, 1) for high in (90, 256)]
    frames = [place[:, t : t + 96] for place in places for t in range(24)]
    write(tmp_path / "a.mp4", frames)
    for rate, cut in ((None, 24), (15.0, 12)):
        (item,) = items(source(frames_per_second=rate, scene_threshold=3.0), ["a.mp4"])
        assert open_item(item, tmp_path).shots == (cut,)
    (item,) = items(source(), ["a.mp4"])
    assert open_item(item, tmp_path).shots == ()


def test_a_phones_upright_film_is_shown_and_cut_upright(tmp_path):
    """Filmed lying; the track header says: turn it. Above is what was left."""
    path = tmp_path / "a.mp4"
    lying = np.zeros((32, 48, 3), np.uint8)
    lying[:, :24] = 240
    video.write_mp4(path, [lying] * 4, "30/1", crf=10)
    data = bytearray(path.read_bytes())
    upright = b"\x00\x01\x00\x00" + bytes(12) + b"\x00\x01\x00\x00" + bytes(12) + b"\x40\x00\x00\x00"
    clockwise = bytes(4) + b"\x00\x01\x00\x00" + bytes(4) + b"\xff\xff\x00\x00" + bytes(16) + b"\x40\x00\x00\x00"
    matrix = data.index(upright, data.index(b"tkhd"))
    data[matrix : matrix + 36] = clockwise
    path.write_bytes(data)
    (item,) = items(source(), ["a.mp4"])
    clips = params.Clips(width=32, height=16, crop=[32, 16], frames=4, stride=None)
    run_item(item, tmp_path, tmp_path, clips, {})
    rgb = arrays.reading(layout.arrays(tmp_path / "a_000000", "frames"))["rgb"][0]
    assert rgb.shape == (16, 32, 3)
    assert rgb[:7].mean() > 220 and rgb[9:].mean() < 20


def test_a_video_that_a_new_table_forgot_fails_though_it_was_imported_before(project):
    """Its older result lies in the store, under a key that does not know of the table."""
    (project / "raw").mkdir()
    for name in ("a.mp4", "b.mp4"):
        video.write_mp4(project / "raw" / name, numbered(9 if name == "a.mp4" else 8), "30/1", crf=20)
    prepared(project, **{"test_videos: [test]": "test_videos: []"})
    assert runner.run("clips", "mine").failed == []
    (project / "raw" / "splits.csv").write_text("sequence,split\na.mp4,test\n")
    layout.PARAMS.write_text(layout.PARAMS.read_text().replace("splits: null", "splits: splits.csv"))
    prepare.run("mine")
    failed = runner.run("clips", "mine").failed
    assert [(outcome.name, outcome.problem) for outcome in failed] == [
        ("b", "has no row in splits.csv: give it the split train, test or none")
    ]
