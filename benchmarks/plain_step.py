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

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from models.discriminator import DiscriminatorFeatures
from models.discriminator_input import Spot, grouped_video_input, image_input
from models.vgg import VggFeatures
from models.video_generator import Generated
from models.warp import warp
from pipeline.batch import Batch, Carried, StepInput
from pipeline.learner import Learner
from pipeline.objective import carry

Terms = dict[str, Float[Tensor, ""]]
Image = Float[Tensor, "b c h w"]
Video = Float[Tensor, "b t c h w"]

VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)

FlowNetwork = Callable[[Image, Image], object]
"""Sees frames in [-1, 1], and as many that were before them."""


class Plain:
    """A learner's networks as the reference has them, with optimizers of its kind."""

    def __init__(self, learner: Learner, weights: Mapping[str, float], flow_network: FlowNetwork | None = None) -> None:
        """`weights` of the terms. `flow_network` runs on the real frames of each step, as FlowNet2 does in the reference; what it finds is
        dropped, so that the terms are those of the stored optical flow, as on the other side."""
        self.networks, self.kind, self.weights, self.flow_network = learner.networks, learner.kind, weights, flow_network
        trained = self.networks.trained()
        for network in (*trained.values(), self.networks.vgg):
            if network is not None:
                network.to(memory_format=torch.contiguous_format)
        self.optimizers = {name: torch.optim.Adam(network.parameters(), betas=(0.5, 0.999)) for name, network in trained.items()}


def plain_step(plain: Plain, given: StepInput) -> tuple[Terms, Carried]:
    """Unweighted terms, and what the next step of the sequence goes on from. All scales are trained."""
    kind, networks, batch, carried = plain.kind, plain.networks, given.batch, given.carried
    if plain.flow_network:
        measure_flow(plain.flow_network, batch)
    past, foreground = carried.state if carried else batch.past(kind.past_frames), batch.foreground if kind.foreground else None
    generated: Generated = networks.generator(batch.maps, foreground, past, gradient_frames=kind.gradient_frames)
    real_before = batch.before[:, -1] if batch.before.shape[1] else batch.real[:, 0]  # confidence is 0 where nothing is before
    shown = Shown(
        real=batch.real,
        real_before=real_before,
        fake_before=carried.fakes[:, -1] if carried else real_before,
        optical_flow=batch.optical_flow,
        confidence=batch.confidence,
    )
    judged_by = pairs(networks.discriminators, batch, generated, carried)
    if kind.face and batch.faces:
        judged_by["face"] = faces(
            networks.discriminators["face"], judged_by["image"], batch.faces, kind.face.pixels(*batch.real.shape[-2:])
        )
    made = sides(judged_by, networks.vgg, shown, generated, scales=kind.scales)

    update(plain.optimizers["generator"], made.generator, plain.weights, given.step.learning_rate)
    for name, terms in made.discriminators.items():
        update(plain.optimizers[name], terms, plain.weights, given.step.learning_rate)
    all_terms = {name: term.detach() for terms in (made.generator, *made.discriminators.values()) for name, term in terms.items()}
    return all_terms, carry(generated, carried, kind)


def measure_flow(network: FlowNetwork, batch: Batch) -> None:
    """From each frame to the one before it, and in each group of a stride above 1 from each frame to the one before it there."""
    video = torch.cat([batch.before, batch.real], dim=1)
    now = range(max(1, batch.before.shape[1]), video.shape[1])
    with torch.no_grad():
        network(video[:, list(now)].flatten(0, 1), video[:, [t - 1 for t in now]].flatten(0, 1))
        for stride, groups in batch.groups.items():
            if stride > 1:
                frames = video[:, torch.tensor(groups.frames) + batch.before.shape[1]]  # b groups 3 c h w
                network(frames[:, :, 1:].flatten(0, 2), frames[:, :, :-1].flatten(0, 2))


@dataclass(frozen=True)
class Pair:
    """What one discriminator sees: fakes, each to be judged with the real one."""

    discriminator: nn.Module
    fakes: Sequence[Image]
    real: Image
    share: float = 1.0
    """How many of the frames it sees; terms are means over all."""


