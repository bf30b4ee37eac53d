"""How training sequences are changed by chance: scaled, cut out, mirrored; frames further apart; poses without some of their parts.

A change is drawn once for a sequence: its frames, maps and optical flow stay what they are to each other, and nothing flickers.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import cv2
import numpy as np
from jaxtyping import Float, Float32, Integer, UInt8

from pipeline import face_sketch, params
from pipeline.errors import InputError
from pipeline.maps import MapKind
from pipeline.pose_map import LIMBS, Dropped
from pipeline.pose_points import PARTS

FAR = 255
"""In a distance map: so far or further, or a line that is not seen. Scaled, it stays so."""

ROUNDED_OFF = 1 / 3
"""Of a distance map's values, on average: thirds of whole pixels are rounded down."""


@dataclass(frozen=True)
class Change:
    """What is seen of each frame, at which size, mirrored or not. Where nothing changes, an array is returned as it is."""

    rows: slice
    columns: slice
    """Of the stored frame. They are cut out before they are scaled, so each side grows by a ratio of its own."""
    size: tuple[int, int]
    """Height and width of the result."""
    mirrored: bool

    def rgb(self, rgb: UInt8[np.ndarray, "t h w 3"]) -> UInt8[np.ndarray, "t height width 3"]:
        """Cubic, since a generator learns to be as blurred as what it is shown."""
        return self._applied(rgb, self._resize(cv2.INTER_AREA if self._shrinks else cv2.INTER_CUBIC))

    def label(self, label: UInt8[np.ndarray, "t h w"]) -> UInt8[np.ndarray, "t height width"]:
        return self._applied(label, self._nearest)

    def instance(self, instance: Integer[np.ndarray, "t h w"]) -> Integer[np.ndarray, "t height width"]:
        return self._applied(instance, self._nearest)

    def edge(self, edge: UInt8[np.ndarray, "t h w c"]) -> UInt8[np.ndarray, "t height width c"]:
        """Lines stay 0 or 255. Of a face sketch distances grow as the picture does, and mirrored, right and left change places."""
        if edge.shape[-1] != face_sketch.CHANNELS:
            return self._applied(edge, self._lines)
        changed = self._applied(edge, self._sketch)
        return np.take(changed, face_sketch.MIRRORED, axis=-1) if self.mirrored else changed

    def pose(self, pose: UInt8[np.ndarray, "t h w c"]) -> UInt8[np.ndarray, "t height width c"]:
        """Numbers of parts and colours of limbs have nothing between them."""
        return self._applied(pose, self._nearest)

    def points(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """(x, y) in pixels; NaN for one that is not seen any more, and for one that is NaN."""
        height, width = self.size
        start, ratios = np.array([self.columns.start, self.rows.start]), np.array(self._ratios[::-1])
        placed = (points + 0.5 - start) * ratios - 0.5
        seen = ((placed >= -0.5) & (placed < (width - 0.5, height - 0.5))).all(axis=1, keepdims=True)
        if self.mirrored:
            placed[:, 0] = width - 1 - placed[:, 0]
        return np.where(seen, placed, np.nan)

    def optical_flow(self, optical_flow: Float[np.ndarray, "t h w 2"]) -> Float[np.ndarray, "t height width 2"]:
        """In pixels of the result."""
        changed = self._applied(optical_flow, self._longer)
        if self.mirrored:
            np.negative(changed[..., 0], out=changed[..., 0])
        return changed

    def confidence(
        self, confidence: UInt8[np.ndarray, "t h w"], optical_flow: Float[np.ndarray, "t height width 2"]
    ) -> UInt8[np.ndarray, "t height width"]:
        """`optical_flow` is the changed one: where it leaves what is seen, confidence is 0, as where stored flow leaves the frame.

        A warp takes the border's value there, which is no part of the earlier frame that belongs here.
        """
        if self._keeps(confidence):
            return confidence
        changed = self._placed(confidence[:, self.rows, self.columns], self._nearest)
        height, width = self.size
        first, last = np.zeros(4), np.array([width - 1, height - 1, 0, 0], np.float64)  # a scalar of OpenCV has four numbers
        for trust, moved in zip(changed, optical_flow, strict=True):
            trust &= cv2.inRange(_grid(height, width) + _as_float32(moved), first, last)  # 255 within
        return changed

    @property
    def _ratios(self) -> tuple[float, float]:
        """Pixels of the result for one of the stored frame, down and across."""
        height, width = self.size
        return height / (self.rows.stop - self.rows.start), width / (self.columns.stop - self.columns.start)

    @property
    def _shrinks(self) -> bool:
        """Both sides do, or none: they are rounded from the same factor."""
        return min(self._ratios) < 1

    def _keeps(self, frames: np.ndarray) -> bool:
        height, width = frames.shape[1:3]
        return not self.mirrored and (self.rows, self.columns, self.size) == (slice(0, height), slice(0, width), (height, width))

    def _applied(self, frames: np.ndarray, scaled: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return frames if self._keeps(frames) else self._placed(frames[:, self.rows, self.columns], scaled)

    def _placed(self, seen: np.ndarray, scaled: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        changed = np.empty((len(seen), *self.size, *seen.shape[3:]), seen.dtype)
        for part, place in zip(seen, changed, strict=True):
            resized = part if part.shape[:2] == self.size else scaled(part)
            upright = cv2.flip(resized, 1) if self.mirrored else resized
            place[...] = upright.reshape(place.shape)  # OpenCV leaves out an axis of one channel
        return changed

    def _resize(self, interpolation: int) -> Callable[[np.ndarray], np.ndarray]:
        return partial(cv2.resize, dsize=self.size[::-1], interpolation=interpolation)

    def _nearest(self, part: np.ndarray) -> np.ndarray:
        return self._resize(cv2.INTER_NEAREST_EXACT)(part)  # INTER_NEAREST is half a pixel beside the others

    def _longer(self, part: Float[np.ndarray, "h w 2"]) -> Float[np.ndarray, "height width 2"]:
        vertical, horizontal = self._ratios
        scaled = self._resize(cv2.INTER_LINEAR)(_as_float32(part))
        scaled[..., 0] *= horizontal  # each alone: four times as fast as both at once
        scaled[..., 1] *= vertical
        return cv2.convertFp16(scaled).view(np.float16) if part.dtype == np.float16 else scaled

    def _lines(self, part: UInt8[np.ndarray, "h w *_"]) -> UInt8[np.ndarray, "height width *_"]:
        """In a smaller picture the largest of all that falls onto a pixel: the nearest alone would lose lines of one pixel."""
        if not self._shrinks:
            return self._nearest(part)
        down, across = (np.ceil(np.arange(length) / ratio - 0.5).astype(int) for length, ratio in zip(self.size, self._ratios, strict=True))
        return np.maximum.reduceat(np.maximum.reduceat(part, down, axis=0), across, axis=1)

    def _sketch(self, part: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "height width c"]:
        scaled = self._nearest(part)
        if self._shrinks:
            scaled[..., 0] = self._lines(np.ascontiguousarray(part[..., 0]))
        return cv2.LUT(scaled, _grown(math.sqrt(math.prod(self._ratios)), part.shape[-1]))


def nothing(height: int, width: int) -> Change:
    """Frames of this size stay as they are."""
    return Change(slice(0, height), slice(0, width), (height, width), mirrored=False)


def drawn(random: np.random.Generator, p: params.Augmentation, height: int, width: int) -> Change:
    """For a sequence of stored frames of this size; `require_possible` has said that it can be. Takes four numbers of `random`, always."""
    enlarged, down, across, flipped = random.random(4).tolist()
    least, most = (math.log(factor) for factor in p.scale_range)
    scale = math.exp(least + enlarged * (most - least))  # as often twice as half the size
    size = _size(p, height, width)
    rows, columns = (_part(whole, side / scale, at) for whole, side, at in zip((height, width), size, (down, across), strict=True))
    return Change(rows, columns, size, mirrored=flipped < p.flip)


def dropped_parts(random: np.random.Generator, p: params.Augmentation) -> Dropped:
    """What a sequence's poses lack. Takes as many numbers of `random` whatever is drawn."""
    parts, limbs, hands, face = np.split(random.random(PARTS + len(LIMBS) + 3) < p.drop_parts, np.cumsum([PARTS, len(LIMBS), 2]))
    return Dropped(
        parts=frozenset((np.flatnonzero(parts) + 1).tolist()),
        limbs=frozenset(np.flatnonzero(limbs).tolist()),
        hands=frozenset(np.flatnonzero(hands).tolist()),
        face=bool(face[0]),
    )


def spacing(random: np.random.Generator, p: params.Augmentation, num_frames: int, needed: int) -> int:
    """One for which `needed` frames so far apart are in a clip of `num_frames`; the smallest where there is none. Takes one number of
    `random`."""
    fitting = [apart for apart in p.spacing if (needed - 1) * apart < num_frames] or [min(p.spacing)]
    return fitting[int(random.random() * len(fitting))]


def require_possible(p: params.Augmentation, kind: MapKind, height: int, width: int) -> None:
    """InputError where maps of this kind, or stored frames of this size, cannot be changed so."""
    if p.flip > 0 and kind.pose:
        raise InputError(f"train.augmentation.flip is {p.flip}: poses have no mirrored form, it must be 0 for them")
    if p.drop_parts > 0 and not kind.pose:
        raise InputError(f"train.augmentation.drop_parts is {p.drop_parts}, but the maps have no poses: it must be 0")
    size, least = _size(p, height, width), p.scale_range[0]
    if any(round(side / least) > whole for side, whole in zip(size, (height, width), strict=True)):
        raise InputError(
            f"train.augmentation: frames of {width}x{height} pixels, scaled by {least} (scale_range), are smaller than "
            f"{size[1]}x{size[0]} ({'crop' if p.crop else 'the stored size: crop is null'})"
        )


def _size(p: params.Augmentation, height: int, width: int) -> tuple[int, int]:
    return (p.crop[1], p.crop[0]) if p.crop else (height, width)


def _part(whole: int, wanted: float, at: float) -> slice:
    """Where what is seen lies in one direction; `at` in [0, 1), from the first possible place to the last."""
    length = min(max(1, round(wanted)), whole)
    start = int(at * (whole - length + 1))
    return slice(start, start + length)


def _as_float32(optical_flow: Float[np.ndarray, "h w 2"]) -> Float32[np.ndarray, "h w 2"]:
    """OpenCV takes a twentieth of NumPy's time for it, here and back."""
    return cv2.convertFp16(optical_flow) if optical_flow.dtype == np.float16 else optical_flow.astype(np.float32, copy=False)


@lru_cache(maxsize=1)
def _grid(height: int, width: int) -> Float32[np.ndarray, "h w 2"]:
    """Every pixel's own (x, y)."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)


def _grown(scale: float, channels: int) -> UInt8[np.ndarray, "1 256 c"]:
    """For each channel of a face sketch what its values become: the first one's stay."""
    values = np.arange(256)
    distances = np.minimum((values + ROUNDED_OFF) * scale, FAR)
    distances[[0, FAR]] = 0, FAR  # a line stays one, as does a map of a frame without a face
    return np.stack([values, *[distances] * (channels - 1)], axis=-1)[None].astype(np.uint8)
