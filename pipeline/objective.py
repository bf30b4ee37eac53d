"""The objective of a training step: what the discriminators judge, and the terms of either side, unweighted."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.adversarial import GAN_LOSSES, discriminator_terms, generator_terms
from models.discriminator import Discriminator, DiscriminatorFeatures
from models.discriminator_input import grouped_video_input, image_input
from models.losses import motion_terms, perceptual_term, reconstruction_term
from models.vgg import VggFeatures
from models.video_generator import Generated, VideoGenerator
from pipeline.windows import Batch

Terms = dict[str, Float[Tensor, ""]]


@dataclass(frozen=True)
class Networks:
    generator: VideoGenerator
    image_discriminator: Discriminator
    video_discriminator: Discriminator
    vgg: VggFeatures | None

    def trained(self) -> dict[str, nn.Module]:
        return {
            "generator": self.generator,
            "image_discriminator": self.image_discriminator,
            "video_discriminator": self.video_discriminator,
        }


@dataclass(frozen=True)
class Judged:
    """What one discriminator is shown in a step, and its features of the real part, used by both sides."""

    discriminator: Discriminator
    fakes: list[Float[Tensor, "b c h w"]]
    real_features: DiscriminatorFeatures


def generate(generator: VideoGenerator, batch: Batch, each_alone: bool) -> Generated:
    foreground = batch.foreground if generator.foreground else None
    generated: Generated = generator(batch.maps, foreground, batch.past)
    return generated


def judge(networks: Networks, batch: Batch, generated: Generated, each_alone: bool) -> dict[str, Judged]:
    """D_I sees each frame (blended, and raw where that differs) with its maps, D_V groups of three frames with their true flow."""
    maps = _frames(batch.maps[:, -batch.real.shape[1] :])
    fakes = [image_input(maps, fake) for fake in _fakes(generated, each_alone)]
    judged = {"image": _judged(networks.image_discriminator, fakes, image_input(maps, _frames(batch.real)))}
    fake, real = (grouped_video_input(frames, batch.optical_flow, stride=1) for frames in (generated.image, batch.real))
    if fake is not None and real is not None and not each_alone:
        judged["video"] = _judged(networks.video_discriminator, [fake], real)
    return judged


def generator_side(networks: Networks, judged: dict[str, Judged], batch: Batch, generated: Generated, gan: str, each_alone: bool) -> Terms:
    terms: Terms = {}
    for name, j in judged.items():
        terms |= generator_terms(j.discriminator, j.fakes, j.real_features, gan=GAN_LOSSES[gan], name=name)
    fakes, real = _fakes(generated, each_alone), _frames(batch.real)
    terms["reconstruction"] = reconstruction_term(fakes, real)
    if networks.vgg is not None:
        terms["perceptual"] = perceptual_term(networks.vgg, fakes, real)
    if "video" in judged:
        terms |= _motion(networks, batch, generated)
    return terms


def discriminator_side(judged: dict[str, Judged], gan: str) -> Terms:
    terms: Terms = {}
    for name, j in judged.items():
        terms |= discriminator_terms(j.discriminator, j.fakes, j.real_features, gan=GAN_LOSSES[gan], name=name)
    return terms


def _motion(networks: Networks, batch: Batch, generated: Generated) -> Terms:
    before = batch.real[:, :1] if batch.past is None else batch.past[:, -1:]  # with nothing before, confidence is 0 there
    return motion_terms(
        fake=_frames(generated.image),
        fake_previous=_frames(torch.cat([before, generated.image[:, :-1]], dim=1)),
        real=_frames(batch.real),
        real_previous=_frames(torch.cat([before, batch.real[:, :-1]], dim=1)),
        predicted=_frames(generated.optical_flow),
        reference=_frames(batch.optical_flow),
        mask=_frames(generated.mask),
        confidence=_frames(batch.confidence),
        scales=len(networks.generator.scales),
    )


def _fakes(generated: Generated, each_alone: bool) -> list[Float[Tensor, "b_t 3 h w"]]:
    """What is compared with the real frames: blended and raw ones, which are the same where every frame is made alone."""
    return [_frames(generated.image)] if each_alone else [_frames(generated.image), _frames(generated.raw)]


def _judged(discriminator: Discriminator, fakes: list[Tensor], real: Tensor) -> Judged:
    return Judged(discriminator, fakes, discriminator(real))


def _frames(video: Float[Tensor, "b t c h w"]) -> Float[Tensor, "b*t c h w"]:
    """Frames as a batch."""
    return video.flatten(0, 1)
