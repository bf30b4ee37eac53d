"""Arguments -> a clip of a street, frame by frame, with exact truth."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8, UInt16

from pipeline.street_world import raster, shading, street, truth
from pipeline.street_world.world import World, frames_at, in_view

SMALLEST_SIZE = 16


@dataclass(frozen=True)
class RenderedFrame:
    rgb: UInt8[np.ndarray, "h w 3"]
    label: UInt8[np.ndarray, "h w"]
    """Cityscapes train ids."""
    instance: UInt16[np.ndarray, "h w"]
    """0 = stuff; an id names one car or person through the clip."""
    optical_flow: dict[int, Float32[np.ndarray, "h w 2"]]
    """By stride k: (dx, dy) in pixels from frame t to frame t-k; 0 for t < k and for points that were behind the camera."""
    visible: dict[int, Bool[np.ndarray, "h w"]]
    """By stride k: the pixel's surface point lies between pixel centres of frame t-k and nothing hides it there."""


def render(*, seed: int, num_frames: int, width: int, height: int, strides: Sequence[int], approach: bool) -> Iterator[RenderedFrame]:
    """Render a clip; frame t is the same for any `num_frames`.

    With `approach`, the camera comes close to a standing car instead of driving through the street.
    """
    _check(seed, num_frames, {"width": width, "height": height}, strides)
    return _frames(street.world(seed, num_frames, approach=approach), num_frames, width, height, tuple(strides))


def _check(seed: int, num_frames: int, sizes: dict[str, int], strides: Sequence[int]) -> None:
    for name, size in sizes.items():
        if size < SMALLEST_SIZE:
            raise ValueError(f"{name} is {size}; a street clip is at least {SMALLEST_SIZE} pixels wide and high")
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or more")
    if num_frames < 1:
        raise ValueError(f"num_frames is {num_frames}; a clip has at least 1 frame")
    for stride in strides:
        if stride < 1:
            raise ValueError(f"strides has {stride}; a stride is at least 1 frame")


def _frames(world: World, num_frames: int, width: int, height: int, strides: tuple[int, ...]) -> Iterator[RenderedFrame]:
    past: deque[truth.Seen] = deque(maxlen=max(strides, default=0) + 1)
    for time in range(num_frames):
        now = _see(world, time, width, height)
        past.append(now)
        motions = {
            stride: _motion(world, now, past[-1 - stride], time - stride) if stride <= time else _unknown(width, height)
            for stride in strides
        }
        owners = now.raster.panels[1::2, 1::2]
        yield RenderedFrame(
            rgb=_colours(world, now, time, width, height),
            label=now.panels.labels[owners].astype(np.uint8),
            instance=now.panels.instances[owners].astype(np.uint16),
            optical_flow={stride: motion.optical_flow for stride, motion in motions.items()},
            visible={stride: motion.visible for stride, motion in motions.items()},
        )


def _see(world: World, time: int, width: int, height: int) -> truth.Seen:
    camera = world.camera(time, width, height)
    numbers, frames = in_view(world, world.panels, time, camera)
    panels = world.panels.take(numbers)
    view = raster.look(camera, panels, frames, world.atlas, width, height)
    return truth.Seen(numbers, panels, view, raster.rasterise(view, panels, world.atlas, width, height))


def _motion(world: World, now: truth.Seen, then: truth.Seen, time_then: int) -> truth.Motion:
    height, width = (side // 2 for side in now.raster.panels.shape)
    camera = world.camera(time_then, width, height)
    frames = frames_at(world, now.panels, time_then, camera)
    frames[:, :, 2] -= camera.position
    return truth.motion(now, then, camera.matrix @ frames, world.atlas)


def _unknown(width: int, height: int) -> truth.Motion:
    return truth.Motion(np.zeros((height, width, 2), np.float32), np.zeros((height, width), bool))


def _colours(world: World, now: truth.Seen, time: int, width: int, height: int) -> UInt8[np.ndarray, "h w 3"]:
    camera = world.camera(time, width, height)
    numbers, frames = in_view(world, world.shadows, time, camera)
    view = raster.look(camera, world.shadows.take(numbers), frames, world.atlas, width, height)
    taken = shading.cast_shadows(view, world.atlas, width, height)
    return shading.shade(world, now.panels, now.view, now.raster, taken)
