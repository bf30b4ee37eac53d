"""Arrays as pictures: optical flow by a colour wheel, labels over a frame, objects, stills side by side."""

import colorsys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8, UInt16
from PIL import Image

from pipeline.palettes import Palette


def save(path: Path, picture: UInt8[np.ndarray, "h w *c"]) -> None:
    """PNG; grey, RGB or RGBA."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, compress_level=6)


def optical_flow_colours(optical_flow: Float[np.ndarray, "h w 2"], full: int) -> UInt8[np.ndarray, "h w 3"]:
    """White where nothing moves; the hue is the direction, and from `full` pixels on the colour is full."""
    dx, dy = optical_flow[..., 0].astype(np.float64), optical_flow[..., 1].astype(np.float64)
    hue = np.arctan2(dy, dx) / (2 * np.pi) % 1.0
    return _hsv(hue, np.minimum(np.hypot(dx, dy) / full, 1), np.ones_like(hue))


def colour_wheel(size: int) -> UInt8[np.ndarray, "size size 4"]:
    """Legend of `optical_flow_colours`: each direction at its place, the full length at the rim; transparent outside."""
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    offset = np.stack(np.meshgrid(axis, axis), axis=-1)  # size size 2, (x, y)
    inside = np.clip((1 - np.hypot(offset[..., 0], offset[..., 1])) * size / 2, 0, 1)  # a soft rim
    return np.dstack([optical_flow_colours(offset, 1), np.round(255 * inside).astype(np.uint8)])


def full_length(optical_flow: Float[np.ndarray, "h w 2"], confidence: UInt8[np.ndarray, "h w"]) -> int:
    """Whole pixels that all but the longest 2 % of the confident vectors stay below, as the wheel's full colour."""
    lengths = np.hypot(optical_flow[..., 0].astype(np.float64), optical_flow[..., 1].astype(np.float64))[confidence >= 128]
    return max(1, int(np.ceil(np.quantile(lengths, 0.98)))) if lengths.size else 1


def labels_over(rgb: UInt8[np.ndarray, "h w 3"], label: UInt8[np.ndarray, "h w"], palette: Palette) -> UInt8[np.ndarray, "h w 3"]:
    """The frame shows through the labels' colours; borders between labels are drawn white."""
    return _outlined(_mixed(rgb, palette.paint(label), 0.6), label)


def objects_over(rgb: UInt8[np.ndarray, "h w 3"], instance: UInt16[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Each object in a colour of its own, the same in every frame, over a grey frame."""
    grey = np.repeat(rgb.mean(axis=2, keepdims=True) * 0.6, 3, axis=2).round().astype(np.uint8)
    hue = instance * 0.618034 % 1.0  # the golden angle: neighbouring ids are far apart
    painted = _mixed(rgb, _hsv(hue, np.full(hue.shape, 0.75), np.ones(hue.shape)), 0.65)
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


def _hsv(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    """All in [0, 1]."""
    corners = np.array([colorsys.hsv_to_rgb(h / 360, 1, 1) for h in range(361)])
    full = corners[np.round(hue * 360).astype(int)]  # h w 3
    rgb: np.ndarray = np.round(255 * value[..., None] * (1 - saturation[..., None] * (1 - full)))
    return rgb.astype(np.uint8)
