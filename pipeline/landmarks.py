"""Points through a clip, such as the 68 landmarks of a face: short gaps are filled, jitter is smoothed. NaN = none in this frame."""

import numpy as np
from jaxtyping import Bool, Float32
from scipy.ndimage import gaussian_filter1d

from pipeline.frame_runs import runs


def carried(points: Float32[np.ndarray, "t n c"], most: int) -> Float32[np.ndarray, "t n c"]:
    """Fills gaps of up to so many frames: on the line between both sides, or with the one side that a gap at an end has."""
    filled = points.copy()
    known = np.flatnonzero(present(points))
    for gap in runs(np.flatnonzero(~present(points)).tolist()):
        if len(known) and len(gap) <= most:
            flat = [np.interp(gap, known, value) for value in points[known].reshape(len(known), -1).T]
            filled[gap] = np.stack(flat, axis=-1).reshape(len(gap), *points.shape[1:])
    return filled


def smoothed(points: Float32[np.ndarray, "t n c"], deviation: float) -> Float32[np.ndarray, "t n c"]:
    """By a Gaussian of so many frames, never across a gap."""
    result = points.copy()
    for run in runs(np.flatnonzero(present(points)).tolist()) if deviation else ():
        result[run] = gaussian_filter1d(points[run], deviation, axis=0, mode="nearest")
    return result


def present(points: Float32[np.ndarray, "t n c"]) -> Bool[np.ndarray, " t"]:
    return np.isfinite(points).all(axis=(1, 2))
