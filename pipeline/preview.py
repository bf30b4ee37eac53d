"""What a training step saw and made, as one picture.

Without pipeline.pictures: the report's pictures may change without a new training.
"""

from pathlib import Path

import numpy as np
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from models.video_generator import Generated
from pipeline.batch import Batch
from pipeline.colours import full_length, optical_flow_colours
from pipeline.maps import MapKind
from pipeline.tensors import maps_to_picture, tensor_to_frames

MOST_FRAMES = 6
MOST_WIDTH = 512
"""Larger frames are shown at a half, a third, ... of their size: a whole one would take seconds to write."""
GAP = 4
LETTERS = (10, 18)
"""Smallest and largest height of a row's name."""

Frames = UInt8[np.ndarray, "t h w 3"]


def save_preview(path: Path, batch: Batch, generated: Generated, kind: MapKind, *, warps: bool) -> None:
    """Named rows: maps, real frames, what was made of them, and of what where the generator `warps`; columns: the window's first frames. Of
    the batch, the first window."""
    rows = [_row(name, frames) for name, frames in _rows(batch, generated, kind, warps=warps).items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    Image.fromarray(_joined(rows, axis=0)).save(unfinished, format="png", compress_level=1)
    unfinished.replace(path)  # whoever watches the folder sees whole pictures


def _rows(batch: Batch, generated: Generated, kind: MapKind, *, warps: bool) -> dict[str, Frames]:
    times = -(-batch.real.shape[-1] // MOST_WIDTH)
    maps = batch.maps[0, -batch.real.shape[1] :][:MOST_FRAMES, :, ::times, ::times]
    rows = {
        "maps": np.stack([maps_to_picture(of_frame, kind) for of_frame in maps]),
        "real": tensor_to_frames(_shown(batch.real, times)),
        "fake": tensor_to_frames(_shown(generated.image, times)),
    }
    return {**rows, **_rows_of_motion(batch, generated, times)} if warps else rows


def _rows_of_motion(batch: Batch, generated: Generated, times: int) -> dict[str, Frames]:
    """`raw` is drawn anew; of `fake`, the mask's black part is the frame before, moved by the optical flow."""
    reference, confidence = _vectors(batch.optical_flow, times), _grey(batch.confidence, times)
    full = full_length(np.concatenate(reference), np.concatenate(confidence))
    return {
        "raw": tensor_to_frames(_shown(generated.raw, times)),
        "mask": np.repeat(_grey(generated.mask, times)[..., None], 3, axis=-1),
        "optical flow": _coloured(_vectors(generated.optical_flow, times), full),
        "its reference": _coloured(reference, full),
    }


def _shown(video: Float[Tensor, "b t c h w"], times: int) -> Float[Tensor, "_ c _ _"]:
    """The first frames of the first video, so many times smaller."""
    return F.avg_pool2d(video[0, :MOST_FRAMES].detach().float(), times, ceil_mode=True)


def _grey(share: Float[Tensor, "b t 1 h w"], times: int) -> UInt8[np.ndarray, "_ _ _"]:
    """0..1 -> 0..255"""
    grey: np.ndarray = np.round(_shown(share, times)[:, 0].cpu().numpy() * 255).astype(np.uint8)
    return grey


def _vectors(optical_flow: Float[Tensor, "b t 2 h w"], times: int) -> Float[np.ndarray, "_ _ _ 2"]:
    """In pixels of the frames themselves."""
    vectors: np.ndarray = _shown(optical_flow, times).movedim(1, -1).cpu().numpy()
    return vectors


def _coloured(optical_flow: Float[np.ndarray, "t h w 2"], full: int) -> Frames:
    return np.stack([optical_flow_colours(of_frame, full) for of_frame in optical_flow])


def _row(name: str, frames: Frames) -> UInt8[np.ndarray, "h _ 3"]:
    """The frames side by side, with the row's name at their left."""
    return _joined([_sign(name, frames.shape[1]), *frames], axis=1)


def _sign(name: str, height: int) -> UInt8[np.ndarray, "{height} w 3"]:
    """White letters on black; equally wide for every name."""
    smallest, largest = LETTERS
    letters = min(max(height // 8, smallest), largest)
    sign = Image.new("RGB", (7 * letters, height))
    font = ImageFont.load_default(letters)
    ImageDraw.Draw(sign).text((GAP, height / 2), name, fill="white", font=font, anchor="lm")
    return np.asarray(sign)


def _joined(parts: list[np.ndarray], *, axis: int) -> np.ndarray:
    """With black gaps, but none at the end."""
    gap = [(0, 0), (0, 0), (0, 0)]
    gap[axis] = (0, GAP)
    return np.concatenate([*(np.pad(part, gap) for part in parts[:-1]), parts[-1]], axis=axis)
