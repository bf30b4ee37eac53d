"""How well predicted labels meet the true ones: intersection over union, from one matrix of pixel counts."""

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from pipeline.palettes import VOID


def confusion(
    truth: UInt8[np.ndarray, "*t h w"], predicted: UInt8[np.ndarray, "*t h w"], num_labels: int
) -> Int64[np.ndarray, "n n_and_void"]:
    """Pixels by true label (row) and predicted label (column); the last column counts predicted void.

    Pixels without a true label count nowhere. Matrices of several frames are added.
    """
    counted = truth != VOID
    true_ids, ids = truth[counted].astype(np.int64), predicted[counted].astype(np.int64)
    ids[ids == VOID] = num_labels
    assert true_ids.max(initial=0) < num_labels and ids.max(initial=0) <= num_labels, "a label beyond the palette"
    pairs = np.bincount(true_ids * (num_labels + 1) + ids, minlength=num_labels * (num_labels + 1))
    return pairs.reshape(num_labels, num_labels + 1)


def iou(counts: Int64[np.ndarray, "n n_and_void"]) -> Float64[np.ndarray, " n"]:
    """Per label: pixels that truth and prediction share over pixels of either; NaN for labels that do not occur in the truth."""
    shared = np.diagonal(counts)
    true_pixels = counts.sum(axis=1)
    either = true_pixels + counts[:, :-1].sum(axis=0) - shared
    return np.where(true_pixels > 0, shared / np.maximum(either, 1), np.nan)


def mean_iou(counts: Int64[np.ndarray, "n n_and_void"]) -> float:
    """Over the labels that occur in the truth; a label seen where there is none costs the label that is really there."""
    occurring = counts.sum(axis=1) > 0
    return float(iou(counts)[occurring].mean()) if occurring.any() else float("nan")
