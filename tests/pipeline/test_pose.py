"""The stage on poses that its source gives, which are known."""

import numpy as np
import pytest

from pipeline import arrays, layout, params
from pipeline.errors import InputError
from pipeline.extractors.pose import Surface
from pipeline.pose import pasted, run_clip

HEIGHT, WIDTH = 48, 64


def section(**changes: object) -> params.Pose:
    return params.Pose(**{"backend": "given", "options": {}, "people": 1, "batch_size": 3, "carry": 2, "missing": "cut", **changes})


def someone(x: float, size: float = 20.0) -> np.ndarray:
    keypoints = np.zeros((137, 3), np.float32)
    keypoints[:25, :2] = np.random.default_rng(3).uniform(-0.5, 0.5, (25, 2)) * (size / 2, size) + (x, HEIGHT / 2)
    keypoints[:25, 2] = 0.8
    return keypoints


def made(tmp_path, people: list[list[np.ndarray]], p: params.Pose, iuv: list[np.ndarray] | None = None) -> arrays.Clip:
    """Runs the stage on a clip whose frames show these people, in this order."""
    clip, out = tmp_path / "walk_000000", tmp_path / "out"
    clip.mkdir()
    out.mkdir()
    slots = max(1, *map(len, people))
    with arrays.writing(layout.arrays(clip, "frames"), {}) as writer:
        for _ in people:
            writer.append("rgb", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    with arrays.writing(layout.arrays(clip, "pose"), {}) as writer:
        for t, found in enumerate(people):
            writer.append("keypoints", np.stack([*found, *[np.zeros((137, 3), np.float32)] * (slots - len(found))]))
            if iuv is not None:
                writer.append("iuv", iuv[t])
    run_clip(clip, out, p, {"key": "k"}, "cpu")
    return arrays.reading(layout.arrays(out, "pose"))


def test_the_same_person_has_the_same_place_whatever_the_order_in_the_frame(tmp_path):
    frames = [[someone(20 + t, 30), someone(50 - t)] for t in range(5)]
    swapped = [people[:: 1 if t % 2 else -1] for t, people in enumerate(frames)]
    result = made(tmp_path, swapped, section(people=2))
    assert (result["keypoints"].shape, result["keypoints"].dtype) == ((5, 2, 137, 3), np.float32)
    np.testing.assert_array_equal(result["keypoints"][0:5], np.array(frames))
    assert result.attributes["missing"] == result.attributes["carried"] == []
    assert (result.attributes["width"], result.attributes["height"]) == (WIDTH, HEIGHT)


def test_people_beyond_those_who_are_kept_are_dropped_and_places_without_anybody_are_zero(tmp_path):
    one = made(tmp_path, [[someone(50), someone(20, 30)]] * 2, section(people=1))
    np.testing.assert_array_equal(one["keypoints"][0:2], [[someone(20, 30)]] * 2)
    (tmp_path / "more").mkdir()
    three = made(tmp_path / "more", [[someone(50), someone(20, 30)]] * 2, section(people=3))
    np.testing.assert_array_equal(three["keypoints"][1], [someone(20, 30), someone(50), np.zeros((137, 3))])


def test_short_gaps_are_carried_over_and_longer_ones_are_zero_and_listed(tmp_path):
    there = [0, 1, 4, 5, 9, 10]  # gaps of two and three frames, and one at the end
    frames = [[someone(30 + t)] if t in there else [] for t in range(12)]
    result = made(tmp_path, frames, section(carry=2))
    assert result.attributes["carried"] == [2, 3, 11]
    assert result.attributes["missing"] == [6, 7, 8]
    np.testing.assert_array_equal(result["keypoints"][3][0], someone(31))
    assert not result["keypoints"][6:9].any()


def test_a_short_gap_at_the_start_takes_the_first_one_and_a_longer_one_is_missing(tmp_path):
    result = made(tmp_path, [[], [], [someone(30)], [someone(31)]], section(carry=2))
    assert (result.attributes["missing"], result.attributes["carried"]) == ([], [0, 1])
    np.testing.assert_array_equal(result["keypoints"][0:2], [[someone(30)]] * 2)
    (tmp_path / "longer").mkdir()
    longer = made(tmp_path / "longer", [[], [], [someone(30)]], section(carry=1))
    assert (longer.attributes["missing"], longer.attributes["carried"]) == ([0, 1], [])


def test_refused_is_a_clip_with_a_long_gap_by_its_name_and_the_frames(tmp_path):
    frames = [[someone(30)] if t in (0, 4, 6) else [] for t in range(7)]
    with pytest.raises(InputError, match=r"walk_000000: the main person is not there in frames 1-3, 5, and pose.missing is refuse"):
        made(tmp_path, frames, section(carry=0, missing="refuse"))
    assert not list((tmp_path / "out").iterdir())


def test_a_clip_without_anybody_is_refused_or_all_missing(tmp_path):
    result = made(tmp_path, [[], [], []], section())
    assert result.attributes["missing"] == [0, 1, 2]
    assert not result["keypoints"][0:3].any()
    (tmp_path / "again").mkdir()
    with pytest.raises(InputError, match=r"walk_000000: no frame shows a person, and pose.missing is refuse"):
        made(tmp_path / "again", [[], [], []], section(missing="refuse"))


def test_each_person_has_the_surface_around_his_points_and_a_dropped_one_has_none(tmp_path):
    iuv = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    iuv[10:40, 12:28] = 2, 50, 60
    iuv[14:34, 45:55] = 7, 80, 90
    iuv[12:14, 57:59] = 9, 9, 9  # in nobody: nearest to the one at the right
    people = [[someone(50), someone(20, 30)]] * 2
    both = made(tmp_path, people, section(people=2), [iuv] * 2)
    np.testing.assert_array_equal(both["iuv"][1], iuv)
    assert both["person"][1][[20, 20, 13, 0], [20, 50, 57, 0]].tolist() == [1, 2, 2, 0]
    (tmp_path / "one").mkdir()
    one = made(tmp_path / "one", people, section(people=1), [iuv] * 2)
    assert set(np.unique(one["person"][0])) == {0, 1} and not one["iuv"][0][:, 40:].any()
    np.testing.assert_array_equal(one["person"][0] > 0, one["iuv"][0][..., 0] > 0)


def test_of_overlapping_surfaces_the_better_one_is_seen_and_what_is_outside_is_cut_off():
    near = Surface(2, 2, np.full((4, 4, 3), 5, np.uint8))
    far = Surface(-1, -2, np.full((6, 6, 3), 9, np.uint8))
    iuv, slot = pasted([near, None, far], [0.9, 0.0, 0.5], 8, 5)
    assert slot.tolist()[1] == [3, 3, 3, 3, 3, 0, 0, 0]
    assert slot.tolist()[3] == [3, 3, 1, 1, 1, 1, 0, 0]
    assert iuv[3, :, 0].tolist() == [9, 9, 5, 5, 5, 5, 0, 0]
    assert pasted([near, None, far], [0.5, 0.0, 0.9], 8, 5)[1][3, 3] == 3


def test_a_person_without_a_point_in_the_picture_is_not_there(tmp_path):
    result = made(tmp_path, [[someone(30)], [someone(30) + np.float32([200, 0, 0])]], section(carry=0))
    assert result.attributes["missing"] == [1]
