"""The colours of a picture whose panels are known: texture, light, shadows on the ground, haze."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Int, UInt8

from pipeline.street_world import labels
from pipeline.street_world.atlas import Atlas
from pipeline.street_world.panels import Panels
from pipeline.street_world.raster import Raster, View, affine, sample_positions
from pipeline.street_world.world import World

_HAZE_METRES = 170.0
_SHADOW = 0.72
_GROUND_LABELS = (labels.ROAD, labels.SIDEWALK, labels.TERRAIN)
_TENT = np.array([0.25, 0.5, 0.25], np.float32)


def shade(
    world: World, panels: Panels, view: View, raster: Raster, light: Float32[np.ndarray, "rows columns"]
) -> UInt8[np.ndarray, "h w 3"]:
    """`light` is the share of light that shadows leave on the ground."""
    colour = _textured(panels, view, raster, world.atlas)
    on_ground = np.take(np.isin(panels.labels, _GROUND_LABELS), raster.panels)
    colour *= np.take(panels.tints.astype(np.float32), raster.panels, axis=0)
    colour *= np.where(on_ground, light, np.float32(1))[..., None]
    thinness = np.where(panels.infinite, 0, -1 / _HAZE_METRES).astype(np.float32)
    haze = 1 - np.exp(np.take(thinness, raster.panels) / raster.inverse_depth)
    colour += (world.haze.astype(np.float32) - colour) * haze[..., None]
    return _pixels(colour)


def cast_shadows(view: View, shadows: Panels, width: int, height: int) -> Float32[np.ndarray, "rows columns"]:
    """Soft dark ellipses under things; the brightness they leave at each sample of the ground."""
    columns, rows = sample_positions(width), sample_positions(height)[:, None]
    light = np.ones((len(rows), len(columns)), np.float32)
    for number in np.flatnonzero(view.bounds.any(axis=1)).tolist():
        left, top, right, bottom = view.bounds[number].tolist()
        u, v = columns[left:right], rows[top:bottom]
        depth = 1 / np.maximum(affine(view.to_texture[number, 2].tolist(), u, v), 1e-4)
        across, along = (affine(span, u, v) * depth for span in view.spans[number].tolist())
        soft = np.maximum(1 - across**2, 0) * np.maximum(1 - along**2, 0)
        light[top:bottom, left:right] *= 1 - _SHADOW * np.minimum(2.2 * soft, 1)
    return light


def _textured(panels: Panels, view: View, raster: Raster, atlas: Atlas) -> Float32[np.ndarray, "rows columns 3"]:
    height, width = raster.panels.shape
    u, v = sample_positions((width - 1) // 2), sample_positions((height - 1) // 2)[:, None]
    rows = view.to_texture.astype(np.float32).reshape(-1, 9).T
    su, sv, s1, tu, tv, t1, zu, zv = (np.take(row, raster.panels) for row in rows[:8])
    depth = 1 / raster.inverse_depth
    s = (su * u + sv * v + s1) * depth
    t = (tu * u + tv * v + t1) * depth
    # Texels that half a pixel to the right and half a pixel down lie away.
    footprint_s = (np.abs(su - s * zu) + np.abs(sv - s * zv)) * (depth / 2)
    footprint_t = (np.abs(tu - t * zu) + np.abs(tv - t * zv)) * (depth / 2)
    columns = _Axis(atlas.widths[panels.textures], atlas.left[panels.textures])
    lines = _Axis(atlas.heights[panels.textures], atlas.top[panels.textures])
    column = _in_ripmap(s, footprint_s, columns, raster.panels)
    row = _in_ripmap(t, footprint_t, lines, raster.panels)
    return cv2.remap(atlas.rgb, column, row, cv2.INTER_LINEAR).astype(np.float32)


@dataclass(frozen=True)
class _Axis:
    """For each panel, how many texels its texture has along one axis and where its ripmap begins."""

    sizes: Int[np.ndarray, " n"]
    offsets: Int[np.ndarray, " n"]


def _in_ripmap(
    texel: Float32[np.ndarray, "rows columns"],
    footprint: Float32[np.ndarray, "rows columns"],
    axis: _Axis,
    owners: Int[np.ndarray, "rows columns"],
) -> Float32[np.ndarray, "rows columns"]:
    """Where in the atlas, along one axis, to look a texel up whose sample covers `footprint` texels."""
    size = np.take(axis.sizes.astype(np.float32), owners)
    end = np.take((axis.offsets + 2 * axis.sizes).astype(np.float32), owners)
    finest = np.minimum(np.maximum(footprint, 1), size)
    scale = np.exp2(-np.rint(np.log2(finest)))
    inside = np.minimum(np.maximum(texel * scale, 0.5), size * scale - 0.5)
    place: Float32[np.ndarray, "rows columns"] = end - 2 * size * scale + inside - 0.5  # level starts: see atlas.py
    return place


def _pixels(colour: Float32[np.ndarray, "rows columns 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Each pixel is the mean of its centre and the eight samples around it, as a tent."""
    smooth = cv2.sepFilter2D(colour, cv2.CV_32F, _TENT, _TENT)[1::2, 1::2]
    return np.clip(np.rint(smooth), 0, 255).astype(np.uint8)
