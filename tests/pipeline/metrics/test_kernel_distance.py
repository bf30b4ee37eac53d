import numpy as np
import pytest

from pipeline.metrics import kernel_distance as module
from pipeline.metrics.kernel_distance import kernel_distance


def pair_by_pair(real: np.ndarray, fake: np.ndarray) -> float:
    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return (float(x @ y) / len(x) + 1) ** 3

    def within(some: np.ndarray) -> float:
        return float(np.mean([kernel(x, y) for i, x in enumerate(some) for j, y in enumerate(some) if i != j]))

    return within(real) + within(fake) - 2 * float(np.mean([kernel(x, y) for x in real for y in fake]))


def test_it_equals_the_mean_over_pairs_taken_one_by_one(monkeypatch):
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(9, 4)), random.normal(0.5, 2, size=(6, 4))
    assert kernel_distance(real, fake) == pytest.approx(pair_by_pair(real, fake), rel=1e-12)
    monkeypatch.setattr(module, "BLOCK", 4)
    assert kernel_distance(real, fake) == pytest.approx(pair_by_pair(real, fake), rel=1e-12)


def test_of_one_distribution_its_mean_over_many_draws_is_0():
    """And not that of the biased estimate, which counts each sample with itself."""
    random = np.random.default_rng(1)
    values = np.array([kernel_distance(*random.normal(size=(2, 5, 3))) for _ in range(4000)])
    standard_error = values.std() / np.sqrt(len(values))
    assert abs(values.mean()) < 4 * standard_error
    assert standard_error < 0.05
    assert (values < 0).mean() > 0.3


def test_of_two_points_it_is_the_closed_form():
    """All samples of a side the same: k(a, a) + k(b, b) - 2 k(a, b)."""
    a, b = np.array([1.0, 2.0]), np.array([3.0, 0.0])
    expected = (5 / 2 + 1) ** 3 + (9 / 2 + 1) ** 3 - 2 * (3 / 2 + 1) ** 3
    assert kernel_distance(np.stack([a] * 3), np.stack([b] * 4)) == pytest.approx(expected)


def test_it_sees_third_moments_that_no_gaussian_could_tell_apart():
    """Mean 0 and variance 1 both; third moments 1.5 and 0, which the kernel's cube weighs with 1."""
    skewed = np.repeat([-0.5, 2.0], [4000, 1000])[:, None]
    symmetric = np.repeat([-1.0, 1.0], 2500)[:, None]
    assert kernel_distance(skewed, symmetric) == pytest.approx(1.5**2, rel=0.01)
