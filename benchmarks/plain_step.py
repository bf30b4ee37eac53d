"""A training step as the reference takes it, on this project's networks: the other side of `benchmarks.training_step`.

Written from what is known of the reference, to be read beside `pipeline.objective`, with which it shares networks but no term. What it
does more than it must is what it is here for:

- a fake frame goes through its discriminator twice, once for each side's loss, and the real frame with it every time;
- blended and raw frames are compared each with features of the real frames of their own, the discriminator's and VGG's;
- the generator's loss reaches the discriminators' weights, where its gradients are thrown away;
- all terms are computed before the first backward pass, in float32, contiguous; Adam is not fused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from models.discriminator import DiscriminatorFeatures
from models.discriminator_input import grouped_video_input
from models.vgg import VggFeatures
from models.video_generator import Generated, VideoGenerator
from models.warp import warp

Terms = dict[str, Float[Tensor, ""]]
Image = Float[Tensor, "b c h w"]
Video = Float[Tensor, "b t c h w"]

VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)

FlowNetwork = Callable[[Image, Image], Image]
"""Frames in [-1, 1], and the frames before them -> optical flow."""


@dataclass(frozen=True)
class Shown:
    """What made frames are held against: the real ones, how they moved, and what was before the first of either."""

    real: Video
    real_before: Image
    fake_before: Image
    optical_flow: Video
    """Of stride 1, as all that follows."""
    confidence: Video


@dataclass(frozen=True)
class Paired:
    """What one discriminator sees: fakes, each to be judged with the real one."""

    discriminator: nn.Module
    fakes: Sequence[Image]
    real: Image


@dataclass(frozen=True)
class Sides:
    """Terms before any backward pass."""

    generator: Terms
    discriminators: dict[str, Terms]


def sides(paired: Mapping[str, Paired], vgg: VggFeatures | None, shown: Shown, generated: Generated, *, scales: int) -> Sides:
    """`paired`: by the name that begins their terms' names; `scales` are the generator's, in whose pixels the flow is."""
    for_generator: Terms = {}
    for_discriminators: dict[str, Terms] = {}
    for name, pair in paired.items():
        mine, its = zip(*(judged(pair.discriminator, fake, pair.real, name) for fake in pair.fakes), strict=True)
        for_generator |= added(mine)
        for_discriminators[name] = added(its)
    real = shown.real.flatten(0, 1)
    fakes = [generated.image.flatten(0, 1), generated.raw.flatten(0, 1)]
    for_generator["reconstruction"] = torch.stack([F.l1_loss(fake, real) for fake in fakes]).sum()
    if vgg is not None:
        for_generator["perceptual"] = torch.stack([perceptual(vgg, fake, real) for fake in fakes]).sum()
    return Sides({**for_generator, **motion(shown, generated, scales)}, for_discriminators)


def judged(discriminator: nn.Module, fake: Image, real: Image, name: str) -> tuple[Terms, Terms]:
    """The generator's terms and the discriminator's: three passes."""
    fake_apart, real_features, fake_features = discriminator(fake.detach()), discriminator(real), discriminator(fake)
    for_generator = {f"{name}_gan": squares(fake_features, 1), f"{name}_feature_matching": matching(fake_features, real_features)}
    return for_generator, {f"{name}_real": squares(real_features, 1), f"{name}_fake": squares(fake_apart, 0)}


def squares(features: DiscriminatorFeatures, target: float) -> Float[Tensor, ""]:
    """Of how far the patches' scores are from `target`, summed over scales."""
    return torch.stack([F.mse_loss(scale[-1], torch.full_like(scale[-1], target)) for scale in features]).sum()


def matching(fake: DiscriminatorFeatures, real: DiscriminatorFeatures) -> Float[Tensor, ""]:
    loss = fake[0][0].new_zeros(())
    for fake_scale, real_scale in zip(fake, real, strict=True):
        for fake_layer, real_layer in zip(fake_scale[:-1], real_scale[:-1], strict=True):
            loss = loss + 4 / (len(fake_scale) - 1) / len(fake) * F.l1_loss(fake_layer, real_layer.detach())
    return loss


def perceptual(vgg: VggFeatures, fake: Image, real: Image) -> Float[Tensor, ""]:
    while fake.shape[-1] > 1024:
        fake, real = F.avg_pool2d(fake, 2), F.avg_pool2d(real, 2)
    loss = fake.new_zeros(())
    for weight, fake_layer, real_layer in zip(VGG_WEIGHTS, vgg(fake), vgg(real), strict=True):
        loss = loss + weight * F.l1_loss(fake_layer, real_layer.detach())
    return loss


def motion(shown: Shown, generated: Generated, scales: int) -> Terms:
    confidence = shown.confidence.flatten(0, 1)

    def masked(a: Image, b: Image) -> Tensor:
        return F.l1_loss(a * confidence, b * confidence)

    def before(first: Image, video: Video) -> Image:
        return torch.cat([first[:, None], video[:, :-1]], dim=1).flatten(0, 1)

    real, real_before = shown.real.flatten(0, 1), before(shown.real_before, shown.real)
    fake, fake_before = generated.image.flatten(0, 1), before(shown.fake_before, generated.image)
    predicted, reference, mask = (video.flatten(0, 1) for video in (generated.optical_flow, shown.optical_flow, generated.mask))
    return {
        "optical_flow": masked(predicted, reference) / 2 ** (scales - 1),
        "flow_warp": masked(warp(real_before, predicted), real),
        "temporal_warp": masked(fake, warp(fake_before, reference).detach()),
        "mask": masked(mask, torch.zeros_like(mask)),
    }


def added(parts: Sequence[Terms]) -> Terms:
    return {name: torch.stack([part[name] for part in parts]).sum() for name in parts[0]}


def update(optimizer: torch.optim.Optimizer, terms: Terms, weights: Mapping[str, float]) -> None:
    loss = torch.stack([term * weights[name] for name, term in terms.items()]).sum()
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
