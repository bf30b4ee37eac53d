import numpy as np
import pytest

from pipeline import arrays, layout, pose_formats
from pipeline.maps import ClipMaps, MapFolders, MapKind
from pipeline.pose_map import LIMBS, Dropped, channels, drawing, pose_map, surface_map


def person(**points: tuple[float, float, float]) -> np.ndarray:
    """By `p` and their numbers, the points that are found."""
    keypoints = np.zeros((1, 137, 3), np.float32)
    for name, values in points.items():
        keypoints[0, int(name[1:])] = values
    return keypoints


def written(tmp_path, **values: np.ndarray) -> arrays.Clip:
    path = layout.arrays(tmp_path, "pose")
    path.unlink(missing_ok=True)
    with arrays.writing(path, {"width": 64, "height": 48}) as writer:
        for name, value in values.items():
            writer.append(name, value)
    return arrays.reading(path)


def test_both_are_six_channels_one_alone_three(tmp_path):
    surface, skeleton = np.full((48, 64, 3), 24, np.uint8), person(p2=(10, 10, 1), p3=(10, 30, 1))
    both = written(tmp_path, iuv=surface, keypoints=skeleton)
    assert channels(both) == 6
    np.testing.assert_array_equal(pose_map(both, 0)[..., :3], surface_map(surface))
    np.testing.assert_array_equal(pose_map(both, 0)[..., 3:], drawing(skeleton, 48, 64))
    for name, value, wanted in (("iuv", surface, surface_map(surface)), ("keypoints", skeleton, drawing(skeleton, 48, 64))):
        alone = written(tmp_path, **{name: value})
        assert channels(alone) == 3
        np.testing.assert_array_equal(pose_map(alone, 0), wanted)


def test_parts_are_spread_over_all_levels_and_u_and_v_stay():
    iuv = np.array([[[0, 0, 0], [1, 7, 9], [12, 100, 200], [24, 255, 255]]], np.uint8)
    assert surface_map(iuv).tolist() == [[[0, 0, 0], [11, 7, 9], [128, 100, 200], [255, 255, 255]]]


def test_a_limb_is_a_line_between_its_points_and_nowhere_else():
    drawn = drawing(person(p2=(10, 10, 1), p3=(10, 30, 1)), 48, 64).any(axis=-1)
    rows, columns = np.nonzero(drawn)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 30, 10, 10)


@pytest.mark.parametrize(("a", "b", "least"), [(2, 3, 0.01), (95, 96, 0.01), (25, 26, 0.1)], ids=["body", "hand", "face"])
def test_points_below_the_least_score_are_not_drawn(a, b, least):
    for score, shown in ((least * 0.9, False), (least * 1.1, True)):
        assert drawing(person(**{f"p{a}": (10, 10, 1), f"p{b}": (10, 30, score)}), 48, 64).any() == shown


def test_a_part_that_is_dropped_is_background_and_the_others_are_as_they_were():
    iuv = np.array([[[0, 0, 0], [1, 7, 9], [12, 100, 200], [24, 255, 255]]], np.uint8)
    whole, lacking = surface_map(iuv), surface_map(iuv, Dropped(parts=frozenset({1, 24})))
    assert lacking.tolist() == [[[0, 0, 0], [0, 0, 0], whole[0, 2].tolist(), [0, 0, 0]]]
    assert iuv[0, 1].tolist() == [1, 7, 9]


def test_what_is_dropped_is_not_drawn_and_all_else_is():
    """Each limb, hand and face has a corner of the picture to itself, where it is or is not."""
    body = {f"p{n}": (8 * n + 4, 10, 1) for n in (2, 3, 5, 6)}  # the upper arms
    hands = {f"p{first + n}": (8 * (first > 100) + 4 * n + 4, 30, 1) for first in (95, 116) for n in (0, 1)}
    person_of_all = person(**body, **hands, p25=(40, 40, 1), p26=(50, 40, 1))
    whole = drawing(person_of_all, 48, 64)
    for dropped, without in (
        (Dropped(limbs=frozenset({LIMBS.index((2, 3))})), ("p2", "p3")),
        (Dropped(limbs=frozenset({LIMBS.index((5, 6))})), ("p5", "p6")),
        (Dropped(hands=frozenset({0})), ("p95", "p96")),
        (Dropped(hands=frozenset({1})), ("p116", "p117")),
        (Dropped(face=True), ("p25", "p26")),
    ):
        others = {**body, **hands, "p25": (40, 40, 1), "p26": (50, 40, 1)}
        expected = drawing(person(**{name: values for name, values in others.items() if name not in without}), 48, 64)
        np.testing.assert_array_equal(drawing(person_of_all, 48, 64, dropped), expected)
        assert (expected != whole).any()


def test_a_clips_poses_lack_what_is_dropped_in_every_frame(tmp_path):
    surface, skeleton = np.full((48, 64, 3), 24, np.uint8), person(p2=(10, 10, 1), p3=(10, 30, 1))
    written(tmp_path, iuv=surface, keypoints=skeleton)
    folders = MapFolders(None, None, None, tmp_path)
    clip = ClipMaps(folders, MapKind.of(folders))
    whole, lacking = clip.poses([0, 0]), clip.poses([0, 0], Dropped(parts=frozenset({24}), limbs=frozenset({LIMBS.index((2, 3))})))
    assert whole[..., :3].any(axis=(1, 2, 3)).all() and whole[..., 3:].any(axis=(1, 2, 3)).all()
    assert not lacking.any()


def test_lines_grow_with_the_picture():
    thickness = [(drawing(person(p2=(50, 50, 1), p3=(50, 90, 1)), side, side)[70] > 0).any(axis=-1).sum() for side in (128, 256, 512)]
    assert thickness[0] == 1 and thickness[0] < thickness[1] < thickness[2]


def test_right_and_left_have_colours_of_their_own_on_a_real_person(shared_data):
    """Where the shoulders' limbs run: from the neck to the right shoulder and to the left one."""
    keypoints = pose_formats.read_openpose(shared_data / "frames/openpose_ref/test_keypoints.json")[:1]
    picture = drawing(keypoints, 512, 512)
    neck, right, left = (keypoints[0, n, :2] for n in (1, 2, 5))
    colours = [tuple(picture[tuple(np.rint((neck + side) / 2).astype(int)[::-1])].tolist()) for side in (right, left)]
    assert colours[0] != colours[1] and (0, 0, 0) not in colours
    assert 0.005 < picture.any(axis=-1).mean() < 0.05
