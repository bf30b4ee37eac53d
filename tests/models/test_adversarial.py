"""GAN terms and feature matching, against the reference's numbers and by hand."""

import pytest
import torch

from models.adversarial import GAN_LOSSES, discriminator_terms, feature_matching, generator_terms
from models.discriminator import Discriminator
from models.discriminator_input import image_input, video_input
from models.nvidia_checkpoint import discriminator_weights

LSGAN = GAN_LOSSES["lsgan"]


def reference_discriminator(file, name: str, *, channels: int) -> Discriminator:
    discriminator = Discriminator(channels=channels, scales=2, width=8, layers=3, norm="batch")
    discriminator.load_state_dict(discriminator_weights(file.under(f"weights.{name}")), strict=True)
    return discriminator


def both_sides(discriminator: Discriminator, real: torch.Tensor, fakes: list) -> dict:
    features = [discriminator(fake) for fake in fakes], discriminator(real)
    return {**generator_terms(*features, LSGAN), **discriminator_terms(*features, LSGAN)}


def test_image_terms_have_parity_with_the_reference(parity):
    file = parity("losses")
    x, reference = file.under("input"), file.about["values"]
    discriminator = reference_discriminator(file, "D_I", channels=8)
    fakes = [image_input(x["maps"], x[name]) for name in ("fake", "fake_raw")]
    terms = both_sides(discriminator, image_input(x["maps"], x["real"]), fakes)
    assert terms["gan"].item() == pytest.approx(reference["G_GAN"], rel=1e-4)
    assert 10 * terms["feature_matching"].item() == pytest.approx(reference["G_GAN_Feat"], rel=1e-4)
    assert terms["real"].item() == pytest.approx(reference["D_real"], rel=1e-4)
    assert terms["fake"].item() == pytest.approx(reference["D_fake"], rel=1e-4)


def test_video_terms_have_parity_with_the_reference(parity):
    file = parity("losses")
    x, reference = file.under("input"), file.about["temporal_values"]
    discriminator = reference_discriminator(file, "D_V0", channels=13)
    real, fake = (video_input(x[f"temporal_{kind}"], x["temporal_flow"]) for kind in ("real", "fake"))
    terms = both_sides(discriminator, real, [fake])
    assert terms["gan"].item() == pytest.approx(reference["G_T_GAN"], rel=1e-4)
    assert 10 * terms["feature_matching"].item() == pytest.approx(reference["G_T_GAN_Feat"], rel=1e-4)
    assert terms["real"].item() == pytest.approx(reference["D_T_real"], rel=1e-4)
    assert terms["fake"].item() == pytest.approx(reference["D_T_fake"], rel=1e-4)


def test_lsgan_and_hinge_are_the_textbook_s():
    score = torch.tensor([-2.0, 0.0, 0.5, 3.0])
    values = {name: [float(f(score)) for f in (gan.real, gan.fake, gan.generator)] for name, gan in GAN_LOSSES.items()}
    assert values["lsgan"] == pytest.approx([(9 + 1 + 0.25 + 4) / 4, (4 + 0 + 0.25 + 9) / 4, (9 + 1 + 0.25 + 4) / 4])
    assert values["hinge"] == pytest.approx([(3 + 1 + 0.5 + 0) / 4, (0 + 1 + 1.5 + 4) / 4, -(-2 + 0 + 0.5 + 3) / 4])


def test_equal_features_match_and_the_score_is_not_compared():
    features = [[torch.rand(1, 4, 3, 3), torch.rand(1, 1, 2, 2)]]
    other_score = [[features[0][0], torch.rand(1, 1, 2, 2)]]
    assert feature_matching(features, other_score).item() == 0
