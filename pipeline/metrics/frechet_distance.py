"""How far apart two sets of features are, each seen as a Gaussian: the formula of FID (Heusel et al. 2017)."""

import numpy as np
from jaxtyping import Float64
from numpy.linalg import qr, svd


def frechet_distance(real: Float64[np.ndarray, "n d"], fake: Float64[np.ndarray, "m d"]) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), means and unbiased covariances of at least 2 samples a side.

    The root's trace is the sum of the roots of the eigenvalues of C1^(1/2) C2 C1^(1/2). With C = F^T F these are the singular values
    of F1 F2^T, so that nothing has to be inverted, and covariances of fewer samples than dimensions cost no digits.
    """
    first, second = _factor(real), _factor(fake)
    apart = np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2)
    root = svd(first @ second.T, compute_uv=False).sum()
    return max(0.0, float(apart + np.sum(first**2) + np.sum(second**2) - 2 * root))  # rounding can leave -1e-15


def _factor(samples: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "_ d"]:
    """F with F^T F = the covariance, no higher than wide."""
    assert len(samples) >= 2, "a covariance needs two samples"
    return qr((samples - samples.mean(axis=0)) / np.sqrt(len(samples) - 1)).R
