"""The frames of the street world against what must be true of any exact rendering."""

import itertools
from functools import cache

import cv2
import numpy as np
import pytest

from pipeline.street_world import RenderedFrame, render, street
from pipeline.street_world.panels import Thing
from pipeline.street_world.world import build

WIDTH, HEIGHT = 128, 64
STRIDES = (1, 3, 9)
CAR, PERSON = 13, 11


@cache
def clip(seed: int, num_frames: int = 12, approach: bool = False) -> list[RenderedFrame]:
    frames = render(seed=seed, num_frames=num_frames, width=WIDTH, height=HEIGHT, strides=STRIDES, approach=approach)
    return list(frames)


def warp(picture: np.ndarray, optical_flow: np.ndarray, interpolation: int) -> np.ndarray:
    rows, columns = np.mgrid[: optical_flow.shape[0], : optical_flow.shape[1]].astype(np.float32)
    return cv2.remap(picture, columns + optical_flow[..., 0], rows + optical_flow[..., 1], interpolation)


def same(first: RenderedFrame, second: RenderedFrame) -> bool:
    return all(
        np.array_equal(a, b)
        for a, b in [
            (first.rgb, second.rgb),
            (first.label, second.label),
            (first.instance, second.instance),
            *((first.optical_flow[k], second.optical_flow[k]) for k in first.optical_flow),
            *((first.visible[k], second.visible[k]) for k in first.visible),
        ]
    )


