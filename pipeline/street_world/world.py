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
        panels=stack([thing.panels for thing in things], things, atlas),
        shadows=stack([thing.shadows for thing in things], things, atlas),
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


def in_view(world: World, panels: Panels, time: Number, camera: Camera) -> Int[np.ndarray, " m"]:
    """Numbers of the panels whose thing begins neither too far ahead nor lies behind the camera."""
    frames = frames_at(world, panels, time, camera)
    left, top, right, bottom = panels.windows.T
    depth = frames[:, 2, :]
    along = [depth[:, 0] * s + depth[:, 1] * t + depth[:, 2] for s in (left, right) for t in (top, bottom)]
    ahead = np.max(along, axis=0) - camera.position[2]
    near = np.min(along, axis=0) - camera.position[2]
    return np.flatnonzero(panels.infinite | ((ahead > -1.0) & (near < VIEW_METRES)))
