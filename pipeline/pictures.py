"""Arrays as pictures: labels over a frame, objects, stills side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import Image

from pipeline.colours import hsv
from pipeline.palettes import Palette


def save(path: Path, picture: UInt8[np.ndarray, "h w *c"]) -> None:
    """PNG; grey, RGB or RGBA."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, compress_level=6)


def labels_over(rgb: UInt8[np.ndarray, "h w 3"], label: UInt8[np.ndarray, "h w"], palette: Palette) -> UInt8[np.ndarray, "h w 3"]:
    """The frame shows through the labels' colours; borders between labels are drawn white."""
    return _outlined(_mixed(rgb, palette.paint(label), 0.6), label)


def objects_over(rgb: UInt8[np.ndarray, "h w 3"], instance: UInt16[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Each object in a colour of its own, the same in every frame, over a grey frame."""
    grey = np.repeat(rgb.mean(axis=2, keepdims=True) * 0.6, 3, axis=2).round().astype(np.uint8)
    hue = instance * 0.618034 % 1.0  # the golden angle: neighbouring ids are far apart
    painted = _mixed(rgb, hsv(hue, np.full(hue.shape, 0.75), np.ones(hue.shape)), 0.65)
    return np.where(instance[..., None] > 0, _outlined(painted, instance), grey)


def side_by_side(frames: Sequence[UInt8[np.ndarray, "h w 3"]], gap: int) -> UInt8[np.ndarray, "h width 4"]:
    """One row, with `gap` transparent columns in between."""
    space = np.zeros((frames[0].shape[0], gap, 4), np.uint8)
    opaque = [np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)]) for frame in frames]
    parts = [part for frame in opaque for part in (space, frame)]
    return np.concatenate(parts[1:], axis=1)


def _mixed(below: UInt8[np.ndarray, "h w 3"], above: UInt8[np.ndarray, "h w 3"], share: float) -> UInt8[np.ndarray, "h w 3"]:
    return np.round(below * (1 - share) + above * share).astype(np.uint8)


def _outlined(picture: UInt8[np.ndarray, "h w 3"], ids: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    """White on the pixels whose right or lower neighbour has another id."""
    border = np.zeros(ids.shape, bool)
    border[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    border[:-1] |= ids[:-1] != ids[1:]
    outlined: np.ndarray = np.where(border[..., None], np.uint8(255), picture)
    return outlined
