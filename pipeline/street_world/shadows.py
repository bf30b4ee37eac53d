"""Shadows as panels on the ground: blots under things, and what the sun throws."""

from dataclasses import dataclass

import numpy as np

from pipeline.street_world import labels
from pipeline.street_world.panels import Panel, Place, lying
from pipeline.street_world.values import Number

_ABOVE_GROUND = 0.01
_OVERLAP_METRES = 0.4  # of the shadows of neighbours: no light falls between houses of which one stands back


@dataclass(frozen=True)
class Sun:
    """Where the shadow of something one metre high ends, in metres from its foot: across the street and along it."""

    x: float
    z: float


def contact(half_width: Number, near: Number, far: Number, x: Number = 0.0) -> Panel:
    return _panel(lying(x - half_width, x + half_width, near, far, _ABOVE_GROUND), "shadow.contact")


def of_wall(sun: Sun | None, x: Number, near: Number, far: Number, height: Number) -> list[Panel]:
    """Of the upright rectangle along the street at x. Here and below: nothing without sun."""
    if sun is None:
        return []
    near, far = near - _OVERLAP_METRES, far + _OVERLAP_METRES
    start, along = (near, far - near) if sun.x > 0 else (far, near - far)
    place = Place((x, _ABOVE_GROUND, start), across=(0.0, 0.0, along), down=(sun.x * height, 0.0, sun.z * height))
    return [_panel(place, "shadow.edge")]


def of_post(sun: Sun | None, x: Number, z: Number, width: Number, height: Number) -> list[Panel]:
    return [] if sun is None else [_thrown(sun, x, z, width, (0.0, height), "shadow.box")]


def of_crown(sun: Sun | None, x: Number, z: Number, middle: Number, size: Number, kind: int) -> list[Panel]:
    """Of a ball of leaves whose middle is that high."""
    if sun is None:
        return []
    reach = np.hypot(sun.x, sun.z)
    half = size / 2 * float(np.hypot(1, reach) / reach)  # the ball's shadow is a stretched disc
    return [_thrown(sun, x, z, size, (middle - half, middle + half), f"shadow.crown.{kind}")]


def of_car(sun: Sun | None, width: Number, length: Number, height: Number) -> list[Panel]:
    """Of a car that stands from z = 0 to `length`."""
    if sun is None:
        return []
    left, right = sorted((0.0, sun.x * height))
    near, far = sorted((0.0, sun.z * height))
    return [_panel(lying(left - width / 2, right + width / 2, near, length + far, _ABOVE_GROUND), "shadow.box")]


def _thrown(sun: Sun, x: Number, z: Number, width: Number, heights: tuple[Number, Number], texture: str) -> Panel:
    """Of what stands upright at (x, z) and reaches from the first height to the second."""
    lowest, highest = heights
    aside = width / float(np.hypot(sun.x, sun.z))
    across = (-sun.z * aside, 0.0, sun.x * aside)
    corner = (x + sun.x * lowest - across[0] / 2, _ABOVE_GROUND, z + sun.z * lowest - across[2] / 2)
    return _panel(Place(corner, across, down=(sun.x * (highest - lowest), 0.0, sun.z * (highest - lowest))), texture)


def _panel(place: Place, texture: str) -> Panel:
    return Panel(place, texture=texture, label=labels.ROAD, is_shadow=True)
