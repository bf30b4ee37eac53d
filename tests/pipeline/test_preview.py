import numpy as np
import torch
from PIL import Image

from models.video_generator import Generated, State
from pipeline import palettes
from pipeline.batch import Batch
from pipeline.maps import MapKind
from pipeline.preview import GAP, MOST_FRAMES, save_preview


def test_labels_real_and_generated_frames_stand_below_each_other(tmp_path):
    palette, frames, past = palettes.load("camvid"), 8, 2
    maps = torch.zeros(1, past + frames, palette.num_labels + 1, 4, 6)
    maps[:, :, 3, :, 3:] = 1  # road on the right, void on the left
    nothing = torch.zeros(1, frames, 2, 4, 6)
    real, fake = torch.full((1, frames, 3, 4, 6), -1.0), torch.ones(1, frames, 3, 4, 6)
    batch = Batch(maps, None, real[:, :0], real, nothing, nothing[:, :, :1], {})
    save_preview(
        tmp_path / "previews" / "0001.png",
        batch,
        Generated(fake, fake, nothing, nothing[:, :, :1], State(None)),
        MapKind(palette, True, 0, 0),
    )
    picture = np.asarray(Image.open(tmp_path / "previews" / "0001.png"))
    assert picture.shape == (3 * 4 + 2 * GAP, MOST_FRAMES * 6 + (MOST_FRAMES - 1) * GAP, 3)
    assert picture[0, 0].tolist() == [0, 0, 0] and picture[0, 3].tolist() == [128, 64, 128]
    assert picture[4 + GAP, 0].tolist() == [0, 0, 0] and picture[-1, -1].tolist() == [255, 255, 255]
