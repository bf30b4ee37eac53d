"""How far apart two sets of features are, without Gaussians: the formula of KID (Bińkowski et al. 2018)."""

import numpy as np
from jaxtyping import Float64

BLOCK = 1024
"""Rows of the kernel matrix that are in memory at a time."""


def kernel_distance(real: Float64[np.ndarray, "n d"], fake: Float64[np.ndarray, "m d"]) -> float:
    """Squared maximum mean discrepancy of the kernel (x.y / d + 1)^3, the unbiased estimate.

    Its mean over many draws is the true distance, however few samples a draw has; so one of no distance is negative half of the time.
    """
    return _mean_of_pairs(real) + _mean_of_pairs(fake) - 2 * _sum(real, fake) / (len(real) * len(fake))


def _mean_of_pairs(samples: Float64[np.ndarray, "n d"]) -> float:
    """Over all pairs of two different samples."""
    n, d = samples.shape
    assert n >= 2, "a pair needs two samples"
    with_themselves = np.sum((np.sum(samples**2, axis=1) / d + 1) ** 3)
    return float(_sum(samples, samples) - with_themselves) / (n * (n - 1))


def _sum(a: Float64[np.ndarray, "n d"], b: Float64[np.ndarray, "m d"]) -> float:
    blocks = (a[start : start + BLOCK] for start in range(0, len(a), BLOCK))
    return sum(float(np.sum((block @ b.T / a.shape[1] + 1) ** 3)) for block in blocks)
