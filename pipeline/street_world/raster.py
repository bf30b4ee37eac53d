"""Which panel does each sample of a picture see? Exact: a panel's edges and inverse depth are affine in the picture.

Samples lie half a pixel apart, from -0.5 to size - 0.5, so every second one is a pixel's centre.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from pipeline.street_world.atlas import Atlas
from pipeline.street_world.camera import Camera
from pipeline.street_world.panels import Panels

_NEAREST_METRES = 0.2
_SEAM_TEXELS = 0.02  # panels that meet overlap by this much, so that no sample falls between them
_OPAQUE = 100
_FEWEST_SAMPLES = 6  # smaller panels are not drawn
_FARTHEST = 1e-5  # inverse metres


@dataclass(frozen=True)
class View:
    """Panels as a camera sees them."""

    to_image: Float[np.ndarray, "n 3 3"]
    """(s, t, 1) in texels -> (u z, v z, z)."""
    to_texture: Float[np.ndarray, "n 3 3"]
    """(u, v, 1) in pixels -> (s / z, t / z, 1 / z)."""
    spans: Float[np.ndarray, "n 2 3"]
    """(u, v, 1) -> (a / z, b / z): a and b go from -1 at the panel's left and top edge to 1 at the other."""
    bounds: Int[np.ndarray, "n 4"]
    """First column, first row, end column, end row, in samples; all 0 if the panel is not drawn."""
    closest: Float[np.ndarray, " n"]
    """An inverse depth that no visible point of the panel exceeds."""
    holes: "Holes"


@dataclass(frozen=True)
class Holes:
    """Where in the atlas to look up whether a panel has a hole: its texture, at one level of the ripmap."""

    to_atlas: Float[np.ndarray, "n 2 3"]
    """(u, v, 1) in pixels -> (column / z, row / z)."""
    first: Int[np.ndarray, "n 2"]
    """Column and row of the level's first texel."""
    last: Int[np.ndarray, "n 2"]


@dataclass(frozen=True)
class Raster:
    panels: Int[np.ndarray, "rows columns"]
    inverse_depth: Float32[np.ndarray, "rows columns"]


def look(camera: Camera, panels: Panels, frames: Float[np.ndarray, "n 3 3"], atlas: Atlas, width: int, height: int) -> View:
    """Project panels that stand at `frames` in the world."""
    relative = frames.copy()
    relative[:, :, 2] -= camera.position
    to_image = camera.matrix @ relative
    facing = np.linalg.det(to_image) > 1e-12
    to_texture = np.zeros_like(to_image)
    to_texture[facing] = np.linalg.inv(to_image[facing])
    corners = _corners(to_image, panels.windows)
    extents = _extents(corners)
    bounds = _bounds(extents, width, height)
    bounds[~(facing & (np.prod(bounds[:, 2:] - bounds[:, :2], axis=1) > _FEWEST_SAMPLES))] = 0
    return View(
        to_image=to_image,
        to_texture=to_texture,
        spans=_spans(to_texture, panels.windows),
        bounds=bounds,
        closest=1 / np.maximum(corners[..., 2].min(axis=1), _NEAREST_METRES) * 1.001,
        holes=_holes(to_texture, panels, _hole_levels(panels, extents, atlas), atlas),
    )


def rasterise(view: View, panels: Panels, atlas: Atlas, width: int, height: int) -> Raster:
    """The nearest panel of every sample. Near panels come first, so that hidden ones cost one look."""
    columns, rows = sample_positions(width), sample_positions(height)[:, None]
    nearest = np.zeros((len(rows), len(columns)), np.float32)
    index = np.zeros(nearest.shape, np.int64)
    has_holes = atlas.has_holes[panels.textures].tolist()
    # Plain numbers: picking them from arrays one by one would take half of the time.
    bounds, spans, closest = view.bounds.tolist(), view.spans.tolist(), view.closest.tolist()
    inverse_rows = view.to_texture[:, 2].tolist()
    drawn = np.flatnonzero(view.bounds.any(axis=1))
    for number in drawn[np.argsort(-view.closest[drawn], kind="stable")].tolist():
        left, top, right, bottom = bounds[number]
        tile = nearest[top:bottom, left:right]
        if tile.min() > closest[number]:
            continue
        u, v = columns[left:right], rows[top:bottom]
        inverse = affine(inverse_rows[number], u, v)
        seen = inverse > tile
        for span in spans[number]:
            seen &= np.abs(affine(span, u, v)) <= inverse
        if has_holes[number]:
            seen &= _solid_tile(view.holes, number, inverse, u, v, atlas)
        np.copyto(tile, inverse, where=seen)
        np.copyto(index[top:bottom, left:right], number, where=seen)
    return Raster(index, nearest)


def sample_positions(size: int) -> Float32[np.ndarray, " samples"]:
    return np.arange(-1, 2 * size, dtype=np.float32) / 2


def affine(row: list[float], u: Float32[np.ndarray, " columns"], v: Float32[np.ndarray, "rows 1"]) -> Float32[np.ndarray, "rows columns"]:
    values: Float32[np.ndarray, "rows columns"] = row[0] * u + (row[1] * v + row[2])
    return values


