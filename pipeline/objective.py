"""A training step's objective: what the generator makes, what the discriminators see of it, and the terms of either side, unweighted.

The generator's output is cut off before it is judged: so one look of a discriminator at each image serves both sides, and gradients reach
the generator once, through `lead_back`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.adversarial import GAN_LOSSES, discriminator_terms, generator_terms
from models.discriminator import DiscriminatorFeatures
from models.discriminator_input import Spot, grouped_video_input, image_input, squares
from models.losses import perceptual_term, reconstruction_term, temporal_warp_term, warping_terms
from models.vgg import VggFeatures
from models.video_generator import Generated
from pipeline import params
from pipeline.batch import Batch, Carried, StepInput

Terms = dict[str, Float[Tensor, ""]]

IMAGE, FACE = "image", "face"
"""The names of these discriminators; those of videos are `video/` and their stride."""


@dataclass(frozen=True)
class Networks:
    generator: nn.Module
    discriminators: Mapping[str, nn.Module]
    """By name: IMAGE, one for each stride of videos, and FACE where there is one."""
    vgg: VggFeatures | None

    def trained(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, **self.discriminators}


@dataclass(frozen=True)
class Kind:
    """What sort of generator is trained: which parts of the objective there are for it."""

    scales: int
    past_frames: int
    foreground: bool
    warps: bool
    recurrent: bool
    """Whether it sees the frames that it made before."""
    gradient_frames: int
    strides: Sequence[int]
    """Of the video discriminators."""
    face: params.FaceDiscriminator | None


@dataclass(frozen=True)
class Judged:
    """A discriminator's features of the fakes that it was shown, and of what is real."""

    fakes: list[DiscriminatorFeatures]
    real: DiscriminatorFeatures
    share: float = 1.0
    """Of the frames there are, it was shown so many: means over these times the share are means over all, in which the others count 0."""


def generate(generator: nn.Module, kind: Kind, given: StepInput) -> Generated:
    batch, step = given.batch, given.step
    generated: Generated = generator(
        batch.maps,
        batch.foreground if kind.foreground else None,
        given.past(kind.past_frames),
        gradient_frames=kind.gradient_frames,
        only_finest=step.only_finest,
        scales=step.scales,
    )
    return generated


def cut_off(generated: Generated) -> Generated:
    """The same values, where gradients stop until `lead_back`."""
    image, raw, optical_flow, mask = (x.detach().requires_grad_() for x in _outputs(generated))
    return Generated(image, raw, optical_flow, mask, generated.state)


def lead_back(loss: Tensor, seen: Generated, generated: Generated) -> Tensor:
    """A loss of what was `seen`, as one whose gradients are the same and reach the generator's weights.

    They are taken here, and the discriminators get none. The graph is kept for the discriminators' own loss.
    """
    gradients = torch.autograd.grad(loss, _outputs(seen), retain_graph=True, allow_unused=True)
    pairs = [(made, gradient) for made, gradient in zip(_outputs(generated), gradients, strict=True) if gradient is not None]
    return torch.stack([(made * gradient).sum() for made, gradient in pairs if made.requires_grad]).sum()


def carry(generated: Generated, carried: Carried | None, kind: Kind) -> Carried:
    fakes = generated.image.detach()
    if carried:
        fakes = torch.cat([carried.fakes, fakes], dim=1)
    reach = max(1, 2 * max(kind.strides, default=0))
    return Carried(generated.state.detached(), fakes[:, -reach:])


def judge(networks: Networks, kind: Kind, given: StepInput, seen: Generated) -> dict[str, Judged]:
    """D_I sees each frame (blended, and raw where that differs) with its maps, each D_V groups of three frames with their true flow, the
    face discriminator what D_I sees, cut out around faces."""
    batch, fewer = given.batch, kind.scales - given.step.scales
    maps = _frames(batch.maps[:, -batch.real.shape[1] :])
    inputs = {IMAGE: ([image_input(maps, fake) for fake in _fakes(seen, kind)], image_input(maps, _frames(batch.real)))}
    videos = (given.made(seen.image), given.filmed())
    for stride, groups in given.groups().items():
        fake_group, real_group = (
            grouped_video_input(frames, _counted_from_start(groups.frames, frames, batch), groups.optical_flow) for frames in videos
        )
        inputs[f"video/{stride}"] = ([fake_group], real_group)
    judged = {name: _judged(networks.discriminators[name], fakes, real, fewer) for name, (fakes, real) in inputs.items()}
    if kind.face:
        judged[FACE] = _judged_faces(networks.discriminators[FACE], kind.face, *inputs[IMAGE], batch.faces)
    return judged


