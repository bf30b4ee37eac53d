"""The terms of L_I and L_V: generator against discriminator, and feature matching.

A step computes the features of what is real once, and uses them for both sides, with the same weights of the discriminator:

    real_features = discriminator(real_input)
    generator_terms(discriminator, fake_inputs, real_features, ...)        # then the generator's backward and step
    discriminator_terms(discriminator, fake_inputs, real_features, ...)    # then the discriminator's

so the generator steps first. Nothing here calls `backward`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from models.discriminator import DiscriminatorFeatures

Scalar = Float[Tensor, ""]
DiscriminatorInput = Float[Tensor, "b c h w"]


@dataclass(frozen=True)
class GanLoss:
    """Of patches' scores: what the discriminator pays for something real and for a fake, and the generator for its fake."""

    real: Callable[[Tensor], Tensor]
    fake: Callable[[Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


GAN_LOSSES = {
    "lsgan": GanLoss(
        real=lambda score: (score - 1).square().mean(),
        fake=lambda score: score.square().mean(),
        generator=lambda score: (score - 1).square().mean(),
    ),
    "hinge": GanLoss(
        real=lambda score: F.relu(1 - score).mean(),
        fake=lambda score: F.relu(1 + score).mean(),
        generator=lambda score: -score.mean(),
    ),
}


def discriminator_terms(
    discriminator: nn.Module,
    fakes: Sequence[DiscriminatorInput],
    real_features: DiscriminatorFeatures,
    *,
    gan: GanLoss,
    name: str,
) -> dict[str, Scalar]:
    """`{name}_real` (counted once for each of `fakes`) and `{name}_fake`; the reference's weight of both is 1/2."""
    fake_terms = [_over_scales(gan.fake, discriminator(fake.detach())) for fake in fakes]
    return {
        f"{name}_real": _over_scales(gan.real, real_features) * len(fakes),
        f"{name}_fake": torch.stack(fake_terms).sum(),
    }


def generator_terms(
    discriminator: nn.Module,
    fakes: Sequence[DiscriminatorInput],
    real_features: DiscriminatorFeatures,
    *,
    gan: GanLoss,
    name: str,
) -> dict[str, Scalar]:
    """`{name}_gan`, weight 1, and `{name}_feature_matching`, weight 10; the discriminator's weights get no gradient."""
    with _frozen(discriminator):
        features = [discriminator(fake) for fake in fakes]
    return {
        f"{name}_gan": torch.stack([_over_scales(gan.generator, fake) for fake in features]).sum(),
        f"{name}_feature_matching": torch.stack([feature_matching(fake, real_features) for fake in features]).sum(),
    }


def feature_matching(fake: DiscriminatorFeatures, real: DiscriminatorFeatures) -> Scalar:
    """L1 of every layer but the score, summed over layers and averaged over scales; 4 / layers keeps depth out of the weight."""
    layers = [
        F.l1_loss(fake_layer.float(), real_layer.detach().float())
        for fake_scale, real_scale in zip(fake, real, strict=True)
        for fake_layer, real_layer in zip(fake_scale[:-1], real_scale[:-1], strict=True)
    ]
    return 4 * torch.stack(layers).mean()


def _over_scales(loss: Callable[[Tensor], Tensor], features: DiscriminatorFeatures) -> Scalar:
    return torch.stack([loss(scale[-1].float()) for scale in features]).sum()


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Saves the generator's step the gradients of the discriminator's weights."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
