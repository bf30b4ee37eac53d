"""VGG19's layers, against torchvision's network and transform."""

import pytest
import torch
from torch import nn
from torchvision.models import VGG19_Weights
from torchvision.models.vgg import cfgs, make_layers
from torchvision.transforms.v2.functional import normalize

from models.vgg import LAYERS, VggFeatures


@pytest.fixture(scope="module")
def features() -> nn.Sequential:
    """VGG19's, with random weights."""
    torch.manual_seed(0)
    return make_layers(cfgs["E"]).requires_grad_(False)


def relus(features: nn.Sequential, image: torch.Tensor) -> list[torch.Tensor]:
    """What torchvision's network gives at `LAYERS`, from a run of the whole of it."""
    seen = []
    hooks = [features[layer].register_forward_hook(lambda _, __, out: seen.append(out.clone())) for layer in LAYERS]
    features(image)
    for hook in hooks:
        hook.remove()
    return seen


def test_frames_are_normalised_as_torchvision_s_weights_ask_for(features, relative_error):
    frames = torch.rand(2, 3, 32, 48) * 2 - 1
    asked = VGG19_Weights.IMAGENET1K_V1.transforms()
    normalised = normalize((frames + 1) / 2, mean=asked.mean, std=asked.std)
    ours, theirs = VggFeatures(features, imagenet_norm=True)(frames), relus(features, normalised)
    assert max(relative_error(a, b) for a, b in zip(ours, theirs, strict=True)) < 1e-5


def test_as_in_the_reference_frames_are_seen_as_they_are(features):
    frames = torch.rand(1, 3, 32, 48) * 2 - 1
    ours, theirs = VggFeatures(features, imagenet_norm=False)(frames), relus(features, frames)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_the_norm_moves_with_the_network_and_adds_nothing_to_what_is_saved():
    network = VggFeatures(nn.Sequential(), imagenet_norm=True)
    assert network.state_dict() == {}
    assert network.to("meta").mean.device.type == "meta"
