from pathlib import Path

import numpy as np

from pipeline import params
from pipeline.sources import items_of, open_item

CAR = 13
SMALL = {"width": 48, "height": 24, "strides": [1], "frames_per_second": 15}


def source(**changes: int) -> params.SampleStreet:
    numbers = {"seed": 1, "train_clips": 2, "train_frames": 3, "test_clips": 1, "test_frames": 2, "long_frames": 0, "approach_frames": 0}
    return params.SampleStreet.model_validate({"kind": "sample_street", **SMALL, **numbers, **changes})


def test_a_long_clip_and_an_approach_are_clips_for_testing() -> None:
    found = {item.name: open_item(item, Path()) for item in items_of(source(long_frames=20, approach_frames=5), [])}
    assert {name: (footage.num_frames, footage.test_from) for name, footage in found.items()} == {
        "train-0000": (3, 3),
        "train-0001": (3, 3),
        "test-0000": (2, 0),
        "long-0000": (20, 0),
        "approach-0000": (5, 0),
    }


def test_zero_frames_mean_no_such_clip() -> None:
    assert [item.name for item in items_of(source(), [])] == ["train-0000", "train-0001", "test-0000"]


def test_in_the_approach_a_car_fills_more_of_the_picture_from_frame_to_frame() -> None:
    *_, item = items_of(source(approach_frames=20), [])
    frames = list(open_item(item, Path()).frames)
    largest = np.bincount(frames[-1].instance[frames[-1].instance > 0]).argmax()
    assert set(frames[-1].label[frames[-1].instance == largest]) == {CAR}
    sizes = [int((frame.instance == largest).sum()) for frame in frames]
    assert sizes[-1] > 4 * sizes[0] > 0
    assert np.diff(sizes[:10]).min() > 0  # later its lower edge leaves the picture


def test_no_two_clips_of_any_kind_or_of_neighbouring_seeds_have_the_same_random_numbers() -> None:
    seeds = [item.parameters["seed"] for seed in (0, 1, 2) for item in items_of(source(seed=seed, long_frames=2, approach_frames=2), [])]
    assert len(set(seeds)) == len(seeds) == 15


def test_a_clip_is_the_same_whatever_the_number_of_clips() -> None:
    few = {item.name: item for item in items_of(source(), [])}
    many = {item.name: item for item in items_of(source(train_clips=5, test_clips=3, long_frames=9), [])}
    assert all(many[name] == item for name, item in few.items())
