"""The camera: a pinhole on a car that drives along the street, or brakes behind a car that stands there."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pipeline.street_world.values import Number

HEIGHT_METRES = 1.6


@dataclass(frozen=True)
class Camera:
    matrix: Float[np.ndarray, "3 3"]
    """Turns a world vector from the camera to a point into (u z, v z, z): pixels times depth, and depth."""
    position: Float[np.ndarray, "3"]


@dataclass(frozen=True)
class Drive:
    """The way of the camera: z = speed * t, or, when braking, speed * braking * (1 - exp(-t / braking))."""

    lane: float
    speed: float
    sway: Float[np.ndarray, "4 2"]
    """Rate and phase of the slow swaying in x, y, yaw and pitch."""
    braking: float | None = None

    def distance(self, time: Number) -> float:
        if self.braking is None:
            return self.speed * time
        return self.speed * self.braking * float(1 - np.exp(-time / self.braking))


_SWAY_SIZE = np.array([0.06, 0.02, 0.006, 0.0025])  # metres, metres, radians, radians


def camera_at(drive: Drive, time: Number, width: int, height: int) -> Camera:
    """Where the camera is at frame `time`, and how it sees a picture of `width` x `height`."""
    x, y, yaw, pitch = _SWAY_SIZE * np.sin(drive.sway[:, 0] * time + drive.sway[:, 1])
    position = np.array([drive.lane + x, HEIGHT_METRES + y, drive.distance(time)])
    return Camera(intrinsics(width, height) @ _rotation(yaw, pitch), position)


def intrinsics(width: int, height: int) -> Float[np.ndarray, "3 3"]:
    """Pixel centres lie at integers; the horizon is a little above the middle."""
    focal = 0.75 * max(width, height)
    return np.array([[focal, 0.0, (width - 1) / 2], [0.0, focal, 0.47 * (height - 1)], [0.0, 0.0, 1.0]])


def _rotation(yaw: float, pitch: float) -> Float[np.ndarray, "3 3"]:
    """Rows: the camera's right, down and forward in world axes."""
    forward = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    right = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
    down = -np.array([-np.sin(yaw) * np.sin(pitch), np.cos(pitch), -np.cos(yaw) * np.sin(pitch)])
    return np.stack([right, down, forward])
