"""What a training step saw and made, as one picture."""

from pathlib import Path

import numpy as np

from models.video_generator import Generated
from pipeline import pictures
from pipeline.palettes import VOID, Palette
from pipeline.tensors import tensor_to_frames
from pipeline.windows import Batch

MOST_FRAMES = 6
GAP = 4


def save_preview(path: Path, batch: Batch, generated: Generated, palette: Palette) -> None:
    """Rows: labels, real frames, generated frames; columns: the window's first frames. Of the batch, the first window."""
    real = tensor_to_frames(batch.real[0, :MOST_FRAMES])  # t h w 3
    fake = tensor_to_frames(generated.image[0, :MOST_FRAMES])
    one_hot = batch.maps[0, -batch.real.shape[1] :, : palette.num_labels].cpu()[:MOST_FRAMES]  # t n h w
    labels = np.where(one_hot.amax(dim=1).numpy() > 0, one_hot.argmax(dim=1).numpy(), VOID).astype(np.uint8)
    rows = [pictures.side_by_side(list(row), GAP) for row in (palette.paint(labels), real, fake)]
    space = np.zeros((GAP, rows[0].shape[1], 4), np.uint8)
    pictures.save(path, np.concatenate([rows[0], space, rows[1], space, rows[2]]))