def pairs(discriminators: Mapping[str, nn.Module], batch: Batch, generated: Generated, carried: Carried | None) -> dict[str, Pair]:
    maps, real = batch.maps[:, -batch.real.shape[1] :].flatten(0, 1), batch.real.flatten(0, 1)
    fakes = [image_input(maps, fake.flatten(0, 1)) for fake in (generated.image, generated.raw)]
    found = {"image": Pair(discriminators["image"], fakes, image_input(maps, real))}
    made = generated.image if carried is None else torch.cat([carried.fakes, generated.image], dim=1)
    filmed = torch.cat([batch.before, batch.real], dim=1)
    for stride, groups in batch.groups.items():
        fake, real = (  # groups count from the window's first frame, videos end with its last one
            grouped_video_input(
                video, [[n + video.shape[1] - batch.real.shape[1] for n in group] for group in groups.frames], groups.optical_flow
            )
            for video in (made, filmed)
        )
        found[f"video/{stride}"] = Pair(discriminators[f"video/{stride}"], [fake], real)
    return found


def faces(discriminator: nn.Module, whole: Pair, around: Sequence[Spot], side: int) -> Pair:
    """A square of each frame that shows a face."""

    def cut(frames: Image) -> Image:
        height, width = frames.shape[-2:]
        found = []
        for spot in around:
            top, left = (int(np.clip(middle - side // 2, 0, length - side)) for middle, length in ((spot.y, height), (spot.x, width)))
            found.append(frames[spot.image, :, top : top + side, left : left + side])
        return torch.stack(found)

    return Pair(discriminator, [cut(fake) for fake in whole.fakes], cut(whole.real), len(around) / len(whole.real))


@dataclass(frozen=True)
class Shown:
    """What made frames are held against: the real ones, how they moved, and what was before the first of either."""

    real: Video
    real_before: Image
    fake_before: Image
    optical_flow: Video
    confidence: Video


@dataclass(frozen=True)
class Sides:
    generator: Terms
    discriminators: dict[str, Terms]


def sides(pairs: Mapping[str, Pair], vgg: VggFeatures | None, shown: Shown, generated: Generated, *, scales: int) -> Sides:
    """All terms. `scales` are the generator's, in whose pixels the flow is."""
    for_generator: Terms = {}
    for_discriminators: dict[str, Terms] = {}
    for name, pair in pairs.items():
        judgements = [judged(pair.discriminator, fake, pair.real) for fake in pair.fakes]
        for_generator |= named(name, added([judgement.generator for judgement in judgements], pair.share))
        for_discriminators[name] = named(name, added([judgement.discriminator for judgement in judgements], pair.share))
    real = shown.real.flatten(0, 1)
    fakes = [generated.image.flatten(0, 1), generated.raw.flatten(0, 1)]
    for_generator["reconstruction"] = torch.stack([F.l1_loss(fake, real) for fake in fakes]).sum()
    if vgg is not None:
        for_generator["perceptual"] = torch.stack([perceptual(vgg, fake, real) for fake in fakes]).sum()
    return Sides({**for_generator, **motion(shown, generated, scales)}, for_discriminators)


@dataclass(frozen=True)
class Judgement:
    generator: Terms
    discriminator: Terms


def judged(discriminator: nn.Module, fake: Image, real: Image) -> Judgement:
    """Three passes."""
    fake_apart, real_features, fake_features = discriminator(fake.detach()), discriminator(real), discriminator(fake)
    return Judgement(
        {"gan": squares(fake_features, 1), "feature_matching": matching(fake_features, real_features)},
        {"real": squares(real_features, 1), "fake": squares(fake_apart, 0)},
    )


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


def added(parts: Sequence[Terms], share: float) -> Terms:
    return {name: share * torch.stack([part[name] for part in parts]).sum() for name in parts[0]}


def named(discriminator: str, terms: Terms) -> Terms:
    """As in losses.csv: image_gan, video_gan/3."""
    what, slash, stride = discriminator.partition("/")
    return {f"{what}_{name}{slash}{stride}": term for name, term in terms.items()}


def update(optimizer: torch.optim.Optimizer, terms: Terms, weights: Mapping[str, float], learning_rate: float) -> None:
    loss = torch.stack([term * weights[name.split("/")[0]] for name, term in terms.items()]).sum()
    optimizer.param_groups[0]["lr"] = learning_rate
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
