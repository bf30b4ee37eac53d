"""How steady maps are: what changes from one frame to the next although optical flow says that it only moved.

Optical flow leads from a frame to the one before, in pixels, so it says for each pixel where it was; sure is what has a confidence of
at least `SURE`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Integer, UInt8, UInt16
from skimage.measure import regionprops

from pipeline.palettes import VOID

SURE = 128
"""From this confidence on a pixel counts as seen in both frames."""


@dataclass(frozen=True)
class Shape:
    """One object in one frame."""

    pixels: int
    centre: tuple[float, float]
    """(y, x)"""
    gap: int
    """Pixels between it and the nearest border of the picture."""


def known_in_both(
    label: UInt8[np.ndarray, "h w"], before: UInt8[np.ndarray, "h w"], confidence: UInt8[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """Where a changed label is no news: flow is sure and neither frame's label is void. `before` is moved already."""
    known: np.ndarray = (confidence >= SURE) & (label != VOID) & (before != VOID)
    return known


def shapes(instance: Integer[np.ndarray, "h w"]) -> dict[int, Shape]:
    """The objects of a frame by their ids."""
    height, width = instance.shape
    found = {}
    for region in regionprops(instance):  # type: ignore[no-untyped-call]
        top, left, bottom, right = region.bbox
        found[int(region.label)] = Shape(int(region.area), region.centroid, min(top, left, height - bottom, width - right))
    return found


def ends_and_begins(before: dict[int, Shape], now: dict[int, Shape], *, gap: int, pixels: int) -> tuple[list[int], list[int]]:
    """Ids that are gone and ids that are new, of objects with at least so many pixels that were at least so far from the border.

    Such an object cannot have left or entered the picture; it may have gone behind another.
    """

    def only_in(these: dict[int, Shape], others: dict[int, Shape]) -> list[int]:
        return sorted(i for i, shape in these.items() if i not in others and shape.gap >= gap and shape.pixels >= pixels)

    return only_in(before, now), only_in(now, before)


def jumps(
    before: UInt16[np.ndarray, "h w"],
    now: UInt16[np.ndarray, "h w"],
    confidence: UInt8[np.ndarray, "h w"],
    *,
    gap: int,
    pixels: int,
    area: float,
    shift: float,
) -> list[int]:
    """Ids of objects that flow moves elsewhere than where they are; `before` is moved already.

    Either the smaller of the two areas is less than `area` times the larger, or the centres are further apart than `shift` times the
    square root of the present area. Judged are objects that are away from the border, as above, and half of which flow is sure of.
    """
    expected, found = shapes(before), shapes(now)
    sure = np.bincount(now[confidence >= SURE], minlength=int(now.max()) + 1)
    judged = [
        i for i, shape in found.items() if i in expected and shape.gap >= gap and shape.pixels >= pixels and 2 * sure[i] >= shape.pixels
    ]
    return sorted(i for i in judged if _differ(expected[i], found[i], area, shift))


def _differ(expected: Shape, found: Shape, area: float, shift: float) -> bool:
    ratio = min(expected.pixels, found.pixels) / max(expected.pixels, found.pixels)
    distance = float(np.hypot(*np.subtract(expected.centre, found.centre)))
    return bool(ratio < area or distance > shift * found.pixels**0.5)
