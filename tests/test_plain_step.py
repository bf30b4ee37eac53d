"""That the plain training step, the other side of a benchmark, is the reference's, by its numbers and by gradients worked out by hand; and
that our own step computes the same.
"""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks import sample_clips, training_step
from benchmarks.plain_step import Pair, Plain, Shown, Sides, plain_step, sides, update
from models.discriminator import Discriminator
from models.discriminator_input import Spot, image_input, video_input
from models.nvidia_checkpoint import discriminator_weights
from models.video_generator import Generated, State
from pipeline import learner, params, train
from pipeline.batch import StepInput
from pipeline.devices import Devices
from pipeline.objective import carry

NOTHING_BEFORE = State(None)


def discriminator_of(file, name: str, *, channels: int) -> Discriminator:
    discriminator = Discriminator(channels=channels, scales=2, width=8, layers=3, norm="batch")
    discriminator.load_state_dict(discriminator_weights(file.under(f"weights.{name}")), strict=True)
    return discriminator


def terms_of(file, fakes: Sequence[Tensor] | None = None) -> tuple[Sides, Discriminator]:
    """Of the reference's example, whose frames have others before them than their neighbours: each is a video of its own."""
    x = {name: tensor[:, None] if tensor.ndim == 4 else tensor for name, tensor in file.under("input").items()}
    image = discriminator_of(file, "D_I", channels=8)
    pairs = {
        "image": Pair(
            image,
            fakes or [image_input(x["maps"][:, 0], x[name][:, 0]) for name in ("fake", "fake_raw")],
            image_input(x["maps"][:, 0], x["real"][:, 0]),
        ),
        "video": Pair(
            discriminator_of(file, "D_V0", channels=13),
            [video_input(x["temporal_fake"], x["temporal_flow"])],
            video_input(x["temporal_real"], x["temporal_flow"]),
        ),
    }
    generated = Generated(x["fake"], x["fake_raw"], x["flow"], x["mask"], NOTHING_BEFORE)
    shown = Shown(x["real"], x["real_previous"][:, 0], x["fake_previous"][:, 0], x["reference_flow"], x["confidence"])
    return sides(pairs, None, shown, generated, scales=1), image


def test_terms_have_parity_with_the_reference(parity):
    file = parity("losses")
    (made, _), about = terms_of(file), file.about
    mine, image, video = ({name: term.item() for name, term in terms.items()} for terms in (made.generator, *made.discriminators.values()))
    assert mine["image_gan"] == pytest.approx(about["values"]["G_GAN"], rel=1e-4)
    assert 10 * mine["image_feature_matching"] == pytest.approx(about["values"]["G_GAN_Feat"], rel=1e-4)
    assert mine["video_gan"] == pytest.approx(about["temporal_values"]["G_T_GAN"], rel=1e-4)
    assert 10 * mine["video_feature_matching"] == pytest.approx(about["temporal_values"]["G_T_GAN_Feat"], rel=1e-4)
    assert 10 * mine["temporal_warp"] == pytest.approx(about["values"]["G_Warp"], rel=1e-4)
    assert 10 * mine["optical_flow"] == pytest.approx(about["values"]["F_Flow"], rel=1e-4)
    assert 10 * mine["flow_warp"] == pytest.approx(about["values"]["F_Warp"], rel=1e-4)
    assert [image["image_real"], image["image_fake"]] == pytest.approx([about["values"]["D_real"], about["values"]["D_fake"]], rel=1e-4)
    assert video["video_real"] == pytest.approx(about["temporal_values"]["D_T_real"], rel=1e-4)
    assert video["video_fake"] == pytest.approx(about["temporal_values"]["D_T_fake"], rel=1e-4)


def scores_and_layers(weights: dict[str, Tensor], x: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
    """The reference's discriminator written out: of full and of half resolution, the patches' scores and the layers before them."""
    found = []
    for scale, image in ((1, x), (0, F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False))):
        layers = []
        for number, stride in enumerate((2, 2, 2, 1, 1)):
            name = f"scale{scale}_layer{number}"
            image = F.conv2d(image, weights[f"{name}.0.weight"], weights[f"{name}.0.bias"], stride=stride, padding=2)
            if 0 < number < 4:
                scale_of, shift = (weights[f"{name}.1.{part}"][:, None, None] for part in ("weight", "bias"))
                variance, mean = torch.var_mean(image, dim=(0, 2, 3), keepdim=True, correction=0)
                image = (image - mean) / (variance + 1e-5).sqrt() * scale_of + shift
            image = image if number == 4 else F.leaky_relu(image, 0.2)
            layers.append(image)
        found.append((layers[-1], layers[:-1]))
    return found


