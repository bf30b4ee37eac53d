"""Generators that were saved are the same again, and say what is wrong with them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from untrained import livened, save_untrained_image_generator

from pipeline import layout, palettes
from pipeline.checkpoint import TrainedGenerator, TrainedImageGenerator, image_generator, save_image_generator
from pipeline.errors import InputError
from pipeline.maps import MapKind

KIND = MapKind(palettes.load("camvid"), True, 0, 0)


@pytest.mark.parametrize("local_blocks", [0, 1])
def test_an_image_generator_is_the_same_again(tmp_path, local_blocks):
    torch.manual_seed(0)
    arguments = {"map_channels": KIND.channels, "width": 4, "downsamplings": 1, "blocks": 1, "local_blocks": local_blocks, "norm": "instance"}
    network = livened(image_generator(**arguments))
    save_image_generator(tmp_path, network, arguments, KIND)
    trained = TrainedImageGenerator(tmp_path, "cpu")
    maps = torch.rand(2, KIND.channels, 16, 24)
    with torch.no_grad():
        torch.testing.assert_close(trained.images(maps), network(maps), rtol=0, atol=1e-5)
    assert trained.kind == KIND


def test_frames_of_a_size_that_does_not_divide_are_padded_by_reflection(tmp_path):
    save_untrained_image_generator(tmp_path, KIND, local_blocks=1)
    trained = TrainedImageGenerator(layout.networks(tmp_path), "cpu")
    maps = torch.rand(1, KIND.channels, 17, 22)
    padded = torch.from_numpy(np.pad(maps.numpy(), ((0, 0), (0, 0), (0, 3), (0, 2)), mode="reflect"))
    with torch.no_grad():
        torch.testing.assert_close(trained.images(maps), trained.network(padded)[..., :17, :22], rtol=0, atol=0)
    with pytest.raises(ValueError, match="frames of 4 x 22 are too small: this generator needs more than 4 pixels a side"):
        trained.images(maps[..., :4, :])


def test_what_is_no_trained_generator_is_refused(tmp_path: Path):
    for trained, name, file in ((TrainedGenerator, "generator", "generator"), (TrainedImageGenerator, "image generator", "image_generator")):
        with pytest.raises(InputError, match=f"no trained {name} there \\({file}.json is missing\\)"):
            trained(tmp_path, "cpu")
    (tmp_path / "image_generator.json").write_text('{"maps": 3')
    with pytest.raises(InputError, match="is no whole trained image generator .*; train it again"):
        TrainedImageGenerator(tmp_path, "cpu")
