"""What costs nothing, for comparison: one real frame for ever, and a flat colour for each label."""

from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import UInt8


def copy_first_frame(real: Iterable[UInt8[np.ndarray, "h w 3"]]) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """The first frame again and again. It alone is shown a real test frame."""
    first = None
    for frame in real:
        first = frame if first is None else first
        yield first


def mean_colour_per_label(
    labels: Iterable[UInt8[np.ndarray, "h w"]], colours: UInt8[np.ndarray, "256 3"]
) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    return (colours[label] for label in labels)


def mean_colours(pairs: Iterable[tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"]]]) -> UInt8[np.ndarray, "256 3"]:
    """Of frames with their labels, by label; a label that never occurs gets the mean over all pixels."""
    sums, counts = np.zeros((256, 3)), np.zeros(256)
    for rgb, label in pairs:
        ids = label.ravel()
        counts += np.bincount(ids, minlength=256)
        sums += np.stack([np.bincount(ids, weights=rgb[..., channel].ravel(), minlength=256) for channel in range(3)], axis=1)
    assert counts.sum() > 0, "no frames"
    means = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], sums.sum(axis=0) / counts.sum())
    return np.round(means).astype(np.uint8)
