"""clips -> optical_flow: for each stride k the motion from every frame to the one k frames earlier, and its confidence."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from pipeline import arrays, extractors, layout, params
from pipeline.errors import InputError
from pipeline.extractors.optical_flow import Measure, Motion, Truth
from pipeline.overlap import ahead, behind


def run_clip(clips: Path, out: Path, p: params.OpticalFlow, made_by: dict[str, Any], device: str) -> None:
    extractor: Measure | Truth = extractors.load(p, clips=clips, device=device)
    strides = sorted(set(p.strides))
    frames = ahead(arrays.reading(layout.arrays(clips, "frames")).frames("rgb"))
    motions = extractor(strides) if isinstance(extractor, Truth) else measured(extractor, frames, strides, p)
    attributes = {**made_by, "strides": strides}
    with arrays.writing(layout.arrays(out, "optical_flow"), attributes) as writer, behind(writer.append) as append:
        for by_stride in motions:
            for k, motion in by_stride.items():
                append(f"optical_flow_{k}", stored(motion.optical_flow, p.rounding))
                append(f"confidence_{k}", motion.confidence)


def measured(
    measure: Measure, frames: Iterator[UInt8[np.ndarray, "h w 3"]], strides: list[int], p: params.OpticalFlow
) -> Iterator[dict[int, Motion]]:
    """Both ways between every frame and its earlier ones; the first k frames have no motion at stride k."""
    recent: deque[np.ndarray] = deque(maxlen=max(strides) + 1)
    for frame in frames:
        recent.append(frame)
        earlier = {k: recent[-1 - k] for k in strides if k < len(recent)}
        yield {k: _motion(measure, frame, earlier[k], p) if k in earlier else _none(frame) for k in strides}


def _motion(measure: Measure, frame: np.ndarray, earlier: np.ndarray, p: params.OpticalFlow) -> Motion:
    there, back = measure(np.stack([frame, earlier]), np.stack([earlier, frame]))
    if not (np.isfinite(there).all() and np.isfinite(back).all()):
        size = f"{frame.shape[1]}x{frame.shape[0]}"
        raise InputError(f"optical_flow.backend {p.backend}: gave values that are no numbers at {size} pixels; larger frames may help")
    there = stored(there, p.rounding).astype(np.float32)  # judged as it will be read
    trust = confidence(frame, earlier, there, back, photometric=p.photometric, forward_backward=p.forward_backward)
    return Motion(there, trust)


def _none(frame: np.ndarray) -> Motion:
    return Motion(np.zeros((*frame.shape[:2], 2), np.float32), np.zeros(frame.shape[:2], np.uint8))


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
    position = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32) + there  # h w 2, (x, y) in earlier
    warped = sampled(earlier.astype(np.float32), position)
    error = np.square((frame - warped) / 127.5).sum(axis=-1)
    distance = np.linalg.norm(there + sampled(back, position), axis=-1)
    trust = np.minimum(1 / (1 + error / photometric), 1 / (1 + distance / forward_backward))
    inside = (position >= 0).all(axis=-1) & (position <= (width - 1, height - 1)).all(axis=-1)
    levels: np.ndarray = np.minimum(256 * trust, 255) * inside
    return levels.astype(np.uint8)


def sampled(image: Float32[np.ndarray, "h w c"], position: Float32[np.ndarray, "h w 2"]) -> Float32[np.ndarray, "h w c"]:
    """`image` at (x, y) positions, bilinear (to 1/32 px), the border's value outside: the warp of models/warp.py."""
    values: np.ndarray = cv2.remap(image, position[..., 0], position[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return values
