"""One frame against the real one, and how much detail a frame has."""

import numpy as np
from jaxtyping import UInt8
from skimage.metrics import mean_squared_error, structural_similarity


def squared_error(real: UInt8[np.ndarray, "h w 3"], fake: UInt8[np.ndarray, "h w 3"]) -> float:
    """Mean over pixels and channels, colours in [0, 1]."""
    return float(mean_squared_error(real / 255, fake / 255))


def psnr(mean_squared_error: float) -> float | None:
    """Decibels; of a whole video by the mean over its frames. None where nothing differs: it has no finite value."""
    return float(-10 * np.log10(mean_squared_error)) if mean_squared_error > 0 else None


def ssim(real: UInt8[np.ndarray, "h w 3"], fake: UInt8[np.ndarray, "h w 3"]) -> float:
    """With the window and constants of Wang et al. 2004, mean over the channels."""
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(real, fake, channel_axis=-1, data_range=255, **wang))  # type: ignore[no-untyped-call]


def gradient_energy(rgb: UInt8[np.ndarray, "h w 3"]) -> float:
    """Mean squared length of the gradient of luma (Rec. 601, in [0, 1]) from pixel to pixel: low where a picture is blurred."""
    luma = rgb @ np.array([0.299, 0.587, 0.114]) / 255
    dx, dy = np.diff(luma, axis=1)[:-1], np.diff(luma, axis=0)[:, :-1]
    return float(np.mean(dx**2 + dy**2))
