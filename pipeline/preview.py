"""What a training step saw and made, as one picture.

Without pipeline.pictures: the report's pictures may change without a new training.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from models.video_generator import Generated
from pipeline.batch import Batch
from pipeline.maps import MapKind
from pipeline.tensors import maps_to_picture, tensor_to_frames

MOST_FRAMES = 6
GAP = 4


def save_preview(path: Path, batch: Batch, generated: Generated, kind: MapKind) -> None:
    """Rows: maps, real frames, generated frames; columns: the window's first frames. Of the batch, the first window."""
    real = tensor_to_frames(batch.real[0, :MOST_FRAMES])  # t h w 3
    fake = tensor_to_frames(generated.image[0, :MOST_FRAMES])
    maps = [maps_to_picture(of_frame, kind) for of_frame in batch.maps[0, -batch.real.shape[1] :][:MOST_FRAMES]]
    rows = [_joined(list(row), axis=1) for row in (maps, real, fake)]
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    Image.fromarray(_joined(rows, axis=0)).save(unfinished, format="png")
    unfinished.replace(path)  # whoever watches the folder sees whole pictures


def _joined(parts: list[np.ndarray], *, axis: int) -> np.ndarray:
    """With black gaps, but none at the end."""
    gap = [(0, 0), (0, 0), (0, 0)]
    gap[axis] = (0, GAP)
    return np.concatenate([*(np.pad(part, gap) for part in parts[:-1]), parts[-1]], axis=axis)
