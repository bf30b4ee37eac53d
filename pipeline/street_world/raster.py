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
_SMALL_SAMPLES = 512
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
    """Where in the atlas to look up whether a panel has a hole, or how dark a shadow is: its texture, at one level of the ripmap."""

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
    to_texture = _inverse(to_image)
    corners = _corners(to_image, panels.windows)
    extents = _extents(corners)
    bounds = _bounds(extents, width, height)
    bounds[np.prod(bounds[:, 2:] - bounds[:, :2], axis=1) <= _FEWEST_SAMPLES] = 0
    return View(
        to_image=to_image,
        to_texture=to_texture,
        spans=_spans(to_texture, panels.windows),
        bounds=bounds,
        closest=1 / np.maximum(corners[..., 2].min(axis=1), _NEAREST_METRES) * 1.001,
        holes=_holes(to_texture, panels, _hole_levels(panels, extents, atlas), atlas),
    )


def rasterise(view: View, panels: Panels, atlas: Atlas, width: int, height: int) -> Raster:
    """The nearest panel of every sample."""
    nearest = np.zeros((2 * height + 1, 2 * width + 1), np.float32)
    raster = Raster(np.zeros(nearest.shape, np.int64), nearest)
    has_holes = atlas.has_holes[panels.textures]
    samples = np.prod(view.bounds[:, 2:] - view.bounds[:, :2], axis=1)
    _draw_large(raster, view, np.flatnonzero(samples > _SMALL_SAMPLES), has_holes, atlas)
    _draw_small(raster, view, np.flatnonzero((samples > 0) & (samples <= _SMALL_SAMPLES)), has_holes, atlas)
    return raster


def _draw_large(raster: Raster, view: View, numbers: Int[np.ndarray, " m"], has_holes: Bool[np.ndarray, " n"], atlas: Atlas) -> None:
    """One by one. Near panels come first, so that hidden ones cost one look."""
    rows, columns = (sample_positions(size) for size in raster.panels.shape)
    # Plain numbers: picking them from arrays one by one would take half of the time.
    bounds, closest = view.bounds.tolist(), view.closest.tolist()
    a, b, c = np.concatenate([view.to_texture[:, 2:], view.spans], axis=1).astype(np.float32).transpose(2, 0, 1)[..., None, None]
    for number in numbers[np.argsort(-view.closest[numbers], kind="stable")].tolist():
        left, top, right, bottom = bounds[number]
        tile = raster.inverse_depth[top:bottom, left:right]
        if tile.min() > closest[number]:
            continue
        u, v = columns[left:right], rows[top:bottom, None]
        inverse, across, along = a[number] * u + (b[number] * v + c[number])
        seen = inverse > tile
        seen &= np.abs(across) <= inverse
        seen &= np.abs(along) <= inverse
        if has_holes[number]:
            seen &= _solid_tile(view.holes, number, inverse, u, v, atlas)
        np.copyto(tile, inverse, where=seen)
        np.copyto(raster.panels[top:bottom, left:right], number, where=seen)


def _draw_small(raster: Raster, view: View, numbers: Int[np.ndarray, " m"], has_holes: Bool[np.ndarray, " n"], atlas: Atlas) -> None:
    """All at once: in a street most panels are small, and one by one each would cost as much as a large one."""
    rows, columns = (sample_positions(size) for size in raster.panels.shape)
    left, top, right, bottom = view.bounds[numbers].T
    counts = (right - left) * (bottom - top)
    owner = np.repeat(np.arange(len(numbers)), counts)
    down, across = np.divmod(np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts), (right - left)[owner])
    row, column = top[owner] + down, left[owner] + across
    candidates = _Samples(numbers[owner], row * len(columns) + column, columns[column], rows[row])
    (inverse,) = candidates.apply(view.to_texture[:, 2:])
    kept = inverse > raster.inverse_depth.ravel()[candidates.place]
    candidates, inverse = candidates.take(kept), inverse[kept]
    kept = np.ones(len(inverse), bool)
    for span in candidates.apply(view.spans):
        kept &= np.abs(span) <= inverse
    candidates, inverse = candidates.take(kept), inverse[kept]
    kept = ~has_holes[candidates.panel]
    doubtful = np.flatnonzero(~kept)
    kept[doubtful] = candidates.take(doubtful).are_solid(view.holes, inverse[doubtful], atlas)
    last = np.flatnonzero(kept)[np.argsort(inverse[kept], kind="stable")]  # the nearest is written last
    raster.inverse_depth.ravel()[candidates.place[last]] = inverse[last]
    raster.panels.ravel()[candidates.place[last]] = candidates.panel[last]