def is_solid(
    view: View,
    panel: Int[np.ndarray, " points"],
    u: Float[np.ndarray, " points"],
    v: Float[np.ndarray, " points"],
    atlas: Atlas,
) -> Bool[np.ndarray, " points"]:
    """Whether panels have matter, not a hole, where their planes show at the pixels (u, v)."""
    at = np.stack([u, v, np.ones_like(u)], axis=1)
    inverse_depth = np.einsum("nj,nj->n", view.to_texture[panel, 2], at)
    holes = view.holes
    column, row = np.einsum("nij,nj->in", holes.to_atlas[panel], at) / inverse_depth
    return _alpha_is_solid(column, row, holes.first[panel].T, holes.last[panel].T, atlas)


def _solid_tile(
    holes: Holes,
    number: int,
    inverse_depth: Float32[np.ndarray, "rows columns"],
    u: Float32[np.ndarray, " columns"],
    v: Float32[np.ndarray, "rows 1"],
    atlas: Atlas,
) -> Bool[np.ndarray, "rows columns"]:
    """As `is_solid`, for one panel and every sample of a tile."""
    depth = 1 / np.maximum(inverse_depth, _FARTHEST)
    column, row = (affine(to_axis, u, v) * depth for to_axis in holes.to_atlas[number].tolist())
    return _alpha_is_solid(column, row, holes.first[number], holes.last[number], atlas)


def _alpha_is_solid(
    column: Float[np.ndarray, "*points"],
    row: Float[np.ndarray, "*points"],
    first: Int[np.ndarray, "2 *#points"],
    last: Int[np.ndarray, "2 *#points"],
    atlas: Atlas,
) -> Bool[np.ndarray, "*points"]:
    x = np.minimum(np.maximum(column.astype(np.int64), first[0]), last[0])
    y = np.minimum(np.maximum(row.astype(np.int64), first[1]), last[1])
    solid: Bool[np.ndarray, "*points"] = atlas.alpha[y, x] >= _OPAQUE
    return solid


def _holes(to_texture: Float[np.ndarray, "n 3 3"], panels: Panels, levels: Int[np.ndarray, "n 2"], atlas: Atlas) -> Holes:
    size = np.stack([atlas.widths, atlas.heights], axis=1)[panels.textures]
    first = np.stack([atlas.left, atlas.top], axis=1)[panels.textures] + 2 * size - (2 * size >> levels)  # see atlas.py
    to_level = to_texture[:, :2] * (0.5**levels)[:, :, None]
    return Holes(to_level + first[:, :, None] * to_texture[:, None, 2], first, first + (size >> levels) - 1)


def _spans(to_texture: Float[np.ndarray, "n 3 3"], windows: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 2 3"]:
    first, last = windows[:, :2, None], windows[:, 2:, None]
    half = (last - first) / 2 + _SEAM_TEXELS
    spans: Float[np.ndarray, "n 2 3"] = (to_texture[:, :2] - (first + last) / 2 * to_texture[:, 2:]) / half
    return spans


def _corners(to_image: Float[np.ndarray, "n 3 3"], windows: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 4 3"]:
    """(u z, v z, z) of the corners, in order round the rectangle."""
    corners = windows[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]  # n 4 2, texels
    projected: Float[np.ndarray, "n 4 3"] = np.concatenate([corners, np.ones_like(corners[..., :1])], axis=2) @ to_image.transpose(0, 2, 1)
    return projected


def _extents(corners: Float[np.ndarray, "n 4 3"]) -> Float[np.ndarray, "n 4"]:
    """Left, top, right, bottom in pixels of what of the rectangle lies in front of the camera.

    That is spanned by its corners, and by the points where its sides come near the camera; infinite if there is nothing.
    """
    following = np.roll(corners, -1, axis=1)
    depth, next_depth = corners[..., 2], following[..., 2]
    crosses = (depth > _NEAREST_METRES) != (next_depth > _NEAREST_METRES)
    step = np.where(crosses, next_depth - depth, 1.0)
    crossing = corners + ((_NEAREST_METRES - depth) / step)[..., None] * (following - corners)
    points = np.concatenate([corners, crossing], axis=1)  # n 8 3
    valid = np.concatenate([depth > _NEAREST_METRES, crosses], axis=1)
    pixels = points[..., :2] / np.where(valid, points[..., 2], 1.0)[..., None]
    lowest = np.where(valid[..., None], pixels, np.inf).min(axis=1)
    highest = np.where(valid[..., None], pixels, -np.inf).max(axis=1)
    return np.concatenate([lowest, highest], axis=1)


def _bounds(extents: Float[np.ndarray, "n 4"], width: int, height: int) -> Int[np.ndarray, "n 4"]:
    limit = [2 * width + 1, 2 * height + 1]
    first = np.clip(np.ceil(2 * extents[:, :2] + 0.9), 0, limit)
    end = np.maximum(np.clip(np.floor(2 * extents[:, 2:] + 1.1) + 1, 0, limit), first)
    return np.concatenate([first, end], axis=1).astype(np.int64)


def _hole_levels(panels: Panels, extents: Float[np.ndarray, "n 4"], atlas: Atlas) -> Int[np.ndarray, "n 2"]:
    """The finest level with at most two texels a sample."""
    texels = panels.windows[:, 2:] - panels.windows[:, :2]
    samples = np.maximum(2 * (extents[:, 2:] - extents[:, :2]), 1)
    sizes = np.stack([atlas.widths, atlas.heights], axis=1)[panels.textures]
    levels: Int[np.ndarray, "n 2"] = np.log2(np.clip(texels / samples, 1, sizes)).astype(np.int64)
    return levels
