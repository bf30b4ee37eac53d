"""A clip's world: its things as arrays, and where their panels are at any time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from pipeline.street_world.atlas import Atlas
from pipeline.street_world.camera import Camera, Drive, camera_at
from pipeline.street_world.panels import Panels, Thing, stack, swung
from pipeline.street_world.values import Number

VIEW_METRES = 200.0
_EDGE_ON = 1e-12


@dataclass(frozen=True)
class World:
    drive: Drive
    atlas: Atlas
    haze: Float[np.ndarray, "3"]
    things: "Motions"
    panels: Panels
    shadows: Panels

    def camera(self, time: Number, width: int, height: int) -> Camera:
        return camera_at(self.drive, time, width, height)


@dataclass(frozen=True)
class Motions:
    """The motions of all things as arrays; see `Thing`."""

    start: Float[np.ndarray, "n 3"]
    velocity: Float[np.ndarray, "n 3"]
    sway: Float[np.ndarray, "n 3"]
    heading: Float[np.ndarray, "n 3"]
    rate: Float[np.ndarray, " n"]
    phase: Float[np.ndarray, " n"]


def build(things: Sequence[Thing], *, drive: Drive, atlas: Atlas, haze: Float[np.ndarray, "3"]) -> World:
    motions = {name: np.array([getattr(thing, name) for thing in things]) for name in Motions.__annotations__}
    return World(
        drive=drive,
        atlas=atlas,
        haze=haze,
        things=Motions(**motions),
        panels=stack(things, atlas, shadows=False),
        shadows=stack(things, atlas, shadows=True),
    )


def frames_at(world: World, panels: Panels, time: Number, camera: Camera) -> Float[np.ndarray, "n 3 3"]:
    """The texel frames of panels in the world: a texel (s, t) lies at frame @ (s, t, 1)."""
    things = world.things
    swinging = np.sin(things.rate * time + things.phase)
    positions = things.start + things.velocity * time + things.sway * swinging[:, None]
    frames = panels.frames.copy()
    moving = np.flatnonzero(panels.swings)
    owners = panels.things[moving]
    angles = panels.swings[moving] * swinging[owners]
    frames[moving] = swung(frames[moving], panels.pivots[moving], things.heading[owners], angles)
    frames[:, :, 2] += np.where(panels.infinite[:, None], camera.position, positions[panels.things])
    return frames


def in_view(world: World, panels: Panels, time: Number, camera: Camera) -> tuple[Int[np.ndarray, " m"], Float[np.ndarray, "m 3 3"]]:
    """Numbers and texel frames of the panels that show the camera their face, neither too far ahead nor behind it."""
    frames = frames_at(world, panels, time, camera)
    across, down, origin = frames.transpose(2, 1, 0)
    origin = origin - camera.position[:, None]
    left, top, right, bottom = panels.windows.T
    ahead = [across[2] * s + down[2] * t + origin[2] for s in (left, right) for t in (top, bottom)]
    # A left-handed frame: the camera's axes are right, down, forward, the world's right, up, forward.
    shows_face = sum(origin[i] * (across[j] * down[k] - across[k] * down[j]) for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1))) < -_EDGE_ON
    near_enough = (np.max(ahead, axis=0) > -1.0) & (np.min(ahead, axis=0) < VIEW_METRES)
    numbers = np.flatnonzero(shows_face & (panels.infinite | near_enough))
    return numbers, frames[numbers]
