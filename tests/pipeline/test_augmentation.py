import cv2
import numpy as np
import pytest
import torch

from models.warp import warp
from pipeline import face_sketch, palettes, params
from pipeline.augmentation import Change, drawn, dropped_parts, require_possible, spacing
from pipeline.errors import InputError
from pipeline.maps import MapKind
from pipeline.pose_map import LIMBS, drawing
from tests.pipeline.test_face_sketch import GREY, face

HEIGHT, WIDTH = 60, 90
WHOLE = (slice(0, HEIGHT), slice(0, WIDTH))
CHANGES = {
    "mirrored": Change(*WHOLE, (HEIGHT, WIDTH), True),
    "cut": Change(slice(3, 53), slice(7, 77), (50, 70), False),
    "enlarged": Change(slice(11, 51), slice(20, 80), (HEIGHT, WIDTH), False),
    "enlarged and mirrored": Change(slice(5, 50), slice(10, 80), (HEIGHT, WIDTH), True),
    "made smaller": Change(slice(2, 58), slice(4, 84), (35, 50), False),
    "made smaller and mirrored": Change(slice(0, 50), slice(1, 81), (40, 64), True),
    "sides unlike": Change(slice(10, 30), slice(20, 80), (40, 80), False),
}
changes = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


def settings(**values: object) -> params.Augmentation:
    none = {"flip": 0.0, "scale_range": [1.0, 1.0], "crop": None, "spacing": [1], "drop_parts": 0.0}
    return params.Augmentation.model_validate(none | values)


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def kind(pose: int = 0) -> MapKind:
    return MapKind(palettes.load("camvid"), True, 0, pose)


