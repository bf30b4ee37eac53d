"""What the segmentation model learns from: cuts of labelled frames, scaled and mirrored by chance, and what each class weighs."""

import math

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from pipeline import deeplabv3, params
from pipeline.labelled_frames import LabelledFrame
from pipeline.palettes import VOID, Palette


def batch(
    seen: list[LabelledFrame], p: params.SegmentationModel, step: int
) -> tuple[UInt8[np.ndarray, "b h w 3"], UInt8[np.ndarray, "b h w"]]:
    """Frames drawn without repetition while they last, each changed by chance. What a step draws depends on nothing else."""
    random = np.random.Generator(np.random.Philox(key=[p.seed, step]))
    chosen = random.choice(len(seen), p.batch_size, replace=len(seen) < p.batch_size)
    parts = [varied(seen[i].rgb(), seen[i].label(), p.crop, p.scale_range, random) for i in chosen]
    return np.stack([rgb for rgb, _ in parts]), np.stack([label for _, label in parts])


def varied(
    rgb: UInt8[np.ndarray, "h w 3"],
    label: UInt8[np.ndarray, "h w"],
    crop: list[int] | None,
    scale_range: list[float],
    random: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "height width 3"], UInt8[np.ndarray, "height width"]]:
    """A part of the frame, scaled to the crop's size (width, height; None = the frame's) and mirrored half of the time.

    The part is cut out before it is scaled, since it may be a tenth of the frame. Where it is larger, it is padded below and right.
    """
    width, height = crop or label.shape[::-1]
    scale = math.exp(random.uniform(*np.log(scale_range)))
    rows, columns = (_part(whole, side / scale, random) for whole, side in zip(label.shape, (height, width), strict=True))
    below, right = rows.stop - rows.start, columns.stop - columns.start
    rgb, label = rgb[rows, columns], label[rows, columns]
    missing = (0, below - label.shape[0], 0, right - label.shape[1])
    rgb = cv2.copyMakeBorder(rgb, *missing, cv2.BORDER_CONSTANT, value=deeplabv3.MEAN)
    label = cv2.copyMakeBorder(label, *missing, cv2.BORDER_CONSTANT, value=VOID)
    rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_LINEAR)
    label = cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return (rgb[:, ::-1], label[:, ::-1]) if random.random() < 0.5 else (rgb, label)


def _part(whole: int, wanted: float, random: np.random.Generator) -> slice:
    """Where the part lies in one direction; it reaches beyond the end where it is longer than the whole."""
    length = max(1, round(wanted))
    start = int(random.integers(max(whole - length, 0) + 1))
    return slice(start, start + length)


def class_weights(seen: list[LabelledFrame], palette: Palette, weighting: str) -> Float64[np.ndarray, " n"]:
    """Of each learned class, in the palette's order: 1, or by its share f of the labelled pixels 1 / ln(1.02 + f) (Paszke et al., ENet).

    That is 50 for a class that hardly occurs and 1.4 for one that is everywhere.
    """
    if weighting == "none":
        return np.ones(len(palette.learned))
    pixels = np.sum([np.bincount(frame.label().ravel(), minlength=256) for frame in seen], axis=0)[palette.learned]
    return 1 / np.log(1.02 + pixels / max(pixels.sum(), 1))