def test_the_arrays_have_the_promised_types_and_shapes() -> None:
    frame = clip(0)[4]
    assert set(frame.optical_flow) == set(frame.visible) == set(STRIDES)
    assert (frame.rgb.shape, frame.rgb.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
    assert (frame.label.shape, frame.label.dtype) == ((HEIGHT, WIDTH), np.uint8)
    assert (frame.instance.shape, frame.instance.dtype) == ((HEIGHT, WIDTH), np.uint16)
    for stride in STRIDES:
        flow, visible = frame.optical_flow[stride], frame.visible[stride]
        assert (flow.shape, flow.dtype) == ((HEIGHT, WIDTH, 2), np.float32)
        assert (visible.shape, visible.dtype) == ((HEIGHT, WIDTH), np.bool_)
        assert np.isfinite(flow).all()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_street() -> None:
    again = list(render(seed=0, num_frames=12, width=WIDTH, height=HEIGHT, strides=STRIDES, approach=False))
    assert all(same(a, b) for a, b in zip(clip(0), again, strict=True))
    assert not np.array_equal(clip(0)[0].rgb, clip(1)[0].rgb)


@pytest.mark.parametrize("approach", [False, True])
def test_a_frame_does_not_depend_on_how_many_follow(approach: bool) -> None:
    arguments = {"seed": 3, "width": 64, "height": 32, "strides": (1, 3), "approach": approach}
    long = itertools.islice(render(num_frames=400, **arguments), 5)
    assert all(same(a, b) for a, b in zip(render(num_frames=5, **arguments), long, strict=True))


def warp_error(seed: int, stride: int, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Grey levels, at each pixel: the earlier frame, warped by the true flow and that many pixels more, against the later."""
    now, then = clip(seed)[-1], clip(seed)[-1 - stride]
    moved = now.optical_flow[stride] + np.array(shift, np.float32)
    return np.abs(warp(then.rgb.astype(np.float32), moved, cv2.INTER_CUBIC) - now.rgb).mean(axis=-1)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
@pytest.mark.parametrize(("stride", "mean", "median"), [(1, 3.5, 1.5), (3, 5.5, 2.5), (9, 9.0, 5.0)])
def test_warping_the_earlier_frame_reproduces_what_is_visible(seed: int, stride: int, mean: float, median: float) -> None:
    """Grey levels; without the warp it is 7 to 19 in the mean. What is left are outlines, thinner than a pixel or seen at another size."""
    now, then = clip(seed)[-1], clip(seed)[-1 - stride]
    visible = now.visible[stride]
    assert visible.mean() > 0.8
    error = warp_error(seed, stride)[visible]
    assert error.mean() < mean and np.median(error) < median
    assert error.mean() < 0.6 * np.abs(then.rgb.astype(float) - now.rgb)[visible].mean()


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
@pytest.mark.parametrize("stride", STRIDES)
def test_the_pictures_match_best_where_the_optical_flow_says_to_a_twentieth_of_a_pixel(seed: int, stride: int) -> None:
    """The error of warps a quarter of a pixel beside it, to either side, has its lowest point (of a parabola) at the flow itself."""
    visible = clip(seed)[-1].visible[stride]
    for x, y in ((0.25, 0.0), (0.0, 0.25)):
        before, at, after = (warp_error(seed, stride, (side * x, side * y))[visible].mean() for side in (-1, 0, 1))
        assert abs(0.25 * (before - after) / 2 / (before - 2 * at + after)) < 0.05


@pytest.mark.parametrize("stride", STRIDES)
def test_hidden_pixels_are_worse_than_visible_ones(stride: int) -> None:
    error, visible = warp_error(1, stride), clip(1)[-1].visible[stride]
    assert error[~visible].mean() > 3 * error[visible].mean()


@pytest.mark.parametrize("stride", STRIDES)
def test_a_visible_surface_has_its_label_and_its_id_in_the_earlier_frame(stride: int) -> None:
    """Sampled to the nearest pixel centre, so a few on outlines differ."""
    for seed in (0, 1, 2):
        now, then = clip(seed)[-1], clip(seed)[-1 - stride]
        visible = now.visible[stride]
        for name in ("label", "instance"):
            earlier = warp(getattr(then, name), now.optical_flow[stride], cv2.INTER_NEAREST)
            assert (earlier == getattr(now, name))[visible].mean() > 0.95


def test_the_first_frames_have_no_optical_flow() -> None:
    for time, frame in enumerate(clip(0)):
        for stride in STRIDES:
            known = time >= stride
            assert frame.visible[stride].any() == known
            assert frame.optical_flow[stride].any() == known


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_an_id_never_jumps(seed: int) -> None:
    """Each object, moved by its optical flow, lies on the same id one frame before, to the nearest pixel."""
    compared = 0
    for then, now in itertools.pairwise(clip(seed)):
        for number in np.unique(now.instance[now.instance > 0]):
            inside = (now.instance == number) & now.visible[1]
            if inside.sum() >= 40:
                compared += 1
                around = cv2.dilate((then.instance == number).astype(np.uint8), np.ones((3, 3), np.uint8))
                assert warp(around, now.optical_flow[1], cv2.INTER_NEAREST)[inside].mean() > 0.95
    assert compared > 0


def test_no_two_things_of_a_long_clip_share_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Thing] = []
    monkeypatch.setattr(street, "build", lambda things, **rest: built.extend(things) or build(things, **rest))
    street.world(0, 2000, approach=False)
    ids = [thing.instance for thing in built if thing.instance]
    assert len(ids) > 300
    assert len(set(ids)) == len(ids)
    assert max(ids) < 2**16


def test_an_id_keeps_its_label_and_exactly_cars_and_persons_have_one() -> None:
    for seed in range(4):
        labels_of: dict[int, set[int]] = {}
        for frame in clip(seed):
            things = np.isin(frame.label, (CAR, PERSON))
            assert np.array_equal(frame.instance > 0, things)
            for number in np.unique(frame.instance[things]):
                labels_of.setdefault(int(number), set()).update(np.unique(frame.label[frame.instance == number]))
        assert all(len(labels) == 1 for labels in labels_of.values())


def test_the_street_shows_its_classes() -> None:
    shown = set().union(*(np.unique(frame.label) for seed in range(4) for frame in clip(seed)))
    assert {0, 1, 2, 5, 8, 10, PERSON, CAR} <= shown


@pytest.mark.parametrize("seed", [0, 5])
def test_an_approach_makes_a_car_at_least_four_times_as_large(seed: int) -> None:
    first, *_, last = clip(seed, num_frames=20, approach=True)
    middle = last.instance[HEIGHT * 5 // 8, WIDTH // 2]
    assert middle > 0
    assert (last.instance == middle).sum() > 4 * (first.instance == middle).sum() > 0


@pytest.mark.parametrize(("width", "height"), [(64, 32), (48, 80), (17, 16), (100, 30)])
def test_other_sizes_work(width: int, height: int) -> None:
    *_, frame = render(seed=1, num_frames=3, width=width, height=height, strides=(2,), approach=False)
    assert frame.rgb.shape == (height, width, 3)
    assert frame.visible[2].any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 15}, "width is 15"),
        ({"height": 0}, "height is 0"),
        ({"num_frames": 0}, "num_frames is 0"),
        ({"strides": (1, 0)}, "strides has 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_wrong_arguments_are_refused_by_name_and_value(wrong: dict, message: str) -> None:
    arguments = {"seed": 0, "num_frames": 2, "width": 64, "height": 32, "strides": (1,), "approach": False}
    with pytest.raises(ValueError, match=message):
        render(**(arguments | wrong))