def test_gradients_are_those_of_the_formulas(parity):
    file = parity("losses")
    x = file.under("input")
    by_hand = [image_input(x["maps"], x[name]).requires_grad_() for name in ("fake", "fake_raw")]
    changes = [torch.zeros_like(fake, requires_grad=True) for fake in by_hand]  # what a generator would learn
    weights = {name: w.clone().requires_grad_("running" not in name) for name, w in file.under("weights.D_I").items()}
    real = scores_and_layers(weights, image_input(x["maps"], x["real"]))
    fooling, paying = torch.zeros(()), torch.zeros(())
    for fake in by_hand:
        for (score, layers), (real_score, real_layers) in zip(scores_and_layers(weights, fake), real, strict=True):
            matched = sum((layer - target.detach()).abs().mean() for layer, target in zip(layers, real_layers, strict=True))
            fooling = fooling + (score - 1).square().mean() + 10 / 2 * matched  # two scales
            paying = paying + (real_score - 1).square().mean() / 2
        paying = paying + sum(score.square().mean() / 2 for score, _ in scores_and_layers(weights, fake.detach()))
    trained = {name: w for name, w in weights.items() if w.requires_grad}
    expected = dict(zip(trained, torch.autograd.grad(paying, list(trained.values())), strict=True))

    made, discriminator = terms_of(file, [fake.detach() + change for fake, change in zip(by_hand, changes, strict=True)])
    of_image = {name: term for name, term in made.generator.items() if name.startswith("image_")}
    update(torch.optim.SGD(changes), of_image, {"image_gan": 1.0, "image_feature_matching": 10.0}, learning_rate=0.0)
    assert all(parameter.grad.any() for parameter in discriminator.parameters())  # the generator's loss reached them
    its_terms, its_weights = made.discriminators["image"], {"image_real": 0.5, "image_fake": 0.5}
    update(torch.optim.SGD(discriminator.parameters()), its_terms, its_weights, learning_rate=0.0)
    for change, gradient in zip(changes, torch.autograd.grad(fooling, by_hand), strict=True):
        torch.testing.assert_close(change.grad, gradient, rtol=1e-4, atol=1e-4 * gradient.abs().max().item())
    for name, gradient in discriminator_weights(expected).items():
        ours = discriminator.get_parameter(name).grad
        torch.testing.assert_close(ours, gradient, rtol=1e-4, atol=1e-5)


@pytest.fixture
def double_precision(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Also where code asks for float32: tiny networks enlarge rounding from layer to layer, until gradients cannot be compared."""
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def tiny_section() -> params.Train:
    tiny = {"width": 4, "downsamplings": 2, "blocks": 2, "scales": 2, "vgg": True, "steps": 0, "side": training_step.PLAIN}
    p = training_step.section(Namespace(**tiny))
    weights = p.weights.model_copy(update={"reconstruction": 20.0, "mask": 1.0})  # every term there is
    return p.model_copy(update={"weights": weights, "learning_rate": 1e-12})  # both sides keep the weights they have


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("faces", [None, [Spot(0, 3, 30), Spot(2, 40, 16)]], ids=["street", "faces"])
def test_both_sides_of_the_benchmark_have_equal_terms_and_gradients(tmp_path: Path, faces: list[Spot] | None):
    """`faces`: as if they were seen there, in a street."""
    sample = sample_clips.create(tmp_path / "clips", width=64, height=32, num_clips=1, num_frames=16)
    p, devices = tiny_section(), Devices("cpu")
    ours, others = (training_step.learner_of(p, sample.kind, devices) for _ in range(2))
    for learning in (ours, others) if faces else ():
        with_faces(learning)
    plain = Plain(others, p.weights.model_dump())
    carried, plain_carried, seen = None, None, set()
    windows = train._windows(sample.folders, sample.index, replace(ours, kind=replace(ours.kind, face=None)), p, devices)
    for step, batch in islice(train._batches(windows, 1, ours, devices), training_step.WINDOWS):
        batch = replace(batch, faces=faces or [])
        stepped = learner.step(ours, StepInput(step, batch, carried), p, devices)
        terms, plain_carried = plain_step(plain, StepInput(step, batch, plain_carried))
        carried = carry(stepped.fake, carried, ours.kind)
        expected = {name: term for name, term in stepped.terms.items() if not name.endswith(("_total", "_gradient"))}
        assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected, rel=1e-7)
        for name, network in ours.networks.trained().items():
            assert_equal_gradients(network, plain.networks.trained()[name])
        seen |= expected.keys()
    assert {"perceptual", "reconstruction", "mask", "image_fake", "video_gan/1", "video_real/3"} <= seen
    assert ("face_gan" in seen) == (faces is not None)


def with_faces(learning: learner.Learner) -> None:
    """Gives it a discriminator of faces; streets have no poses, so a training would refuse it."""
    face = params.FaceDiscriminator(width=4, layers=2, scales=1, side=0.5)
    torch.manual_seed(1)
    network = Discriminator(channels=learning.maps.channels + 3, width=4, layers=2, scales=1)
    learning.networks = replace(learning.networks, discriminators={**learning.networks.discriminators, "face": network})
    learning.optimizers = {**learning.optimizers, "face": torch.optim.Adam(network.parameters(), betas=(0.5, 0.999))}
    learning.kind = replace(learning.kind, face=face)


def assert_equal_gradients(network: nn.Module, other: nn.Module) -> None:
    for name, weight in network.named_parameters():
        gradient = other.get_parameter(name).grad
        assert (weight.grad is None) == (gradient is None), name
        if gradient is not None:
            torch.testing.assert_close(weight.grad, gradient, rtol=1e-6, atol=1e-9 + 1e-7 * gradient.abs().max().item())