@dataclass(frozen=True)
class _Samples:
    """Samples of panels, in any order."""

    panel: Int[np.ndarray, " samples"]
    place: Int[np.ndarray, " samples"]
    """In the raster, row by row."""
    u: Float32[np.ndarray, " samples"]
    v: Float32[np.ndarray, " samples"]

    def take(self, which: Int[np.ndarray, " some"] | Bool[np.ndarray, " samples"]) -> "_Samples":
        return _Samples(*(values[which] for values in vars(self).values()))

    def apply(self, matrices: Float[np.ndarray, "n rows 3"]) -> list[Float32[np.ndarray, " samples"]]:
        return at_points(matrices, self.panel, self.u, self.v)

    def are_solid(self, holes: Holes, inverse_depth: Float32[np.ndarray, " samples"], atlas: Atlas) -> Bool[np.ndarray, " samples"]:
        depth = 1 / np.maximum(inverse_depth, _FARTHEST)
        column, row = (values * depth for values in self.apply(holes.to_atlas))
        return _alpha_is_solid(column, row, holes.first[self.panel].T, holes.last[self.panel].T, atlas)


def sample_positions(num_samples: int) -> Float32[np.ndarray, " samples"]:
    """In pixels, along one axis."""
    return np.arange(-1, num_samples - 1, dtype=np.float32) / 2


def affine(row: list[float], u: Float32[np.ndarray, " columns"], v: Float32[np.ndarray, "rows 1"]) -> Float32[np.ndarray, "rows columns"]:
    values: Float32[np.ndarray, "rows columns"] = row[0] * u + (row[1] * v + row[2])
    return values


def at_points(
    matrices: Float[np.ndarray, "n rows 3"],
    owner: Int[np.ndarray, " points"],
    u: Float[np.ndarray, " points"],
    v: Float[np.ndarray, " points"],
) -> list[Float[np.ndarray, " points"]]:
    """Rows of each point's matrix times (u, v, 1), in the precision of u and v."""
    entries = np.take(matrices.reshape(len(matrices), -1).T.astype(u.dtype, order="C"), owner, axis=1)
    return [a * u + (b * v + c) for a, b, c in entries.reshape(*matrices.shape[1:], len(owner))]


def is_solid(
    view: View,
    panel: Int[np.ndarray, " points"],
    u: Float[np.ndarray, " points"],
    v: Float[np.ndarray, " points"],
    atlas: Atlas,
) -> Bool[np.ndarray, " points"]:
    """Whether panels have matter, not a hole, where their planes show at the pixels (u, v)."""
    (inverse_depth,) = at_points(view.to_texture[:, 2:], panel, u, v)
    column, row = (values / inverse_depth for values in at_points(view.holes.to_atlas, panel, u, v))
    return _alpha_is_solid(column, row, view.holes.first[panel].T, view.holes.last[panel].T, atlas)


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


def _inverse(matrices: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "n 3 3"]:
    """By cofactors: for many small matrices faster than LAPACK, and the same on every machine."""
    first, second, third = matrices.transpose(2, 0, 1)  # columns
    rows = np.stack([np.cross(second, third), np.cross(third, first), np.cross(first, second)], axis=1)
    return rows / np.einsum("ni,ni->n", first, rows[:, 0])[:, None, None]


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
