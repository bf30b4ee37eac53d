import numpy as np
import pytest
from scipy.linalg import sqrtm

from pipeline.metrics.frechet_distance import frechet_distance

RANDOM = np.random.default_rng(0)


def samples(mean: np.ndarray, covariance: np.ndarray, number: int = 50) -> np.ndarray:
    """Whose own mean and covariance are exactly these."""
    drawn = RANDOM.normal(size=(number, len(mean)))
    drawn -= drawn.mean(axis=0)
    white = drawn @ np.linalg.inv(np.linalg.cholesky(np.cov(drawn.T).reshape(len(mean), -1))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def covariance(dimensions: int) -> np.ndarray:
    factor = RANDOM.normal(size=(dimensions, dimensions))
    return factor @ factor.T + np.eye(dimensions)


def written_out(real: np.ndarray, fake: np.ndarray) -> float:
    """The formula as it stands, with SciPy's matrix root."""
    c1, c2 = np.cov(real.T), np.cov(fake.T)
    return float(np.sum((real.mean(0) - fake.mean(0)) ** 2) + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2).real))


def test_in_one_dimension_it_is_the_squared_differences_of_means_and_deviations():
    real, fake = samples(np.array([1.0]), np.array([[4.0]])), samples(np.array([-2.0]), np.array([[25.0]]), number=30)
    assert frechet_distance(real, fake) == pytest.approx(3**2 + (5 - 2) ** 2)


def test_of_diagonal_covariances_it_is_the_sum_over_the_dimensions():
    a, b = np.array([1.0, 4.0, 9.0]), np.array([16.0, 1.0, 0.25])
    real, fake = samples(np.zeros(3), np.diag(a)), samples(np.ones(3), np.diag(b))
    assert frechet_distance(real, fake) == pytest.approx(3 + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2))


def test_equal_samples_have_no_distance():
    real = samples(np.arange(6.0), covariance(6))
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(real, RANDOM.permutation(real)) == pytest.approx(0, abs=1e-12)


def test_it_equals_the_formula_with_scipys_matrix_root():
    real, fake = samples(RANDOM.normal(size=8), covariance(8), 60), samples(RANDOM.normal(size=8), covariance(8), 40)
    assert frechet_distance(real, fake) == pytest.approx(written_out(real, fake), rel=1e-9)
    assert frechet_distance(real, fake) == pytest.approx(frechet_distance(fake, real))


def test_fewer_samples_than_dimensions_lose_no_digits():
    """5 and 7 samples in a 3-dimensional part of a 200-dimensional space: the distance is that within the part."""
    real, fake = RANDOM.normal(size=(5, 3)), RANDOM.normal(2, 3, size=(7, 3))
    turned = np.linalg.qr(RANDOM.normal(size=(200, 200))).Q[:3]
    within = written_out(real, fake)
    assert frechet_distance(real @ turned, fake @ turned) == pytest.approx(within, rel=1e-12)


def test_covariances_that_share_no_direction_have_no_common_root():
    real, fake = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[0.0, 3.0], [0.0, -3.0]])
    assert frechet_distance(real, fake) == pytest.approx(2 + 18)
