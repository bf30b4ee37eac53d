from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.video_generator import Generated, State
from pipeline import palettes, preview
from pipeline.batch import Batch
from pipeline.maps import MapKind
from pipeline.preview import GAP, MOST_FRAMES, save_preview

HEIGHT, WIDTH, FRAMES = 20, 24, 8
ROWS = ["maps", "real", "fake", "raw", "mask", "optical flow", "its reference"]


def saved(folder: Path, *, height: int = HEIGHT, width: int = WIDTH, warps: bool = True) -> np.ndarray:
    """Road on the right of the maps, void on the left; real black, fake white, raw grey; the mask is 1 on the left. Everything moves right
    by the full length, but the reference has it go left, and is not to be trusted at the top, where it is twenty times as long."""
    palette, past = palettes.load("camvid"), 2
    maps = torch.zeros(1, past + FRAMES, palette.num_labels + 1, height, width)
    maps[:, :, 3, :, width // 2 :] = 1
    real, fake = torch.full((1, FRAMES, 3, height, width), -1.0), torch.ones(1, FRAMES, 3, height, width)
    confidence, mask = torch.ones(1, FRAMES, 1, height, width), torch.zeros(1, FRAMES, 1, height, width)
    confidence[..., : height // 4, :], mask[..., : width // 2] = 0, 1
    moved = torch.zeros(1, FRAMES, 2, height, width)
    moved[:, :, 0] = 4
    reference = torch.where(confidence > 0, -moved, 20 * moved)
    batch = Batch(maps, None, real[:, :0], real, reference, confidence, {}, [])
    generated = Generated(fake, 0 * fake, moved, mask, State(None))
    save_preview(folder / "previews" / "0001.png", batch, generated, MapKind(palette, True, 0, 0), warps=warps)
    return np.asarray(Image.open(folder / "previews" / "0001.png"))


def test_each_row_shows_what_it_is_named_for(tmp_path: Path) -> None:
    picture = saved(tmp_path)
    sign = picture.shape[1] - MOST_FRAMES * (WIDTH + GAP) + GAP
    assert picture.shape[0] == len(ROWS) * HEIGHT + (len(ROWS) - 1) * GAP
    lower_left, lower_right = HEIGHT - 1, (HEIGHT - 1, WIDTH - 1)
    shown = {
        name: (frame[lower_left, 0].tolist(), frame[lower_right].tolist())
        for name, row in zip(ROWS, range(0, picture.shape[0], HEIGHT + GAP), strict=True)
        for frame in [picture[row : row + HEIGHT, sign : sign + WIDTH]]
    }
    black, grey, white = [0] * 3, [128] * 3, [255] * 3
    right, left = [255, 0, 0], [0, 255, 255]
    assert shown == {
        "maps": (black, [128, 64, 128]),
        "real": (black, black),
        "fake": (white, white),
        "raw": (grey, grey),
        "mask": (white, black),
        "optical flow": (right, right),
        "its reference": (left, left),
    }


def test_what_never_warps_has_no_rows_of_motion(tmp_path: Path) -> None:
    whole, without = saved(tmp_path), saved(tmp_path, warps=False)
    assert without.shape[0] == 3 * HEIGHT + 2 * GAP and (without[:, -WIDTH:] == whole[: len(without), -WIDTH:]).all()


def test_names_are_told_apart_and_fit_at_the_left_of_their_rows(tmp_path: Path) -> None:
    picture = saved(tmp_path)
    sign = picture.shape[1] - MOST_FRAMES * (WIDTH + GAP)
    signs = [picture[row : row + HEIGHT, :sign] for row in range(0, picture.shape[0], HEIGHT + GAP)]
    assert len({shown.tobytes() for shown in signs}) == len(ROWS)
    for shown in signs:
        assert shown.max() > 200  # letters
        assert shown[0].max() == shown[-1].max() == shown[:, 0].max() == shown[:, -1].max() == 0  # none is cut


def test_large_frames_are_shown_at_a_whole_fraction_of_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "MOST_WIDTH", 30)
    small, large = saved(tmp_path), saved(tmp_path, height=2 * HEIGHT, width=2 * WIDTH)
    assert large.shape == small.shape
    np.testing.assert_array_equal(large[:, -WIDTH:], small[:, -WIDTH:])
