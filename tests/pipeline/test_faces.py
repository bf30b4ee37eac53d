import cv2
import numpy as np
import pytest

from pipeline import video
from pipeline.errors import InputError
from pipeline.faces import Face, followed, looks, main_person, overlap, steady


def face(left: float, top: float, size: float) -> Face:
    return Face(float(left), float(top), float(left + size), float(top + size))


def test_overlap_is_intersection_over_union():
    assert overlap(face(0, 0, 10), face(0, 0, 10)) == 1
    assert overlap(face(0, 0, 10), face(5, 0, 10)) == pytest.approx(50 / 150)
    assert overlap(face(0, 0, 10), face(20, 20, 10)) == 0


def test_the_face_with_the_largest_mean_area_is_followed_however_the_looks_are_ordered():
    """Both move; the small one is named first in every other look, and is larger once."""
    seen = {}
    for n in range(6):
        large, small = face(100 + 3 * n, 50, 40), face(20, 60 + 2 * n, 50 if n == 3 else 30)
        seen[5 * n] = [large, small] if n % 2 else [small, large]
    assert [f.left for f in followed(seen, range(0, 30), 0).values()] == [100, 103, 106, 109, 112, 115]


def test_only_looks_at_the_clips_own_frames_count():
    seen = {0: [face(0, 0, 90)], 10: [face(100, 0, 20)], 20: [face(102, 0, 20)], 30: [face(0, 0, 90)]}
    assert followed(seen, range(10, 30), 0) == {10: face(100, 0, 20), 20: face(102, 0, 20)}


def test_a_face_may_be_lost_as_often_as_is_allowed_and_is_the_same_when_it_comes_back():
    seen = {0: [face(0, 0, 20)], 5: [], 10: [face(4, 0, 20)], 15: [face(5, 0, 20)]}
    assert len(followed(seen, range(20), 1)) == 3
    with pytest.raises(InputError, match="frames 0 to 19: a face is seen in 3 of 4 looks, it may be lost in 0"):
        followed(seen, range(20), 0)


def test_a_head_that_moves_by_its_own_width_between_looks_is_followed_and_its_neighbour_is_another():
    seen = {5 * n: [face(20 * n, 0, 20), face(20 * n + 33, 0, 19)] for n in range(4)}
    assert [f.left for f in followed(seen, range(20), 0).values()] == [0, 20, 40, 60]


def test_who_is_gone_does_not_take_over_the_neighbours_face():
    """The larger one, named first, leaves after the first look; the other is within its reach."""
    seen = {0: [face(0, 0, 24), face(22, 0, 20)], 5: [face(22, 0, 20)], 10: [face(21, 0, 20)]}
    assert [f.left for f in followed(seen, range(15), 0).values()] == [22, 22, 21]


def test_two_people_one_after_the_other_are_not_one_face():
    seen = {0: [face(0, 0, 20)], 5: [face(0, 0, 20)], 10: [face(100, 0, 20)], 15: [face(100, 0, 20)]}
    with pytest.raises(InputError, match="seen in 2 of 4 looks, it may be lost in 1"):
        followed(seen, range(20), 1)


@pytest.mark.parametrize("most_lost", [0, 9])
def test_a_clip_without_any_face_is_refused_however_often_it_may_be_lost(most_lost):
    with pytest.raises(InputError, match="frames 0 to 9: a face is seen in 0 of 2 looks"):
        followed({0: [], 5: []}, range(10), most_lost)


def test_a_large_face_that_is_soon_gone_is_not_the_clips():
    seen = {0: [face(0, 0, 90), face(200, 0, 20)], 5: [face(200, 0, 20)], 10: [face(201, 0, 20)]}
    assert [f.left for f in followed(seen, range(15), 1).values()] == [200, 200, 201]


def test_the_main_person_fills_most_of_all_frames_together_not_of_one():
    """A large face in two of six frames, a smaller one in all."""
    seen = {t: [*([face(200, 0, 40)] if t < 2 else []), face(2 * t, 0, 30)] for t in range(6)}
    assert main_person(seen) == {t: face(2 * t, 0, 30) for t in range(6)}
    assert main_person({0: [], 1: []}) == {}


def test_a_steady_way_is_straight_where_the_face_moves_straight_and_short_losses_are_bridged():
    """Seen in frames 0 to 19 but for 8, 9 and from 14 on; a Gaussian keeps a straight line, away from its ends."""
    person = {t: face(10 + 2 * t, 5, 20) for t in range(14) if t not in (8, 9)}
    way = steady(person, range(20), 2, 1.0)
    assert list(way) == list(range(14))
    for t in range(4, 10):
        assert way[t].left == pytest.approx(10 + 2 * t, abs=1e-3)
        assert (way[t].top, way[t].bottom) == pytest.approx((5, 25))
    assert list(steady(person, range(20), 1, 1.0)) == [*range(8), *range(10, 14)]


def test_a_file_without_the_network_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(b"no network" * 100)
    with pytest.raises(InputError, match=r"yunet\.onnx: holds no YuNet \(.onnx\) that this OpenCV can read") as refused:
        looks([], 5, path)
    assert "\n" not in str(refused.value)


def test_a_talking_face_is_found_where_it_was_measured_at_any_size(shared_data):
    """Measured by eye in the first frame: cheeks at columns 133 and 378 of 512, hairline and chin at rows 90 and 405 of 480."""
    weights = shared_data / "weights" / "yunet_n_640_640.onnx"
    frames = list(video.frames(shared_data / "clips/face/face_talk_512x480.mp4"))[:11]
    for repeat in (1, 3):
        large = (frame.repeat(repeat, 0).repeat(repeat, 1) for frame in frames)
        seen = looks(large, 5, weights)
        assert list(seen) == [0, 5, 10]
        for (found,) in seen.values():
            assert overlap(found, Face(133.0 * repeat, 90.0 * repeat, 378.0 * repeat, 405.0 * repeat)) > 0.85


def test_a_picture_of_noise_holds_no_face(shared_data):
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    assert looks([noise] * 2, 1, shared_data / "weights" / "yunet_n_640_640.onnx") == {0: [], 1: []}


def test_a_face_rolls_with_the_picture(shared_data):
    """Turned by 20 degrees about its middle, the talking face is turned by 20 degrees more."""
    (frame,) = list(video.frames(shared_data / "clips/face/face_talk_512x480.mp4"))[:1]
    turned = cv2.warpAffine(frame, cv2.getRotationMatrix2D((256, 240), -20, 1), (512, 480))
    seen = looks([frame, turned], 1, shared_data / "weights" / "yunet_n_640_640.onnx")
    assert np.degrees(seen[1][0].roll - seen[0][0].roll) == pytest.approx(20, abs=3)
