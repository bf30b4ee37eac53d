import numpy as np

from pipeline import colours


def flow(*vectors: tuple[float, float]) -> np.ndarray:
    return np.array([vectors], np.float16)


def test_no_motion_is_white_and_full_motion_a_full_colour_of_its_direction():
    found = colours.optical_flow_colours(flow((0, 0), (4, 0), (-4, 0), (8, 0)), full=4)[0].tolist()
    assert found == [[255, 255, 255], [255, 0, 0], [0, 255, 255], [255, 0, 0]]


def test_the_wheel_shows_the_colour_of_a_direction_at_its_place():
    wheel = colours.colour_wheel(64)
    assert wheel.shape == (64, 64, 4)
    assert wheel[0, 0, 3] == 0 and wheel[32, 32, 3] == 255
    right, left = wheel[32, 62, :3].astype(int), wheel[32, 1, :3].astype(int)
    assert right[0] > 240 and right[1] < 30
    assert left[0] < 30 and left[1] > 240


def test_full_colour_is_chosen_from_confident_vectors_alone():
    vectors = np.zeros((1, 200, 2), np.float16)
    vectors[..., 0] = 2.5
    vectors[0, 0] = 90
    confidence = np.full((1, 200), 255, np.uint8)
    assert colours.full_length(vectors, confidence) == 3
    assert colours.full_length(vectors, confidence * 0) == 1
