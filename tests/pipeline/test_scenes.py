"""Two places, seen by a camera that moves: the cut between them is known to the frame."""

from collections.abc import Iterator

import numpy as np
import pytest

from pipeline import scenes

HEIGHT, WIDTH = 72, 128


def place(seed: int, dark: bool = False) -> np.ndarray:
    """A wide picture of coloured blocks, of which a camera sees a part."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 90 if dark else 256, (9, 200, 3)).astype(np.uint8)
    return blocks.repeat(8, axis=0).repeat(8, axis=1)


def seen(picture: np.ndarray, num_frames: int, speed: int) -> Iterator[np.ndarray]:
    for t in range(num_frames):
        yield picture[:, speed * t : speed * t + WIDTH]


@pytest.mark.parametrize("speed", [0, 1, 3])
@pytest.mark.parametrize("cut", [1, 2, 5, 30, 58, 59])
def test_a_cut_is_found_at_its_frame_however_near_the_ends_it_is(speed, cut):
    frames = [*seen(place(1), cut, speed), *seen(place(2, dark=True), 60 - cut, speed)]
    assert scenes.shots(frames, 3.0) == (cut,)


@pytest.mark.parametrize("speed", [0, 1, 6, 12, 40])
def test_a_camera_that_moves_makes_no_scene(speed):
    assert scenes.shots(seen(place(3), 30, speed), 3.0) == ()


def test_two_cuts_soon_after_one_another_are_both_found():
    """Otherwise a clip would begin with the first and hold the second."""
    frames = [*seen(place(1), 20, 1), *seen(place(2, dark=True), 5, 1), *seen(place(4), 20, 1)]
    assert scenes.shots(frames, 3.0) == (20, 25)


def test_the_threshold_says_how_much_a_cut_must_stand_out():
    """Of a camera as fast as this every frame differs much: its cut stands out less."""
    frames = [*seen(place(1), 20, 4), *seen(place(2, dark=True), 20, 4)]
    assert scenes.shots(frames, 3.0) == (20,)
    assert scenes.shots(frames, 5.0) == ()


def test_no_frames_and_one_frame_have_no_cut():
    assert scenes.shots([], 3.0) == ()
    assert scenes.shots(seen(place(1), 1, 0), 3.0) == ()