def texture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Smooth: three colours of waves of 20 to 40 pixels."""
    waves = [np.sin(x / 5 + y / 9), np.cos(x / 4 - y / 6), np.sin(y / 4)]
    return np.rint(128 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)


def moving() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An earlier frame, the frame, and the exact flow from this to that: a turn and a shift of up to 9 pixels."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    moved = np.stack([5 + 0.05 * (y - 30), -4 + 0.05 * (45 - x)], axis=-1)
    return texture(x, y), texture(x + moved[..., 0], y + moved[..., 1]), moved.astype(np.float32)


def warped(earlier: np.ndarray, optical_flow: np.ndarray) -> np.ndarray:
    image = torch.from_numpy(earlier).movedim(-1, 0)[None].float()
    return warp(image, torch.from_numpy(optical_flow).movedim(-1, 0)[None])[0].movedim(0, -1).numpy()


def worst(earlier: np.ndarray, frame: np.ndarray, optical_flow: np.ndarray, confidence: np.ndarray) -> float:
    """Levels, where the flow is sure."""
    return float(np.abs(warped(earlier, optical_flow) - frame)[confidence > 0].max())


@changes
def test_the_changed_earlier_frame_warped_by_the_changed_flow_is_the_changed_frame(change):
    earlier, frame, moved = moving()
    changed_earlier, changed_frame = change.rgb(np.stack([earlier, frame]))
    changed = change.optical_flow(moved[None])
    sure = change.confidence(np.full((1, HEIGHT, WIDTH), 255, np.uint8), changed)[0]
    assert (sure > 0).mean() > 0.5
    assert worst(changed_earlier, changed_frame, changed[0], sure) < 6
    if change.rows == WHOLE[0] or change.size != (50, 70):  # but cut alone, flow is what it was
        kept = cv2.resize(moved[change.rows, change.columns], change.size[::-1])
        assert worst(changed_earlier, changed_frame, kept, sure) > 40


def test_each_side_of_the_flow_grows_by_its_own_ratio():
    """Of the two ratios, either for both is wrong."""
    change = CHANGES["sides unlike"]  # 2 down, 4/3 across
    earlier, frame, moved = moving()
    changed_earlier, changed_frame = change.rgb(np.stack([earlier, frame]))
    sure = change.confidence(np.full((1, HEIGHT, WIDTH), 255, np.uint8), change.optical_flow(moved[None]))[0]
    for ratio in (2, 4 / 3):
        alike = cv2.resize(moved[change.rows, change.columns], change.size[::-1]) * np.float32(ratio)
        assert worst(changed_earlier, changed_frame, alike, sure) > 40


@changes
def test_all_that_belongs_to_a_pixel_lies_where_its_centre_does(change):
    """Of frames, maps and flow that say where they are: column for column the place of the new centre among the old ones."""
    columns = np.tile(np.arange(WIDTH), (1, HEIGHT, 1))
    ratio = change.size[1] / (change.columns.stop - change.columns.start)
    place = (np.arange(change.size[1]) + 0.5) / ratio - 0.5 + change.columns.start
    place = np.tile(place[::-1] if change.mirrored else place, (change.size[0], 1))
    inner = np.s_[3:-3, 3:-3]  # at the border there is nothing to go on from
    rgb = change.rgb(np.repeat(2 * columns[..., None], 3, axis=-1).astype(np.uint8))[0]
    np.testing.assert_allclose(rgb[inner], np.repeat(2 * place[..., None], 3, axis=-1)[inner], atol=1)
    for dtype in (np.uint16, np.int32):
        np.testing.assert_allclose(change.instance(columns.astype(dtype))[0], place, atol=0.501)
    for one in (change.label, lambda x: change.pose(x[..., None])[..., 0]):
        np.testing.assert_allclose(one(columns.astype(np.uint8))[0], place, atol=0.501)
    still = np.zeros((1, *change.size, 2), np.float32)
    np.testing.assert_allclose(change.confidence(columns.astype(np.uint8), still)[0], place, atol=0.501)
    across = -ratio if change.mirrored else ratio
    for dtype, tolerance in ((np.float32, 1e-4), (np.float16, 1 / 16)):  # of 64 to 128 pixels, float16 has steps of 1/16
        moved = change.optical_flow(np.repeat(columns[..., None], 2, axis=-1).astype(dtype))[0]
        np.testing.assert_allclose(moved[inner][..., 0], across * place[inner], atol=tolerance)


def test_flow_that_leads_out_of_what_is_seen_is_not_trusted_and_all_other_is():
    """What a warp shows there is the border, which is not what the frame has."""
    change = Change(slice(10, 50), slice(20, 80), (40, 60), False)
    earlier, _, _ = moving()
    moved = np.full((1, HEIGHT, WIDTH, 2), (-6.5, 3), np.float16)
    changed = change.optical_flow(moved)
    sure = change.confidence(np.full((1, HEIGHT, WIDTH), 200, np.uint8), changed)
    expected = np.full((40, 60), 200)
    expected[:, :7], expected[-3:] = 0, 0  # x < 6.5, y > 36
    np.testing.assert_array_equal(sure[0], expected)
    outside = np.abs(warped(earlier[10:50, 20:80], changed[0]) - warped(earlier, moved[0].astype(np.float32))[10:50, 20:80])
    assert outside[expected == 0].mean() > 10 and outside[expected > 0].max() < 0.1


ARRAYS = {
    "rgb": np.zeros((3, HEIGHT, WIDTH, 3), np.uint8),
    "label": np.zeros((3, HEIGHT, WIDTH), np.uint8),
    "instance": np.zeros((3, HEIGHT, WIDTH), np.uint16),
    "edge": np.zeros((3, HEIGHT, WIDTH, 1), np.uint8),
    "sketch": np.zeros((3, HEIGHT, WIDTH, 15), np.uint8),
    "pose": np.zeros((3, HEIGHT, WIDTH, 6), np.uint8),
    "optical_flow": np.zeros((3, HEIGHT, WIDTH, 2), np.float16),
}


@changes
@pytest.mark.parametrize("name", ARRAYS)
def test_any_number_of_frames_is_changed_into_as_many_that_lie_one_after_another(change, name):
    for frames in range(4):
        changed = getattr(change, name.replace("sketch", "edge"))(ARRAYS[name][:frames])
        assert changed.shape == (frames, *change.size, *ARRAYS[name].shape[3:])
        assert changed.flags.c_contiguous
        assert changed.dtype == ARRAYS[name].dtype
        assert not changed.any()


def test_where_nothing_changes_arrays_are_returned_as_they_are():
    change = drawn(random(), settings(), HEIGHT, WIDTH)
    for name, array in ARRAYS.items():
        assert getattr(change, name.replace("sketch", "edge"))(array) is array
    confidence = np.full((3, HEIGHT, WIDTH), 255, np.uint8)
    assert change.confidence(confidence, np.full((3, HEIGHT, WIDTH, 2), 1e3, np.float16)) is confidence


@pytest.mark.parametrize(
    ("p", "size"),
    [
        (settings(flip=0.5, scale_range=[1.0, 1.7]), (HEIGHT, WIDTH)),
        (settings(flip=0.5, scale_range=[0.6, 2.0], crop=[48, 36]), (36, 48)),
        (settings(flip=0.5, scale_range=[0.5, 0.5], crop=[45, 30]), (30, 45)),
        (settings(flip=0.5, scale_range=[200.0, 300.0]), (HEIGHT, WIDTH)),
    ],
)
def test_every_draw_has_the_same_size_and_takes_as_much_of_the_random_numbers(p, size):
    require_possible(p, kind(), HEIGHT, WIDTH)
    for seed in range(200):
        used, other = random(seed), random(seed)
        change = drawn(used, p, HEIGHT, WIDTH)
        assert change.label(ARRAYS["label"]).shape[1:] == change.size == size
        drawn(other, settings(), HEIGHT, WIDTH)
        assert used.random() == other.random()


def test_factors_places_and_mirrored_ones_are_drawn_from_all_that_are_possible():
    p = settings(flip=0.25, scale_range=[0.8, 1.25], crop=[45, 45])
    found = [drawn(random(seed), p, HEIGHT, WIDTH) for seed in range(2000)]
    assert np.mean([change.mirrored for change in found]) == pytest.approx(0.25, abs=0.04)
    lengths = np.array([change.columns.stop - change.columns.start for change in found])
    assert (lengths.min(), lengths.max()) == (36, 56)  # 45 / 1.25, 45 / 0.8
    assert np.mean(lengths > 45) == pytest.approx(0.5, abs=0.05)  # as often smaller as larger
    places = [change.columns.start / (WIDTH - change.columns.stop + change.columns.start) for change in found]
    np.testing.assert_allclose(np.quantile(places, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.04)
    assert all(change.rows.start >= 0 and change.rows.stop <= HEIGHT for change in found)
    assert max(change.rows.stop for change in found) == HEIGHT and max(change.columns.stop for change in found) == WIDTH


@pytest.mark.parametrize("height", [61, 90, 150, 299])
def test_a_line_of_one_pixel_stays_one_at_its_place_in_any_smaller_picture(height):
    change = Change(slice(0, 300), slice(0, 300), (height, height), False)
    for place in range(0, 300, 7):
        lines = np.zeros((2, 300, 300, 1), np.uint8)
        lines[0, :, place], lines[1, place] = 255, 255
        down, across = change.edge(lines)[..., 0]
        assert set(np.unique(down)) == {0, 255} and (down.max(axis=1) == 255).all() and (across.max(axis=0) == 255).all()
        for line in (np.flatnonzero(down.any(axis=0)), np.flatnonzero(across.any(axis=1))):
            np.testing.assert_allclose(line, [(place + 0.5) * height / 300 - 0.5], atol=0.501)


def test_edges_of_a_larger_picture_are_lines_or_nothing():
    edges = cv2.Canny(moving()[0], 100, 200)[None, ..., None]
    assert set(np.unique(edges)) == {0, 255}
    changed = CHANGES["enlarged"].edge(edges)
    assert set(np.unique(changed)) == {0, 255}
    assert changed.mean() == pytest.approx(edges[:, 11:51, 20:80].mean(), rel=0.05)


FACES = {
    "mirrored": (Change(slice(0, 512), slice(0, 512), (512, 512), True), 311, 230, 100),
    "larger": (
        Change(slice(64, 448), slice(32, 416), (512, 512), False),
        (200 - 32 + 0.5) * 4 / 3 - 0.5,
        (166 + 0.5) * 4 / 3 - 0.5,
        400 / 3,
    ),
    "smaller": (Change(slice(0, 512), slice(0, 512), (320, 320), False), 200.5 * 0.625 - 0.5, 230.5 * 0.625 - 0.5, 62.5),
}


@pytest.mark.parametrize("name", FACES)
def test_a_changed_face_sketch_is_the_sketch_of_the_changed_face(name):
    """To within the roundings of both: two pixels of a line, a level and a third of the scale of a distance."""
    change, x, y, size = FACES[name]
    changed = change.edge(face_sketch.draw(GREY, face(200, 230, 100))[None])[0]
    expected = face_sketch.draw(GREY[: change.size[0], : change.size[1]], face(x, y, size))
    near = np.ones((5, 5), np.uint8)
    for one, other in ((changed, expected), (expected, changed)):
        assert not ((one[..., 0] > 0) & (cv2.dilate(other[..., 0], near) == 0)).any()
    apart = np.abs(changed[..., 1:].astype(int) - expected[..., 1:])[expected[..., 1:] < 250]
    assert apart.max() <= 3 and apart.mean() < 0.6
    assert np.abs(changed.astype(int) - np.roll(expected, 1, axis=-1)).mean() > 10


def test_a_frame_without_a_face_and_a_line_that_is_not_seen_stay_what_they_are():
    sketch = np.zeros((1, HEIGHT, WIDTH, 15), np.uint8)
    sketch[..., 8] = 255
    for change in (*CHANGES.values(), Change(slice(0, 15), slice(0, 20), (HEIGHT, WIDTH), False)):
        changed = change.edge(sketch)
        assert (changed[..., 10 if change.mirrored else 8] == 255).all()
        assert changed.any(axis=(0, 1, 2)).sum() == 1


def test_every_part_limb_hand_and_face_is_left_out_as_often_as_was_asked_for():
    p = settings(drop_parts=0.3)
    found = [dropped_parts(random(seed), p) for seed in range(1500)]
    for part in range(1, 25):
        assert np.mean([part in dropped.parts for dropped in found]) == pytest.approx(0.3, abs=0.05)
    for limb in range(len(LIMBS)):
        assert np.mean([limb in dropped.limbs for dropped in found]) == pytest.approx(0.3, abs=0.05)
    for hand in (0, 1):
        assert np.mean([hand in dropped.hands for dropped in found]) == pytest.approx(0.3, abs=0.05)
    assert np.mean([dropped.face for dropped in found]) == pytest.approx(0.3, abs=0.05)
    assert set().union(*(dropped.parts for dropped in found)) == set(range(1, 25))


def test_nothing_is_left_out_at_0_and_all_at_1():
    keypoints = np.ones((1, 137, 3), np.float32)
    keypoints[0, :, :2] = random().integers(0, 60, (137, 2))
    none, everything = (dropped_parts(random(), settings(drop_parts=share)) for share in (0.0, 1.0))
    np.testing.assert_array_equal(drawing(keypoints, 64, 64, none), drawing(keypoints, 64, 64))
    assert not drawing(keypoints, 64, 64, everything).any()
    assert everything.parts == set(range(1, 25))


def test_what_is_left_out_takes_as_much_of_the_random_numbers_at_any_share():
    after = []
    for share in (0.0, 0.05, 1.0):
        used = random(3)
        dropped_parts(used, settings(drop_parts=share))
        after.append(used.random())
    assert len(set(after)) == 1


@pytest.mark.parametrize(
    ("num_frames", "needed", "possible"),
    [(10, 4, {1, 2, 3}), (9, 4, {1, 2}), (7, 4, {1, 2}), (6, 4, {1}), (4, 4, {1}), (3, 4, {1}), (1, 1, {1, 2, 3})],
)
def test_frames_lie_as_far_apart_as_the_clip_has_room_for(num_frames, needed, possible):
    p = settings(spacing=[3, 1, 2])
    found, after = set(), set()
    for seed in range(60):
        used, other = random(seed), random(seed)
        found.add(spacing(used, p, num_frames, needed))
        other.random()
        after.add(used.random() == other.random())
    assert (found, after) == (possible, {True})


@pytest.mark.parametrize(
    ("p", "pose", "sentence"),
    [
        (settings(flip=0.5), 6, "train.augmentation.flip is 0.5: poses have no mirrored form, it must be 0 for them"),
        (settings(drop_parts=0.05), 0, "train.augmentation.drop_parts is 0.05, but the maps have no poses: it must be 0"),
        (
            settings(scale_range=[0.9, 1.0]),
            0,
            "90x60 pixels, scaled by 0.9 (scale_range), are smaller than 90x60 (the stored size: crop is ",
        ),
        (settings(scale_range=[0.5, 1.0], crop=[46, 30]), 0, "scaled by 0.5 (scale_range), are smaller than 46x30 (crop)"),
        (settings(crop=[90, 61]), 0, "scaled by 1.0 (scale_range), are smaller than 90x61 (crop)"),
    ],
)
def test_what_cannot_be_changed_so_is_refused_in_a_sentence(p, pose, sentence):
    with pytest.raises(InputError) as refused:
        require_possible(p, kind(pose), HEIGHT, WIDTH)
    assert sentence in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("p", "pose"),
    [
        (settings(drop_parts=0.05, scale_range=[1.0, 1.2]), 3),
        (settings(flip=1.0, scale_range=[0.5, 3.0], crop=[45, 30]), 0),
        (settings(crop=[90, 60]), 0),
    ],
)
def test_what_can_be_is_not_refused(p, pose):
    require_possible(p, kind(pose), HEIGHT, WIDTH)


@changes
def test_a_point_goes_where_what_it_points_at_does(change):
    """To the middle of a bright square, of which all is seen."""
    whole = [(x, y) for x, y in ((30, 25), (55, 40)) if change.rows.start + 4 < y < change.rows.stop - 4]
    assert whole
    for x, y in whole:
        frame = np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)
        frame[:, y - 3 : y + 4, x - 3 : x + 4] = 255
        light = change.rgb(frame)[0, ..., 0].astype(np.float64)
        rows, columns = np.mgrid[: light.shape[0], : light.shape[1]]
        middle = [(light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()]
        np.testing.assert_allclose(change.points(np.array([[x, y]], np.float64))[0], middle, atol=0.3)


@changes
def test_a_point_that_is_cut_away_is_none_and_one_at_the_border_is_kept(change):
    first, last = (change.columns.start, change.rows.start), (change.columns.stop - 1, change.rows.stop - 1)
    beyond = [(first[0] - 1, first[1]), (first[0], first[1] - 1), (last[0] + 1, last[1]), (last[0], last[1] + 1), (np.nan, np.nan)]
    assert np.isnan(change.points(np.array(beyond, np.float64))).all()
    kept = change.points(np.array([first, last], np.float64))
    assert (np.rint(kept) >= 0).all() and (np.rint(kept) < change.size[::-1]).all()
