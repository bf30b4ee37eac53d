"""All textures of a clip in one picture, each with every mix of halved widths and heights (a ripmap).

Sampling a surface seen at a grazing angle needs it blurred along one axis and sharp along the other; looking the right
level up for each sample keeps far surfaces free of flicker, so that frames can be warped into each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Int, UInt8

_ATLAS_WIDTH = 2048


@dataclass(frozen=True)
class Atlas:
    rgb: UInt8[np.ndarray, "h w 3"]
    alpha: UInt8[np.ndarray, "h w"]
    index: Mapping[str, int]
    """Number of each texture, by name; the arrays below are in this order."""
    left: Int[np.ndarray, " textures"]
    top: Int[np.ndarray, " textures"]
    widths: Int[np.ndarray, " textures"]
    heights: Int[np.ndarray, " textures"]
    has_holes: Bool[np.ndarray, " textures"]


def pack(textures: Mapping[str, UInt8[np.ndarray, "h w 4"]]) -> Atlas:
    """Place the ripmaps on shelves, tallest first. Sides of textures are powers of two, at most 1024 wide."""
    names = sorted(textures, key=lambda name: (-textures[name].shape[0], name))
    places: list[tuple[int, int]] = []
    x = y = shelf = 0
    for name in names:
        height, width = (2 * side for side in textures[name].shape[:2])
        if x + width > _ATLAS_WIDTH:
            x, y, shelf = 0, y + shelf, 0
        places.append((x, y))
        x, shelf = x + width, max(shelf, height)
    rgb = np.zeros((y + shelf, _ATLAS_WIDTH, 3), np.uint8)
    alpha = np.full(rgb.shape[:2], 255, np.uint8)
    for name, (left, top) in zip(names, places, strict=True):
        rgba = np.ascontiguousarray(textures[name])
        _write_ripmap(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), rgb[top:, left:])
        if (rgba[..., 3] < 255).any():
            _write_ripmap(cv2.extractChannel(rgba, 3), alpha[top:, left:])
    return Atlas(
        rgb=rgb,
        alpha=alpha,
        index={name: number for number, name in enumerate(names)},
        left=np.array([place[0] for place in places]),
        top=np.array([place[1] for place in places]),
        widths=np.array([textures[name].shape[1] for name in names]),
        heights=np.array([textures[name].shape[0] for name in names]),
        has_holes=np.array([bool((textures[name][..., 3] < 255).any()) for name in names]),
    )


def _write_ripmap(texture: UInt8[np.ndarray, "h w *channels"], target: UInt8[np.ndarray, "rows columns *channels"]) -> None:
    """Level (i, j), 2**i narrower and 2**j lower, begins at column 2w(1 - 2**-i) and row 2h(1 - 2**-j).

    The narrower ones stand side by side, so that one step makes all of them lower. To half the size, linear interpolation takes
    the mean of two, as "area" does, in a third of the time.
    """
    narrowed = [texture]
    while (width := narrowed[-1].shape[1]) > 1:
        narrowed.append(cv2.resize(narrowed[-1], (width // 2, texture.shape[0]), interpolation=cv2.INTER_LINEAR))
    level = np.concatenate(narrowed, axis=1)
    row = 0
    while True:
        height, width = level.shape[:2]
        target[row : row + height, :width] = level
        if height == 1:
            return
        row += height
        level = cv2.resize(level, (width, height // 2), interpolation=cv2.INTER_LINEAR)
