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


def both_sides(discriminator: Discriminator, real: torch.Tensor, fakes: list, *, name: str) -> dict:
    real_features = discriminator(real)
    return {
        **generator_terms(discriminator, fakes, real_features, gan=LSGAN, name=name),
        **discriminator_terms(discriminator, fakes, real_features, gan=LSGAN, name=name),
    }


def test_image_terms_have_parity_with_the_reference(parity):
    file = parity("losses")
    x, reference = file.under("input"), file.about["values"]
    discriminator = reference_discriminator(file, "D_I", channels=8)
    fakes = [image_input(x["maps"], x[name]) for name in ("fake", "fake_raw")]
    terms = both_sides(discriminator, image_input(x["maps"], x["real"]), fakes, name="image")
    assert terms["image_gan"].item() == pytest.approx(reference["G_GAN"], rel=1e-4)
    assert 10 * terms["image_feature_matching"].item() == pytest.approx(reference["G_GAN_Feat"], rel=1e-4)
    assert terms["image_real"].item() == pytest.approx(reference["D_real"], rel=1e-4)
    assert terms["image_fake"].item() == pytest.approx(reference["D_fake"], rel=1e-4)


def test_video_terms_have_parity_with_the_reference(parity):
    file = parity("losses")
    x, reference = file.under("input"), file.about["temporal_values"]
    discriminator = reference_discriminator(file, "D_V0", channels=13)
    real, fake = (video_input(x[f"temporal_{kind}"], x["temporal_flow"]) for kind in ("real", "fake"))
    terms = both_sides(discriminator, real, [fake], name="video")
    assert terms["video_gan"].item() == pytest.approx(reference["G_T_GAN"], rel=1e-4)
    assert 10 * terms["video_feature_matching"].item() == pytest.approx(reference["G_T_GAN_Feat"], rel=1e-4)
    assert terms["video_real"].item() == pytest.approx(reference["D_T_real"], rel=1e-4)
    assert terms["video_fake"].item() == pytest.approx(reference["D_T_fake"], rel=1e-4)


def test_lsgan_and_hinge_are_the_textbook_s():
    score = torch.tensor([-2.0, 0.0, 0.5, 3.0])
    values = {name: [float(f(score)) for f in (gan.real, gan.fake, gan.generator)] for name, gan in GAN_LOSSES.items()}
    assert values["lsgan"] == pytest.approx([(9 + 1 + 0.25 + 4) / 4, (4 + 0 + 0.25 + 9) / 4, (9 + 1 + 0.25 + 4) / 4])
    assert values["hinge"] == pytest.approx([(3 + 1 + 0.5 + 0) / 4, (0 + 1 + 1.5 + 4) / 4, -(-2 + 0 + 0.5 + 3) / 4])


def test_equal_features_match_and_the_score_is_not_compared():
    features = [[torch.rand(1, 4, 3, 3), torch.rand(1, 1, 2, 2)]]
    other_score = [[features[0][0], torch.rand(1, 1, 2, 2)]]
    assert feature_matching(features, other_score).item() == 0


def test_the_discriminator_s_terms_give_no_gradient_to_the_fake_and_the_generator_s_none_to_the_discriminator():
    discriminator = Discriminator(channels=3, scales=2, width=4)
    fake = torch.rand(1, 3, 32, 32, requires_grad=True)
    real_features = discriminator(torch.rand(1, 3, 32, 32))
    generator_side = generator_terms(discriminator, [fake], real_features, gan=LSGAN, name="image")
    sum(generator_side.values()).backward()
    assert fake.grad.any() and all(p.grad is None for p in discriminator.parameters())
    fake.grad = None
    sum(discriminator_terms(discriminator, [fake], real_features, gan=LSGAN, name="image").values()).backward()
    assert fake.grad is None and all(p.grad is not None for p in discriminator.parameters())
