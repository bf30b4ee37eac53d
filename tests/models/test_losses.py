"""Motion and perceptual terms, against the reference's numbers and by hand."""

import pytest
import torch
from torch import nn

from models.losses import masked_l1, optical_flow_term, perceptual_term, reconstruction_term, temporal_warp_term, total, warping_terms
from models.vgg import LAYERS, VggFeatures


def test_motion_terms_have_parity_with_the_reference(parity):
    file = parity("losses")
    x, reference = file.under("input"), file.about["values"]
    temporal = temporal_warp_term(x["fake"], x["fake_previous"], x["reference_flow"], x["confidence"])
    terms = warping_terms(
        real=x["real"],
        real_previous=x["real_previous"],
        predicted=x["flow"],
        reference=x["reference_flow"],
        mask=x["mask"],
        confidence=x["confidence"],
        scales=1,
    )
    assert 10 * temporal.item() == pytest.approx(reference["G_Warp"], rel=1e-4)
    assert 10 * terms["optical_flow"].item() == pytest.approx(reference["F_Flow"], rel=1e-4)
    assert 10 * terms["flow_warp"].item() == pytest.approx(reference["F_Warp"], rel=1e-4)


def test_masked_means_are_over_all_elements():
    confidence = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    assert masked_l1(torch.full((1, 3, 1, 2), 2.0), torch.zeros(1, 3, 1, 2), confidence).item() == 1.0


def test_each_finer_scale_halves_the_flow_term():
    predicted, reference, sure = torch.rand(1, 2, 4, 4), torch.rand(1, 2, 4, 4), torch.ones(1, 1, 4, 4)
    terms = [optical_flow_term(predicted, reference, sure, scales=scales).item() for scales in (1, 2, 3)]
    assert terms == pytest.approx([terms[0], terms[0] / 2, terms[0] / 4])


def test_the_temporal_term_pulls_the_frame_and_not_the_one_before():
    frames = torch.rand(2, 1, 3, 4, 4, requires_grad=True)
    temporal_warp_term(frames[0], frames[1], torch.zeros(1, 2, 4, 4), torch.ones(1, 1, 4, 4)).backward()
    assert frames.grad[0].any() and not frames.grad[1].any()


def small_vgg() -> nn.Sequential:
    """Layers at VGG19's positions: `LAYERS` add 1 to what they see, all else leaves it."""

    class Add(nn.Module):
        def forward(self, x):
            return x + 1

    return nn.Sequential(*(Add() if layer in LAYERS else nn.Identity() for layer in range(37)))


def test_the_reconstruction_term_adds_the_mean_differences_of_its_fakes():
    real = torch.zeros(2, 3, 4, 5)
    assert reconstruction_term([real + 0.25, real - 0.5], real).item() == pytest.approx(0.75)


def test_vgg_gives_the_five_first_relus():
    layers = VggFeatures(small_vgg())(torch.zeros(1, 3, 2, 2))
    assert [layer.mean().item() for layer in layers] == [1, 2, 3, 4, 5]


def test_the_perceptual_term_weighs_layers_and_adds_its_fakes():
    real, fake = torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)
    term = perceptual_term(VggFeatures(small_vgg()), [fake, 2 * fake], real)
    assert term.item() == pytest.approx(3 * (1 / 32 + 1 / 16 + 1 / 8 + 1 / 4 + 1))


def test_images_wider_than_1024_are_halved_for_the_perceptual_term():
    widths = []

    def vgg(image):
        widths.append(image.shape[-1])
        return [image] * 5

    perceptual_term(vgg, [torch.rand(1, 3, 4, 2048)], torch.rand(1, 3, 4, 2048))
    assert widths == [1024, 1024]


def test_a_term_without_a_weight_is_refused_by_name():
    terms = {"mask": torch.tensor(2.0), "flow_warp": torch.tensor(3.0)}
    assert total(terms, {"mask": 1.0, "flow_warp": 10.0}).item() == 32.0
    with pytest.raises(ValueError, match="flow_warp"):
        total(terms, {"mask": 1.0})


def test_a_term_of_one_of_several_strides_has_the_weight_that_all_have():
    assert total({"video_gan/1": torch.tensor(2.0), "video_gan/9": torch.tensor(3.0)}, {"video_gan": 10.0}).item() == 50.0
