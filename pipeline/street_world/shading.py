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
_DEEPEST = np.array([0.06, 0.08, 0.14], np.float32)  # what is left of the light where a shadow takes all: the sky is blue
_GROUND_LABELS = (labels.ROAD, labels.SIDEWALK, labels.TERRAIN)
_FEWEST_SAMPLES = 24  # of a shadow that counts
_TENT = np.array([0.25, 0.5, 0.25], np.float32)


def shade(world: World, panels: Panels, view: View, raster: Raster, taken: UInt8[np.ndarray, "rows columns"]) -> UInt8[np.ndarray, "h w 3"]:
    """`taken` is the share of light that shadows take from the ground, of 255. One colour after the other, which is faster."""
    owner = raster.panels
    on_ground = np.take(np.isin(panels.labels, _GROUND_LABELS).astype(np.float32) / 255, owner)
    in_shadow = taken * on_ground
    thinness = np.where(panels.infinite, 0, -1 / _HAZE_METRES).astype(np.float32)
    haze = 1 - np.exp(np.take(thinness, owner) / raster.inverse_depth)
    tints, haze_colour = panels.tints.T.astype(np.float32), world.haze.astype(np.float32)
    colours = []
    for channel, texture in enumerate(cv2.split(_textured(panels, view, raster, world.atlas))):
        colour = np.take(tints[channel], owner) * texture
        colour *= 1 - (1 - _DEEPEST[channel]) * in_shadow
        colour += (haze_colour[channel] - colour) * haze
        colours.append(_pixels(colour))
    return np.stack(colours, axis=-1)


def cast_shadows(view: View, atlas: Atlas, width: int, height: int) -> UInt8[np.ndarray, "rows columns"]:
    """The share of light that shadows take from each sample of the ground, of 255: the darkest one counts."""
    columns, rows = sample_positions(2 * width + 1), sample_positions(2 * height + 1)[:, None]
    taken = np.zeros((len(rows), len(columns)), np.uint8)
    # Plain numbers, so that what is computed with them stays float32.
    to_atlas, first, last = view.holes.to_atlas.tolist(), view.holes.first.tolist(), view.holes.last.tolist()
    samples = np.prod(view.bounds[:, 2:] - view.bounds[:, :2], axis=1)
    for number in np.flatnonzero(samples > _FEWEST_SAMPLES).tolist():
        left, top, right, bottom = view.bounds[number].tolist()
        u, v = columns[left:right], rows[top:bottom]
        inverse = affine(view.to_texture[number, 2].tolist(), u, v)
        depth = 1 / np.maximum(inverse, 1e-4)
        column, row = (
            np.minimum(np.maximum(affine(to_atlas[number][axis], u, v) * depth - 0.5, first[number][axis]), last[number][axis])
            for axis in (0, 1)
        )
        alpha = cv2.remap(atlas.alpha, column, row, cv2.INTER_LINEAR)
        for span in view.spans[number].tolist():
            alpha *= np.abs(affine(span, u, v)) <= inverse
        tile = taken[top:bottom, left:right]
        np.maximum(tile, alpha, out=tile)
    return taken


def _textured(panels: Panels, view: View, raster: Raster, atlas: Atlas) -> UInt8[np.ndarray, "rows columns 3"]:
    height, width = raster.panels.shape
    u, v = sample_positions(width), sample_positions(height)[:, None]
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
    return cv2.remap(atlas.rgb, column, row, cv2.INTER_LINEAR)


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


def _pixels(colour: Float32[np.ndarray, "rows columns"]) -> UInt8[np.ndarray, "h w"]:
    """Each pixel is the mean of its centre and the eight samples around it, as a tent."""
    smooth = cv2.sepFilter2D(colour, cv2.CV_32F, _TENT, _TENT)[1::2, 1::2]
    return np.clip(np.rint(smooth), 0, 255).astype(np.uint8)
