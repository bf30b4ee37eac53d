"""The stage: files that are the same however often it was stopped, and what a video begins with."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from mapped_clips import MappedClips
from untrained import save_untrained, save_untrained_image_generator

from models.video_generator import VideoGenerator
from pipeline import arrays, layout, params, synthesize, video
from pipeline.errors import InputError
from pipeline.maps import MapKind

FRAMES, PAST = 7, 2


class Street:
    def __init__(self, root: Path) -> None:
        self.root, self.clips = root, MappedClips(root, {"labels"})
        self.clips.add("drive", "test", FRAMES)
        self.kind = MapKind.of(self.clips.map_folders().of("drive"))
        save_untrained(root / "train", self.kind)

    def synthesized(self, name: str, first_frame: str = "itself", part_frames: int = 3, function=synthesize.run_clip) -> Path:
        """Like the store, which begins with an empty folder and keeps the work's."""
        out, work = self.root / "outs" / name, self.root / "works" / name
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        work.mkdir(parents=True, exist_ok=True)
        trained = {stage: self.root / stage for stage in ("train", "train_image_generator")}
        if function is synthesize.run_clip_per_frame:
            trained = {"train_per_frame": self.root / "train_per_frame"}
        function(
            self.clips.folder("clips") / "drive",
            **{stage: folder and folder / "drive" for stage, folder in self.clips.maps().items()},
            **trained,
            out=out,
            work=work,
            p=params.Synthesize(first_frame=first_frame, part_frames=part_frames, crf=20),
            made_by={"key": "k"},
            device="cpu",
        )
        return out

    def real(self) -> np.ndarray:
        return arrays.reading(layout.arrays(self.clips.folder("clips") / "drive", "frames"))["rgb"][:]


def frames(out: Path) -> np.ndarray:
    return arrays.reading(layout.arrays(out, "frames"))["rgb"][:]


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.fixture
def street(tmp_path: Path) -> Street:
    return Street(tmp_path)


class Stopping:
    """Counts the frames that the network makes, and stops it before one of them, once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made, self.stop_after, step = 0, -1, VideoGenerator.step

        def counted(*arguments):
            if self.made == self.stop_after:
                raise KeyboardInterrupt
            self.made += 1
            return step(*arguments)

        monkeypatch.setattr(VideoGenerator, "step", counted)

    def once(self, after: int) -> None:
        self.made, self.stop_after = 0, after

    def never(self) -> None:
        self.made, self.stop_after = 0, -1


@pytest.mark.parametrize(
    ("first_frame", "part_frames", "stop_after", "left"),
    [
        ("itself", 3, 2, 7),  # in the first part: all again
        ("itself", 3, 3, 4),
        ("itself", 3, 5, 4),
        ("itself", 1, 5, 2),
        ("given", 3, 2, 4),  # two are given, and two made: three frames are a part
        ("given", 1, 0, 5),  # after both given ones
        ("given", 4, 3, 3),
    ],
)
def test_stopped_and_run_again_it_gives_the_same_bytes_and_makes_no_finished_part_again(
    street, monkeypatch, first_frame, part_frames, stop_after, left
):
    stopping = Stopping(monkeypatch)
    whole = contents(street.synthesized("whole", first_frame, part_frames))
    assert sorted(whole) == ["frames.zip", "video.mp4"]
    stopping.once(stop_after)
    with pytest.raises(KeyboardInterrupt):
        street.synthesized("stopped", first_frame, part_frames)
    stopping.never()
    assert contents(street.synthesized("stopped", first_frame, part_frames)) == whole
    assert stopping.made == left


def test_stopped_twice_and_then_while_parts_are_joined_it_gives_the_same_bytes(street, monkeypatch):
    whole, stopping = contents(street.synthesized("whole")), Stopping(monkeypatch)
    for after in (4, 3):
        stopping.once(after)
        with pytest.raises(KeyboardInterrupt):
            street.synthesized("stopped")
    stopping.never()
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(arrays.Writer, "append_stored", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        street.synthesized("stopped")
    stopping.never()
    assert contents(street.synthesized("stopped")) == whole
    assert stopping.made == 0


def test_the_size_of_parts_changes_no_byte(street):
    assert len({tuple(sorted(contents(street.synthesized(str(size), part_frames=size)).items())) for size in (1, 3, 7, 100)}) == 1


def test_the_mp4_is_that_of_the_lossless_frames(street):
    out = street.synthesized("whole")
    video.write_mp4(street.root / "again.mp4", iter(frames(out)), "15/1", 20)
    assert layout.video(out).read_bytes() == (street.root / "again.mp4").read_bytes()


def test_given_frames_are_the_clips_own_and_the_rest_is_made(street):
    made, real = street.synthesized("given", "given"), street.real()
    given, about = frames(made), arrays.reading(layout.arrays(made, "frames")).attributes
    assert given.shape == real.shape and (about["begins_with"], about["given_frames"]) == ("given", PAST)
    np.testing.assert_array_equal(given[:PAST], real[:PAST])
    assert (given[PAST] != real[PAST]).any()
    assert (given[PAST:] != frames(street.synthesized("itself"))[PAST:]).any()


def test_the_image_generators_frames_come_first(street):
    save_untrained_image_generator(street.root / "train_image_generator", street.kind)
    drawn, itself = frames(street.synthesized("drawn", "image_generator")), frames(street.synthesized("itself"))
    assert drawn.shape == itself.shape and (drawn[:PAST] != itself[:PAST]).any() and (drawn[:PAST] != street.real()[:PAST]).any()


def test_an_image_generator_that_is_not_there_or_knows_other_maps_is_refused(street):
    with pytest.raises(InputError, match="first_frame is image_generator, but .* is not there: train_image_generator.enabled is false"):
        street.synthesized("drawn", "image_generator")
    save_untrained_image_generator(street.root / "train_image_generator", MapKind(None, False, 15, 0))
    with pytest.raises(InputError, match="drive: its maps are labels .*; the image generator was trained on 15 edge channels"):
        street.synthesized("drawn", "image_generator")


def test_the_generator_without_a_past_needs_no_first_frame(street):
    assert not contents(street.synthesized("none", "given", function=synthesize.run_clip_per_frame))  # it was not trained
    save_untrained(street.root / "train_per_frame", street.kind, each_alone=True)
    made = [frames(street.synthesized(name, name, function=synthesize.run_clip_per_frame)) for name in ("given", "itself")]
    np.testing.assert_array_equal(*made)
    assert len(made[0]) == FRAMES
