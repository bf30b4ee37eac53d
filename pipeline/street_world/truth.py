"""Exact motion of every pixel's surface point since an earlier frame, and whether it was seen there."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from pipeline.street_world.atlas import Atlas
from pipeline.street_world.panels import Panels
from pipeline.street_world.raster import Raster, View, at_points, is_solid

_DEPTH_TOLERANCE = 1e-4
_BEHIND_METRES = 0.05
_ROUNDING_PIXELS = 1e-6  # a point that did not move lies on the picture's edge, not outside it


@dataclass(frozen=True)
class Seen:
    """One frame as it was rasterised: what later frames need to know of it."""

    numbers: Int[np.ndarray, " n"]
    """The world's numbers of the panels below, ascending."""
    panels: Panels
    view: View
    raster: Raster


@dataclass(frozen=True)
class Motion:
    optical_flow: Float32[np.ndarray, "h w 2"]
    visible: Bool[np.ndarray, "h w"]


@dataclass(frozen=True)
class _Points:
    """Surface points, each the middle of a pixel of the later frame, as they lie in the earlier one."""

    u: Float[np.ndarray, " points"]
    v: Float[np.ndarray, " points"]
    inverse_depth: Float[np.ndarray, " points"]
    panel: Int[np.ndarray, " points"]
    """Among those of the earlier frame; -1 if it was not drawn there."""

    def take(self, rows: Int[np.ndarray, " some"]) -> "_Points":
        return _Points(*(values[rows] for values in vars(self).values()))


def motion(now: Seen, then: Seen, to_image_then: Float[np.ndarray, "n 3 3"], atlas: Atlas) -> Motion:
    """`to_image_then` projects the panels of `now` as they stood in frame `then`."""
    owners = now.raster.panels[1::2, 1::2]
    height, width = owners.shape
    owner = owners.ravel()
    u, v = np.tile(np.arange(width, dtype=np.float64), height), np.repeat(np.arange(height, dtype=np.float64), width)
    u_then, v_then, scale = at_points(to_image_then @ now.view.to_texture, owner, u, v)  # scale: depth then by depth now
    (inverse,) = at_points(now.view.to_texture[:, 2:], owner, u, v)
    in_front = scale > _BEHIND_METRES * inverse
    scale = np.where(in_front, scale, 1.0)
    u_then, v_then = np.where(in_front, u_then / scale, u), np.where(in_front, v_then / scale, v)
    inside = in_front
    for place, size in ((u_then, width), (v_then, height)):
        inside = inside & (place >= -_ROUNDING_PIXELS) & (place <= size - 1 + _ROUNDING_PIXELS)
    candidates = np.flatnonzero(inside)
    points = _Points(u_then, v_then, inverse / scale, _places(now.numbers, then)[owner]).take(candidates)
    visible = np.zeros(len(owner), bool)
    visible[candidates] = _unoccluded(points, then, atlas)
    optical_flow = np.stack([u_then - u, v_then - v], axis=1).astype(np.float32)
    return Motion(optical_flow.reshape(height, width, 2), visible.reshape(height, width))


def _places(numbers: Int[np.ndarray, " n"], then: Seen) -> Int[np.ndarray, " n"]:
    """Where panels stand among those of frame `then`; -1 for those that were not drawn there."""
    places = np.minimum(np.searchsorted(then.numbers, numbers), len(then.numbers) - 1)
    drawn = (then.numbers[places] == numbers) & then.view.bounds[places].any(axis=1)
    return np.where(drawn, places, -1)


def _unoccluded(points: _Points, then: Seen, atlas: Atlas) -> Bool[np.ndarray, " points"]:
    """Which points are seen in frame `then`.

    Where all four samples around a point show its own panel it is seen. Elsewhere each panel that a sample shows is
    asked whether it covers exactly this point, in front of it.
    """
    samples = then.raster.panels
    columns = samples.shape[1]
    corner = (2 * points.v + 1).astype(np.int64) * columns + (2 * points.u + 1).astype(np.int64)
    around = [np.take(samples, corner + step, mode="clip") for step in (0, 1, columns, columns + 1)]
    seen: Bool[np.ndarray, " points"] = points.panel == around[0]
    for neighbour in around[1:]:
        seen &= points.panel == neighbour
    unsure = np.flatnonzero(~seen & (points.panel >= 0))
    seen[unsure] = _unsure_are_seen(points.take(unsure), [neighbour[unsure] for neighbour in around], then, atlas)
    return seen


def _unsure_are_seen(points: _Points, around: list[Int[np.ndarray, " points"]], then: Seen, atlas: Atlas) -> Bool[np.ndarray, " points"]:
    # Its own panel may have a hole there, as holes grow coarser with distance.
    seen = is_solid(then.view, points.panel, points.u, points.v, atlas)
    for number, neighbour in enumerate(around):
        asked = seen & (neighbour != points.panel)
        for earlier in around[:number]:
            asked &= neighbour != earlier
        rows = np.flatnonzero(asked)
        seen[rows] = ~_covers(neighbour[rows], points.take(rows), then, atlas)
    return seen


def _covers(panel: Int[np.ndarray, " points"], points: _Points, then: Seen, atlas: Atlas) -> Bool[np.ndarray, " points"]:
    """Whether panels of frame `then` hide the points."""
    (inverse,) = at_points(then.view.to_texture[:, 2:], panel, points.u, points.v)
    in_front = inverse > points.inverse_depth * (1 + _DEPTH_TOLERANCE)
    across, along = at_points(then.view.spans, panel, points.u, points.v)
    inside = (np.abs(across) <= inverse) & (np.abs(along) <= inverse)
    hides: Bool[np.ndarray, " points"] = in_front & inside
    hides &= is_solid(then.view, panel, points.u, points.v, atlas)
    return hides
