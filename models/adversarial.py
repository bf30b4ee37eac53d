"""The terms of L_I and L_V: generator against discriminator, and feature matching.

Both sides are told by the same features, so a discriminator sees what is real once and each fake once: the generator's terms lead back
through them to the fake, the discriminator's to its weights. So its weights must not change between the two: the generator steps first.
Nothing here calls `backward`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from models.discriminator import DiscriminatorFeatures

Scalar = Float[Tensor, ""]


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


def discriminator_terms(fakes: Sequence[DiscriminatorFeatures], real: DiscriminatorFeatures, gan: GanLoss) -> dict[str, Scalar]:
    """`real` (counted once for each of `fakes`) and `fake`; the reference's weight of both is 1/2."""
    return {
        "real": _over_scales(gan.real, real) * len(fakes),
        "fake": torch.stack([_over_scales(gan.fake, fake) for fake in fakes]).sum(),
    }


def generator_terms(fakes: Sequence[DiscriminatorFeatures], real: DiscriminatorFeatures, gan: GanLoss) -> dict[str, Scalar]:
    """`gan`, weight 1, and `feature_matching`, weight 10."""
    return {
        "gan": torch.stack([_over_scales(gan.generator, fake) for fake in fakes]).sum(),
        "feature_matching": torch.stack([feature_matching(fake, real) for fake in fakes]).sum(),
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
