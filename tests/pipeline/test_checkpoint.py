"""Generators that were saved are the same again, and say what is wrong with them."""

from pathlib import Path

import pytest
import torch
from untrained import livened

from models.frame_by_frame import FrameByFrame
from pipeline import palettes
from pipeline.checkpoint import TrainedGenerator, TrainedImageGenerator, save_image_generator
from pipeline.errors import InputError
from pipeline.maps import MapKind

KIND = MapKind(palettes.load("camvid"), True, 0, 0)


@pytest.mark.parametrize("local_blocks", [0, 1])
def test_an_image_generator_is_the_same_again(tmp_path, local_blocks):
    torch.manual_seed(0)
    arguments = {
        "map_channels": KIND.channels,
        "width": 4,
        "downsamplings": 1,
        "blocks": 1,
        "local_blocks": local_blocks,
        "norm": "instance",
    }
    network = livened(FrameByFrame(**arguments))
    save_image_generator(tmp_path, network, arguments, KIND)
    trained = TrainedImageGenerator(tmp_path, "cpu")
    maps = torch.rand(1, 2, KIND.channels, 17, 22)
    with torch.no_grad():
        torch.testing.assert_close(trained.network(maps).image, network(maps).image, rtol=0, atol=1e-5)
    assert (trained.kind, trained.multiple) == (KIND, 4 if local_blocks else 2)


def test_what_is_no_trained_generator_is_refused(tmp_path: Path):
    for trained, name, file in (
        (TrainedGenerator, "generator", "generator"),
        (TrainedImageGenerator, "image generator", "image_generator"),
    ):
        with pytest.raises(InputError, match=f"no trained {name} there \\({file}.json is missing\\)"):
            trained(tmp_path, "cpu")
    (tmp_path / "image_generator.json").write_text('{"maps": 3')
    with pytest.raises(InputError, match="is no whole trained image generator .*; train it again"):
        TrainedImageGenerator(tmp_path, "cpu")
