"""pix2pixHD's generators, against the reference's numbers."""

import pytest
import torch

from models.image_generator import GlobalImageGenerator, LocalImageGenerator
from models.nvidia_checkpoint import global_image_generator_weights, local_image_generator_weights


def numbers(about: dict, *names: str) -> dict:
    return {name: about[name] for name in ("width", "downsamplings", "blocks", "norm", *names)}


def test_the_global_generator_has_parity_with_the_reference(parity, relative_error):
    file = parity("image_generator_global")
    generator = GlobalImageGenerator(map_channels=5, **numbers(file.about))
    generator.load_state_dict(global_image_generator_weights(file.under("weights")), strict=True)
    error = relative_error(generator(file.tensors["input.maps"]), file.tensors["train.0"])
    print("image_generator_global train", error)
    assert error < 1e-4


def test_the_local_generator_has_parity_with_the_reference(parity, relative_error):
    file = parity("image_generator_local")
    generator = LocalImageGenerator(map_channels=5, **numbers(file.about, "local_blocks"))
    generator.load_state_dict(local_image_generator_weights(file.under("weights")), strict=True)
    error = relative_error(generator(file.tensors["input.maps"]), file.tensors["train.0"])
    print("image_generator_local train", error)
    assert error < 1e-4


@pytest.mark.parametrize("kind", ["global", "local"])
def test_an_image_is_as_large_as_its_maps(kind):
    numbers = {"map_channels": 4, "width": 4, "downsamplings": 2, "blocks": 1}
    generator = GlobalImageGenerator(**numbers) if kind == "global" else LocalImageGenerator(**numbers, local_blocks=1)
    assert generator(torch.rand(2, 4, 16, 24)).shape == (2, 3, 16, 24)
