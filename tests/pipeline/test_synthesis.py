"""Frames made one by one, against the networks' own forward passes over whole videos."""

import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from mapped_clips import MappedClips
from untrained import save_untrained, save_untrained_image_generator

from models.video_generator import State
from pipeline import arrays, layout, synthesis
from pipeline.checkpoint import TrainedGenerator, TrainedImageGenerator
from pipeline.maps import ClipMaps, MapKind
from pipeline.synthesis import FirstFrames, Synthesis, Video, drawn_by, given_by
from pipeline.tensors import foreground_of, frames_to_tensor, maps_to_tensor, tensor_to_frames

PAST = 2


class Street:
    """Test clips of several lengths and networks of random weights."""

    def __init__(self, root: Path, **lengths: int) -> None:
        self.clips = MappedClips(root, {"labels"})
        for clip, num_frames in lengths.items():
            self.clips.add(clip, "test", num_frames)
        self.kind = MapKind.of(self.clips.map_folders().of(next(iter(lengths))))

    def maps(self, clip: str) -> ClipMaps:
        return ClipMaps(self.clips.map_folders().of(clip), self.kind)

    def video(self, clip: str, first: FirstFrames | None = None) -> Video:
        maps = self.maps(clip)
        return Video(maps, range(len(maps)), first)

    def real(self, clip: str) -> arrays.ArrayView:
        return arrays.reading(layout.arrays(self.clips.folder("clips") / clip, "frames"))["rgb"]

    def generator(self, **changed: object) -> TrainedGenerator:
        save_untrained(self.clips.folder("train"), self.kind, **changed)
        return TrainedGenerator(layout.networks(self.clips.folder("train")), "cpu")

    def image_generator(self, **changed: int) -> TrainedImageGenerator:
        save_untrained_image_generator(self.clips.folder("train_image_generator"), self.kind, **changed)
        return TrainedImageGenerator(layout.networks(self.clips.folder("train_image_generator")), "cpu")


@pytest.fixture
def street(tmp_path: Path) -> Street:
    return Street(tmp_path, long=9, short=6, tiny=1)


def made(generator: TrainedGenerator, *videos: Video, done: int = 0, state: State | None = None) -> list[np.ndarray]:
    return [frame.rgb for frame in Synthesis(generator, videos, "cpu").frames(done, state)]


@torch.no_grad()
def forward(generator: TrainedGenerator, maps: ClipMaps, past: np.ndarray | None) -> np.ndarray:
    """What the network makes of the whole video at once; after `past`, of what comes after it."""
    shown = [*([0] * PAST if past is None else []), *range(len(maps))]
    tensor = maps_to_tensor(maps, shown)[None]
    before = None if past is None else frames_to_tensor(past)[None]
    return tensor_to_frames(generator.network(tensor, foreground_of(tensor, generator.kind), before).image[0])


def test_frames_from_nothing_are_those_of_the_whole_video_at_once(street):
    generator = street.generator()
    frames = np.concatenate(made(generator, street.video("long")))
    np.testing.assert_array_equal(frames, forward(generator, street.maps("long"), None))
    assert frames.std() > 20 and all((frames[t] != frames[t + 1]).any() for t in range(8))


def test_given_frames_come_first_bit_for_bit_and_the_model_goes_on_from_them(street):
    generator, real = street.generator(), street.real("long")
    frames = np.concatenate(made(generator, street.video("long", given_by(real, range(9)))))
    np.testing.assert_array_equal(frames[:PAST], real[:PAST])
    np.testing.assert_array_equal(frames[PAST:], forward(generator, street.maps("long"), real[:PAST]))
    assert (frames[PAST:] != forward(generator, street.maps("long"), None)[PAST:]).any()


def test_of_a_part_the_given_frames_are_the_parts_own(street):
    assert (given_by(street.real("long"), range(3, 8))(2) == street.real("long")[3:5]).all()
    assert (given_by(street.real("long"), range(8, 9))(2) == street.real("long")[8:9]).all()


@pytest.mark.parametrize("local_blocks", [0, 1])
def test_an_image_generator_makes_the_first_frames_from_their_own_maps(street, local_blocks):
    generator, drawing, maps = street.generator(), street.image_generator(local_blocks=local_blocks), street.maps("long")
    frames = np.concatenate(made(generator, street.video("long", drawn_by(drawing, maps, range(9), "cpu"))))
    with torch.no_grad():
        alone = tensor_to_frames(drawing.network(maps_to_tensor(maps, [0, 1])[None]).image[0])
    np.testing.assert_array_equal(frames[:PAST], alone)
    np.testing.assert_array_equal(frames[PAST:], forward(generator, maps, alone))


def test_a_video_shorter_than_the_past_is_its_first_frames(street):
    generator, real = street.generator(), street.real("tiny")
    frames = made(generator, street.video("tiny", given_by(real, range(1))))
    np.testing.assert_array_equal(np.concatenate(frames), real[:])


def test_a_generator_without_a_past_makes_every_frame_alone(street):
    generator = street.generator(each_alone=True)
    difference = np.concatenate(made(generator, street.video("long"))).astype(int) - forward(generator, street.maps("long"), None)
    assert np.abs(difference).max() <= 1  # there all frames are one batch


@pytest.mark.parametrize("begin", ["nothing", "given"])
def test_videos_side_by_side_are_those_made_alone(street, begin):
    """But for rounding: normalisation of a batch adds in another order, and each frame amplifies what the one before it has."""
    generator, maps, real = street.generator(), street.maps("long"), street.real("long")
    parts = (range(0, 4), range(5, 8), range(4, 5))
    videos = [Video(maps, used, given_by(real, used) if begin == "given" else None) for used in parts]
    together = made(generator, *videos)
    beside = [np.stack([frames[number] for frames in together if number < len(frames)]) for number in range(3)]
    for video, frames in zip(videos, beside, strict=True):
        alone = np.concatenate(made(generator, video))
        assert frames.shape == alone.shape
        assert np.abs(frames.astype(int) - alone).max() <= 2
    assert np.abs(beside[0][:3].astype(int) - beside[1]).max() > 40  # they are two videos


@pytest.mark.parametrize("begin", ["nothing", "given"])
def test_a_video_goes_on_from_any_frame_as_if_it_had_never_stopped(street, begin):
    generator = street.generator()
    video = street.video("short", given_by(street.real("short"), range(6)) if begin == "given" else None)
    whole = list(Synthesis(generator, [video], "cpu").frames(0, None))
    for done in range(1, 7):
        rest = made(generator, video, done=done, state=whole[done - 1].state)
        assert len(rest) == 6 - done
        for frame, again in zip(whole[done:], rest, strict=True):
            np.testing.assert_array_equal(frame.rgb, again)


def test_what_is_held_does_not_grow_with_the_video(tmp_path, monkeypatch):
    """Counted: maps and frames that are alive whenever a frame is asked for."""

    def most_alive(num_frames: int) -> int:
        street = Street(tmp_path / str(num_frames), clip=num_frames)
        seen: list[weakref.ref] = []
        counts = []

        def counting(function):
            def counted(*arguments):
                found = function(*arguments)
                seen.append(weakref.ref(found))
                counts.append(sum(one() is not None for one in seen))
                return found

            return counted

        for name in ("stored_maps", "tensor_to_frames"):
            monkeypatch.setattr(synthesis, name, counting(getattr(synthesis, name)))
        for _ in Synthesis(street.generator(), [street.video("clip")], "cpu").frames(0, None):
            pass
        monkeypatch.undo()
        assert len(counts) >= 2 * num_frames
        return max(counts)

    assert most_alive(30) == most_alive(10) < 10
