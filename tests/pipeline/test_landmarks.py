import numpy as np
import pytest

from pipeline.landmarks import carried, present, smoothed


def moving(frames: int) -> np.ndarray:
    """Two points on straight ways."""
    t = np.arange(frames, dtype=np.float32)
    return np.stack([np.stack([3 * t, 10 - t], axis=-1), np.stack([5 + 0 * t, 2 * t], axis=-1)], axis=1)


def without(points: np.ndarray, *frames: int) -> np.ndarray:
    lost = points.copy()
    lost[list(frames)] = np.nan
    return lost


def test_a_short_gap_in_a_straight_way_is_filled_by_that_way():
    np.testing.assert_allclose(carried(without(moving(9), 3, 4, 7), 2), moving(9), rtol=1e-6)


def test_a_gap_at_an_end_takes_its_neighbour():
    filled = carried(without(moving(6), 0, 4, 5), 2)
    for taken, neighbour in ((0, 1), (4, 3), (5, 3)):
        np.testing.assert_array_equal(filled[taken], moving(6)[neighbour])


def test_a_longer_gap_stays_a_gap_all_of_it():
    filled = carried(without(moving(9), 1, 3, 4, 5), 2)
    assert present(filled).tolist() == [True, True, True, False, False, False, True, True, True]
    assert present(carried(without(moving(3), 1), 0)).tolist() == [True, False, True]
    assert not present(carried(without(moving(2), 0, 1), 5)).any()


def test_smoothing_leaves_what_stands_still_and_takes_the_jitter_that_a_gaussian_takes():
    """White noise of deviation s has s / sqrt(2 d sqrt(pi)) after a Gaussian of deviation d."""
    jitter = np.random.default_rng(0).normal(50, 1, (4000, 1, 2)).astype(np.float32)
    after = smoothed(jitter, 2.0)
    assert after.std() == pytest.approx(1 / np.sqrt(4 * np.sqrt(np.pi)), rel=0.05)
    still = np.full((9, 68, 2), 7, np.float32)
    np.testing.assert_allclose(smoothed(still, 2.0), still)
    np.testing.assert_array_equal(smoothed(jitter, 0.0), jitter)


def test_smoothing_does_not_reach_across_a_gap():
    points = np.concatenate([np.zeros((5, 1, 2)), np.full((1, 1, 2), np.nan), np.full((5, 1, 2), 100)]).astype(np.float32)
    np.testing.assert_array_equal(smoothed(points, 3.0), points)
