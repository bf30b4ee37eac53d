"""Numbers as colours: optical flow by a colour wheel."""

import colorsys

import numpy as np
from jaxtyping import Float, UInt8


def optical_flow_colours(optical_flow: Float[np.ndarray, "h w 2"], full: int) -> UInt8[np.ndarray, "h w 3"]:
    """White where nothing moves; the hue is the direction, and from `full` pixels on the colour is full."""
    dx, dy = optical_flow[..., 0].astype(np.float64), optical_flow[..., 1].astype(np.float64)
    hue = np.arctan2(dy, dx) / (2 * np.pi) % 1.0
    return hsv(hue, np.minimum(np.hypot(dx, dy) / full, 1), np.ones_like(hue))


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


def hsv(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    """All in [0, 1]."""
    corners = np.array([colorsys.hsv_to_rgb(h / 360, 1, 1) for h in range(361)])
    full = corners[np.round(hue * 360).astype(int)]  # h w 3
    rgb: np.ndarray = np.round(255 * value[..., None] * (1 - saturation[..., None] * (1 - full)))
    return rgb.astype(np.uint8)
