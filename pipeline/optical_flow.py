"""clips -> optical_flow: for each stride k the motion from every frame to the one k frames earlier, and its confidence."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from pipeline import arrays, extractors, layout, params
from pipeline.errors import InputError
from pipeline.extractors.optical_flow import Measure, Motion, Truth
from pipeline.overlap import ahead, behind

SMALLEST_SIDE = 16
"""Pixels, as of clips: less no back-end was made for, and OpenCV's refuses it."""


def run_clip(clips: Path, out: Path, p: params.OpticalFlow, made_by: dict[str, Any], device: str) -> None:
    extractor = cast(Measure | Truth, extractors.load(p, clips=clips, device=device))
    strides = sorted(set(p.strides))
    frames = ahead(arrays.reading(layout.arrays(clips, "frames")).frames("rgb"))
    motions = extractor(strides) if isinstance(extractor, Truth) else measured(extractor, frames, strides, p)
    attributes = {**made_by, "strides": strides}
    with arrays.writing(layout.arrays(out, "optical_flow"), attributes) as writer, behind(partial(_append, writer, p)) as append:
        for by_stride in motions:
            append(by_stride)


@dataclass(frozen=True)
class BothWays:
    """What was measured between a frame and an earlier one, not yet judged."""

    frame: UInt8[np.ndarray, "h w 3"]
    earlier: UInt8[np.ndarray, "h w 3"]
    there: Float32[np.ndarray, "h1 w1 2"]
    """From frame to earlier, pixels of the size at which it was measured."""
    back: Float32[np.ndarray, "h1 w1 2"]


def measured(
    measure: Measure, frames: Iterator[UInt8[np.ndarray, "h w 3"]], strides: list[int], p: params.OpticalFlow
) -> Iterator[Mapping[int, BothWays | Motion]]:
    """Both ways between every frame and its earlier ones; the first k frames have no motion at stride k."""
    recent: deque[tuple[np.ndarray, Any]] = deque(maxlen=max(strides) + 1)
    for frame in frames:
        recent.append((frame, measure.prepare(scaled(frame, p.scale))))
        earlier = {k: recent[-1 - k] for k in strides if k < len(recent)}
        flows = _between(measure, [pair for other in earlier.values() for pair in _directions(recent[-1], other)], p.batch_size)
        both = {k: BothWays(frame, other, flows[2 * i], flows[2 * i + 1]) for i, (k, (other, _)) in enumerate(earlier.items())}
        yield {k: both.get(k) or _none(frame) for k in strides}


def _directions(one: tuple[np.ndarray, Any], other: tuple[np.ndarray, Any]) -> list[tuple[Any, Any]]:
    return [(one[1], other[1]), (other[1], one[1])]


def _between(measure: Measure, pairs: list[tuple[Any, Any]], batch_size: int) -> list[np.ndarray]:
    flows: list[np.ndarray] = []
    for start in range(0, len(pairs), batch_size):
        source, target = zip(*pairs[start : start + batch_size], strict=True)
        flows += list(measure.between(source, target))
    return flows


def _none(frame: np.ndarray) -> Motion:
    return Motion(np.zeros((*frame.shape[:2], 2), np.float32), np.zeros(frame.shape[:2], np.uint8))


def _append(writer: arrays.Writer, p: params.OpticalFlow, by_stride: Mapping[int, BothWays | Motion]) -> None:
    for k, motion in by_stride.items():
        known = judged(motion, p) if isinstance(motion, BothWays) else motion
        writer.append(f"optical_flow_{k}", stored(known.optical_flow, p.rounding))
        writer.append(f"confidence_{k}", known.confidence)


