"""Flat textured rectangles ("panels") and the things made of them; everything in the street is one of these.

World axes: x right, y up, z forward along the street, in metres; time counts frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from pipeline.street_world.atlas import Atlas
from pipeline.street_world.values import Number, Vector


@dataclass(frozen=True)
class Place:
    corner: Vector
    """Where the texture's top left corner lies, relative to the thing."""
    across: Vector
    """From the left edge of the texture to its right edge."""
    down: Vector


@dataclass(frozen=True)
class Panel:
    """A rectangle with a texture, seen only from the side on which the texture is not mirrored."""

    place: Place
    texture: str
    label: int
    tint: Vector = (1.0, 1.0, 1.0)
    window: tuple[Number, Number, Number, Number] = (0.0, 0.0, 1.0, 1.0)
    """Left, top, right, bottom of the part of the texture that is shown, as fractions of it."""
    swing: Number = 0.0
    """How far it swings about `pivot_height` along the thing's heading, in radians."""
    pivot_height: Number = 0.0
    is_shadow: bool = False
    """Not seen itself: darkens the ground where it shows."""


@dataclass(frozen=True)
class Thing:
    """Panels that move together: position = start + velocity * t + sway * sin(rate * t + phase)."""

    panels: Sequence[Panel]
    start: Vector = (0.0, 0.0, 0.0)
    velocity: Vector = (0.0, 0.0, 0.0)
    sway: Vector = (0.0, 0.0, 0.0)
    rate: Number = 0.0
    phase: Number = 0.0
    heading: Vector = (0.0, 0.0, 1.0)
    instance: int = 0
    follows_camera: bool = False
    """True for what is infinitely far away."""


def facing(x: Number, bottom: Number, z: Number, width: Number, height: Number) -> Place:
    """Place of a panel that faces the camera, centred on x."""
    return Place((x - width / 2, bottom + height, z), across=(width, 0.0, 0.0), down=(0.0, -height, 0.0))


def beside(x: Number, bottom: Number, near: Number, far: Number, height: Number) -> Place:
    """Place of an upright panel along the street, on the left (x < 0) or right, facing the middle."""
    length = far - near
    start, across = (near, length) if x < 0 else (far, -length)
    return Place((x, bottom + height, start), across=(0.0, 0.0, across), down=(0.0, -height, 0.0))


def lying(left: Number, right: Number, near: Number, far: Number, y: Number) -> Place:
    """Place of a panel that lies on its back, the top of its texture far away."""
    return Place((left, y, far), across=(right - left, 0.0, 0.0), down=(0.0, 0.0, near - far))


@dataclass(frozen=True)
class Panels:
    """Many panels as arrays, each in the texel coordinates (s, t) of its texture."""

    frames: Float[np.ndarray, "n 3 3"]
    """Columns: metres per texel along s and t, and the place of texel (0, 0), relative to the thing."""
    windows: Float[np.ndarray, "n 4"]
    """Left, top, right, bottom in texels."""
    textures: Int[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"]
    instances: Int[np.ndarray, " n"]
    tints: Float[np.ndarray, "n 3"]
    swings: Float[np.ndarray, " n"]
    pivots: Float[np.ndarray, "n 3"]
    things: Int[np.ndarray, " n"]
    infinite: Bool[np.ndarray, " n"]

    def take(self, rows: Int[np.ndarray, " m"]) -> "Panels":
        return Panels(**{name: values[rows] for name, values in vars(self).items()})


def stack(things: Sequence[Thing], atlas: Atlas, *, shadows: bool) -> Panels:
    """Arrays of the panels that are shadows, or of the others."""
    flat = [(number, panel) for number, thing in enumerate(things) for panel in thing.panels if panel.is_shadow == shadows]
    panels = [panel for _, panel in flat]
    owners = np.array([number for number, _ in flat], dtype=np.int64)
    textures = np.array([atlas.index[panel.texture] for panel in panels], dtype=np.int64)
    sizes = np.stack([atlas.widths, atlas.heights], axis=1)[textures]
    windows = np.array([panel.window for panel in panels]) * np.tile(sizes, 2)
    return Panels(
        frames=_texel_frames(panels, windows),
        windows=windows,
        textures=textures,
        labels=np.array([panel.label for panel in panels]),
        instances=np.array([thing.instance for thing in things])[owners],
        tints=np.array([panel.tint for panel in panels]),
        swings=np.array([panel.swing for panel in panels]),
        pivots=np.array([(0.0, panel.pivot_height, 0.0) for panel in panels]),
        things=owners,
        infinite=np.array([thing.follows_camera for thing in things])[owners],
    )


def _texel_frames(panels: Sequence[Panel], windows: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 3 3"]:
    left, top, right, bottom = windows.T[:, :, None]
    across = np.array([panel.place.across for panel in panels]) / (right - left)
    down = np.array([panel.place.down for panel in panels]) / (bottom - top)
    origin = np.array([panel.place.corner for panel in panels]) - left * across - top * down
    return np.stack([across, down, origin], axis=2)


def swung(
    frames: Float[np.ndarray, "n 3 3"],
    pivots: Float[np.ndarray, "n 3"],
    headings: Float[np.ndarray, "n 3"],
    angles: Float[np.ndarray, " n"],
) -> Float[np.ndarray, "n 3 3"]:
    """Turn each frame about its pivot, in the plane of its heading and the vertical."""
    vectors = frames.copy()
    vectors[:, :, 2] -= pivots
    along = np.einsum("nij,ni->nj", vectors, headings)
    height = vectors[:, 1, :].copy()
    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
    vectors += headings[:, :, None] * (along * cosine - height * sine - along)[:, None, :]
    vectors[:, 1, :] = along * sine + height * cosine
    vectors[:, :, 2] += pivots
    return vectors
