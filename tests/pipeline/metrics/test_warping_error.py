import numpy as np
import pytest

from pipeline.metrics.warping_error import warping_error

SEEN = np.full((6, 8), 255, np.uint8)


def moved(dx: float, dy: float) -> np.ndarray:
    return np.full((6, 8, 2), [dx, dy], np.float16)


def test_a_video_that_moves_as_its_optical_flow_says_has_no_error():
    world = np.random.default_rng(0).integers(0, 256, (6, 20, 3), np.uint8)
    earlier, frame = world[:, 2:10], world[:, 5:13]  # the camera went 3 pixels to the right
    seen = np.zeros((6, 8), np.uint8)
    seen[:, :5] = 255  # what is farther right was outside
    assert warping_error(frame, earlier, optical_flow=moved(3, 0), confidence=seen) == pytest.approx(0, abs=1e-10)
    assert warping_error(frame, earlier, optical_flow=moved(0, 0), confidence=seen) > 0.01


def test_the_error_is_the_mean_squared_difference_in_colours_from_0_to_1():
    earlier, frame = np.zeros((6, 8, 3), np.uint8), np.zeros((6, 8, 3), np.uint8)
    frame[..., 0] = 51  # 0.2 in one of three channels
    assert warping_error(frame, earlier, optical_flow=moved(0, 0), confidence=SEEN) == pytest.approx(0.2**2 / 3)


def test_half_a_pixel_is_interpolated():
    ramp = np.repeat(np.arange(0, 80, 10, dtype=np.uint8)[None, :, None], 6, axis=0).repeat(3, axis=2)
    seen = SEEN.copy()
    seen[:, -1] = 0
    assert warping_error(ramp + 5, ramp, optical_flow=moved(0.5, 0), confidence=seen) == pytest.approx(0, abs=1e-9)


def test_only_pixels_with_a_confidence_from_128_count():
    earlier, frame = np.zeros((6, 8, 3), np.uint8), np.zeros((6, 8, 3), np.uint8)
    frame[:3] = 255
    below = np.full((6, 8), 127, np.uint8)
    below[3:] = 128
    assert warping_error(frame, earlier, optical_flow=moved(0, 0), confidence=below) == 0
    assert warping_error(frame, earlier, optical_flow=moved(0, 0), confidence=SEEN) == pytest.approx(0.5)


def test_without_a_confident_pixel_there_is_no_error_to_speak_of():
    black = np.zeros((6, 8, 3), np.uint8)
    assert warping_error(black, black, optical_flow=moved(0, 0), confidence=SEEN * 0) is None
