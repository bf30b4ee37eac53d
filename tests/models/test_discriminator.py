"""The multi-scale PatchGAN, against the reference's numbers."""

import pytest
import torch

from models.discriminator import Discriminator
from models.maps import halved
from models.nvidia_checkpoint import discriminator_weights


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("name", ["discriminator_1scales_batch", "discriminator_2scales_batch", "discriminator_3scales_instance"])
def test_every_feature_has_parity_with_the_reference(parity, relative_error, name, mode):
    file = parity(name)
    about = file.about
    if mode == "eval" and about["norm"] == "instance":
        pytest.skip("the reference's instance norm uses running statistics in eval mode; ours has none")
    x = file.under("input")["x"]
    discriminator = Discriminator(
        channels=x.shape[1], scales=about["scales"], width=about["width"], layers=about["layers"], norm=about["norm"]
    )
    discriminator.load_state_dict(discriminator_weights(file.under("weights")), strict=True)
    with torch.no_grad():
        features = discriminator.train(mode == "train")(x)
    ours = {f"{scale}.{layer}": f for scale, layers in enumerate(features) for layer, f in enumerate(layers)}
    reference = file.under(mode)
    assert ours.keys() == reference.keys()
    errors = {key: relative_error(ours[key], reference[key]) for key in ours}
    print(name, mode, f"{max(errors.values()):.1e}")
    assert max(errors.values()) < 1e-4, errors


def test_the_paper_s_discriminators_have_the_reference_s_size():
    with torch.device("meta"):
        image, video = Discriminator(channels=39, scales=1, norm="batch"), Discriminator(channels=13, scales=1, norm="batch")
    sizes = [sum(p.numel() for p in network.parameters()) / 1e6 for network in (image, video)]
    assert sizes == pytest.approx([2.80, 2.78], abs=0.005)


def test_coarser_scales_are_twice_as_wide_up_to_64():
    discriminator = Discriminator(channels=4, scales=3, width=24)
    assert [scale.layers[0][0].out_channels for scale in discriminator.scales] == [24, 48, 64]


def test_with_fewer_scales_the_coarsest_judge_what_they_would_see_of_a_larger_image():
    discriminator, large = Discriminator(channels=3, scales=3, width=8), torch.rand(1, 3, 64, 96)
    all_features, fewer = discriminator(large), discriminator(halved(large), without_finest=1)
    for ours, expected in zip(fewer, all_features[1:], strict=True):
        torch.testing.assert_close(ours[-1], expected[-1])