def generator_side(networks: Networks, kind: Kind, given: StepInput, seen: Generated, judged: dict[str, Judged], gan: str) -> Terms:
    terms: Terms = {}
    for name, j in judged.items():
        terms |= _named(name, generator_terms(j.fakes, j.real, GAN_LOSSES[gan]), j.share)
    fakes, real = _fakes(seen, kind), _frames(given.batch.real)
    terms["reconstruction"] = reconstruction_term(fakes, real)
    if networks.vgg is not None:
        terms["perceptual"] = perceptual_term(networks.vgg, fakes, real)
    return terms | _motion(kind, given, seen)


def discriminator_side(judged: dict[str, Judged], gan: str) -> Terms:
    terms: Terms = {}
    for name, j in judged.items():
        terms |= _named(name, discriminator_terms(j.fakes, j.real, GAN_LOSSES[gan]), j.share)
    return terms


def _motion(kind: Kind, given: StepInput, seen: Generated) -> Terms:
    """With nothing before the first frame, confidence is 0 there."""
    if not kind.recurrent:
        return {}
    batch, carried = given.batch, given.carried
    real_before = batch.before[:, -1:] if batch.before.shape[1] else batch.real[:, :1]
    fake_before = carried.fakes[:, -1:] if carried else real_before
    reference, confidence = _frames(batch.optical_flow), _frames(batch.confidence)
    fake, fake_previous = _frames(seen.image), _frames(torch.cat([fake_before, seen.image[:, :-1]], dim=1))
    terms = {"temporal_warp": temporal_warp_term(fake, fake_previous, reference, confidence)}
    if kind.warps:
        terms |= warping_terms(
            real=_frames(batch.real),
            real_previous=_frames(torch.cat([real_before, batch.real[:, :-1]], dim=1)),
            predicted=_frames(seen.optical_flow),
            reference=reference,
            mask=_frames(seen.mask),
            confidence=confidence,
            scales=given.step.scales,
        )
    return terms


def _judged(discriminator: nn.Module, fakes: list[Tensor], real: Tensor, fewer: int) -> Judged:
    return Judged([discriminator(fake, without_finest=fewer) for fake in fakes], discriminator(real, without_finest=fewer))


def _judged_faces(
    discriminator: nn.Module, p: params.FaceDiscriminator, fakes: list[Tensor], real: Tensor, faces: Sequence[Spot]
) -> Judged:
    """All its scales see the square, at any size of the frames. Where nobody shows a face, it sees a corner that counts for nothing: so its
    weights have gradients, of zeros, in whichever of several processes that is."""
    around, side = faces or [Spot(0, 0, 0)], p.pixels(*real.shape[-2:])
    cut_fakes, cut_real = [squares(fake, around, side) for fake in fakes], squares(real, around, side)
    return replace(_judged(discriminator, cut_fakes, cut_real, 0), share=len(faces) / len(real))


def _named(discriminator: str, terms: Terms, share: float) -> Terms:
    """image_gan, video_gan/3, ..."""
    what, slash, stride = discriminator.partition("/")
    return {f"{what}_{name}{slash}{stride}": share * term for name, term in terms.items()}


def _fakes(seen: Generated, kind: Kind) -> list[Float[Tensor, "b_t 3 h w"]]:
    """What is compared with the real frames: blended and raw ones, which are the same where nothing is warped."""
    return [_frames(seen.image), _frames(seen.raw)] if kind.warps else [_frames(seen.image)]


def _counted_from_start(groups: Sequence[tuple[int, ...]], frames: Tensor, batch: Batch) -> list[list[int]]:
    """The groups' frames as places in `frames`, which end with the window."""
    before = frames.shape[1] - batch.real.shape[1]
    return [[before + n for n in group] for group in groups]


def _outputs(generated: Generated) -> list[Tensor]:
    return [generated.image, generated.raw, generated.optical_flow, generated.mask]


def _frames(video: Float[Tensor, "b t c h w"]) -> Float[Tensor, "b*t c h w"]:
    """Frames as a batch."""
    return video.flatten(0, 1)