def judged(both: BothWays, p: params.OpticalFlow) -> Motion:
    """The flow from the frame to the earlier one, in its own pixels, and how far to trust it."""
    height, width = both.frame.shape[:2]
    there, back = (at_size(flow, height, width) for flow in (both.there, both.back))
    if not (np.isfinite(there).all() and np.isfinite(back).all()):
        raise InputError(
            f"optical_flow.backend {p.backend}: gave values that are no numbers at {width}x{height} pixels; larger frames may help"
        )
    there = stored(there, p.rounding).astype(np.float32)  # judged as it will be read
    trust = confidence(both.frame, both.earlier, there, back, photometric=p.photometric, forward_backward=p.forward_backward)
    return Motion(there, trust)


def scaled(frame: UInt8[np.ndarray, "h w 3"], scale: float) -> UInt8[np.ndarray, "h1 w1 3"]:
    height, width = (max(SMALLEST_SIDE, round(side * scale)) for side in frame.shape[:2])
    if scale == 1 or (height, width) == frame.shape[:2]:
        return frame
    smaller: np.ndarray = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return smaller


def at_size(optical_flow: Float32[np.ndarray, "h1 w1 2"], height: int, width: int) -> Float32[np.ndarray, "h w 2"]:
    """In pixels of that size: dx and dy grow each by what its side really grows by, which rounding may have made unequal."""
    if (height, width) == optical_flow.shape[:2]:
        return optical_flow
    ratios = np.array([width / optical_flow.shape[1], height / optical_flow.shape[0]], np.float32)
    larger: np.ndarray = cv2.resize(optical_flow, (width, height), interpolation=cv2.INTER_LINEAR) * ratios
    return larger


def stored(optical_flow: Float[np.ndarray, "h w 2"], rounding: float) -> Float[np.ndarray, "h w 2"]:
    """As multiples of `rounding` pixels, float16 (which itself has steps of 1/16 px from 64 px on, 1/8 from 128 on)."""
    multiples: np.ndarray = np.rint(optical_flow.astype(np.float32) / rounding) * rounding
    return multiples.astype(np.float16)


def confidence(
    frame: UInt8[np.ndarray, "h w 3"],
    earlier: UInt8[np.ndarray, "h w 3"],
    there: Float32[np.ndarray, "h w 2"],
    back: Float32[np.ndarray, "h w 2"],
    *,
    photometric: float,
    forward_backward: float,
) -> UInt8[np.ndarray, "h w"]:
    """How far to trust the flow `there`, from frame to earlier, beside `back`, from earlier to frame: 0..255.

    With e the squared difference of frame and warped earlier frame, summed over channels in [-1, 1], and d the distance in pixels
    between a pixel and where the flow there and back again leads: 256 * min(1 / (1 + e / photometric), 1 / (1 + d / forward_backward)),
    rounded down. So >= 128 means e <= photometric and d <= forward_backward; at photometric = 0.02 and flow that leads back this is the
    reference's binary mask. 0 where the flow leaves the image.
    """
    height, width = there.shape[:2]
    position = _grid(height, width) + there  # h w 2, (x, y) in earlier
    difference = (frame - sampled(earlier.astype(np.float32), position)) / np.float32(127.5)
    error = np.einsum("hwc,hwc->hw", difference, difference)  # four times as fast as a sum over the short last axis
    away = there + sampled(back, position)
    distance = np.hypot(away[..., 0], away[..., 1])
    trust = 1 / (1 + np.maximum(error / np.float32(photometric), distance / np.float32(forward_backward)))
    x, y = position[..., 0], position[..., 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    levels: np.ndarray = np.minimum(256 * trust, 255) * inside
    return levels.astype(np.uint8)


@lru_cache(maxsize=1)
def _grid(height: int, width: int) -> Float32[np.ndarray, "h w 2"]:
    """Every pixel's own (x, y)."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)


def sampled(image: Float32[np.ndarray, "h w c"], position: Float32[np.ndarray, "h w 2"]) -> Float32[np.ndarray, "h w c"]:
    """`image` at (x, y) positions, bilinear (to 1/32 px), the border's value outside: the warp of models/warp.py."""
    values: np.ndarray = cv2.remap(image, position[..., 0], position[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return values
