"""What learns: generator, discriminators, their optimizers; and one step of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.discriminator import Discriminator
from models.losses import total
from models.vgg import VggFeatures
from models.video_generator import Generated, VideoGenerator
from pipeline import divergence, params
from pipeline.batch import Batch, Carried
from pipeline.checkpoint import load_generator_weights, load_weights, save_generator
from pipeline.devices import Devices
from pipeline.errors import InputError
from pipeline.maps import MapKind
from pipeline.objective import IMAGE, Kind, Networks, cut_off, discriminator_side, generate, generator_side, judge, lead_back
from pipeline.schedule import Step
from pipeline.weights import path_of

AUTOCAST = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass
class Learner:
    networks: Networks
    optimizers: Mapping[str, torch.optim.Optimizer]
    """One for each trained network, by its name."""
    scaler: GradScaler
    mean: AveragedModel | None
    """Of the generator's weights over the steps."""
    kind: Kind
    maps: MapKind
    arguments: dict[str, Any]
    """The generator's."""

    def result(self) -> VideoGenerator:
        """The generator that is kept."""
        generator = self.mean.module if self.mean else raw(self.networks.generator)
        assert isinstance(generator, VideoGenerator)
        return generator

    def save(self, folder: Path) -> None:
        save_generator(folder, self.result(), self.arguments, self.maps)

    def parts(self) -> dict[str, Any]:
        """All that changes while it learns."""
        networks = {f"network {name}": raw(network) for name, network in self.networks.trained().items()}
        optimizers = {f"optimizer {name}": optimizer for name, optimizer in self.optimizers.items()}
        return {**networks, **optimizers, "scaler": self.scaler, **({"mean": self.mean} if self.mean else {})}


@dataclass(frozen=True)
class Stepped:
    fake: Generated
    terms: dict[str, float]
    """Every term, unweighted, and the weighted totals; means over the processes."""
    problem: str | None
    """What is wrong with them; then nothing was changed."""


def step(learner: Learner, batch: Batch, carried: Carried | None, step: Step, p: params.Train, devices: Devices) -> Stepped:
    networks, kind, weights, dtype = learner.networks, learner.kind, p.weights.model_dump(), AUTOCAST[p.precision]
    with torch.autocast(devices.device.type, dtype, enabled=dtype is not None):
        fake = generate(networks.generator, kind, batch, carried, step)
        seen = cut_off(fake)
        judged = judge(networks, kind, batch, seen, carried, step)
        g_terms = generator_side(networks, kind, judged, batch, seen, carried, step, p.gan)
        d_terms = discriminator_side(judged, p.gan)
    g_loss, d_loss = total(g_terms, weights), total(d_terms, weights)
    terms = _read({**g_terms, **d_terms, "generator_total": g_loss, "discriminator_total": d_loss}, devices)
    if problem := divergence.problem(terms, p.divergence):
        return Stepped(fake, terms, problem)

    _update(learner, ["generator"], lead_back(learner.scaler.scale(g_loss), seen, fake), step.learning_rate)
    _update(learner, list(judged), learner.scaler.scale(d_loss), step.learning_rate)
    learner.scaler.update()
    if learner.mean:
        learner.mean.update_parameters(raw(networks.generator))
    return Stepped(fake, terms, None)


def _read(terms: dict[str, Tensor], devices: Devices) -> dict[str, float]:
    """All at once: each reading waits for the device."""
    values = devices.mean(torch.stack([term.detach() for term in terms.values()])).tolist()
    return dict(zip(terms, values, strict=True))


def _update(learner: Learner, names: list[str], loss: Tensor, rate: float) -> None:
    optimizers = [learner.optimizers[name] for name in names]
    for optimizer in optimizers:
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad(set_to_none=True)
    weights = [weight for optimizer in optimizers for weight in optimizer.param_groups[0]["params"]]
    torch.autograd.backward(loss, inputs=weights)  # nothing else: the fakes that a discriminator saw need no gradients
    for optimizer in optimizers:
        learner.scaler.step(optimizer)


def build(p: params.Train, maps: MapKind, devices: Devices, *, each_alone: bool) -> Learner:
    """Fresh, or with `initial_weights`; equal in every process."""
    arguments = _generator_arguments(p, maps, each_alone)
    kind = _kind(p, arguments)
    torch.manual_seed(p.seed)
    networks = _networks(p, maps, arguments, kind)
    for network in (*networks.trained().values(), networks.vgg):
        if network is not None:
            network.to(devices.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            if p.compile:
                network.compile()
    shared = Networks(
        devices.sharing(networks.generator), {n: devices.sharing(d) for n, d in networks.discriminators.items()}, networks.vgg
    )
    optimizers = {name: torch.optim.Adam(n.parameters(), betas=(0.5, 0.999), fused=True) for name, n in shared.trained().items()}
    mean = AveragedModel(networks.generator, multi_avg_fn=get_ema_multi_avg_fn(p.ema_decay)) if p.ema_decay else None  # type: ignore[no-untyped-call]
    return Learner(shared, optimizers, GradScaler(devices.device.type, enabled=p.precision == "float16"), mean, kind, maps, arguments)


def raw(network: nn.Module) -> nn.Module:
    """Without the wrapper that shares its gradients."""
    module = getattr(network, "module", network)
    assert isinstance(module, nn.Module)
    return module


def _networks(p: params.Train, maps: MapKind, arguments: dict[str, Any], kind: Kind) -> Networks:
    generator = VideoGenerator(**arguments)
    if p.initial_weights:
        load_generator_weights(generator, path_of(p.initial_weights, "train.initial_weights"), "train.initial_weights")
    image, video = p.image_discriminator.model_dump(), p.video_discriminator.model_dump(exclude={"strides"})
    discriminators = {IMAGE: Discriminator(channels=maps.channels + 3, norm=p.generator.norm, **image)}
    for stride in kind.strides:
        discriminators[f"video/{stride}"] = Discriminator(channels=3 * 3 + 2 * 2, norm=p.generator.norm, **video)
    return Networks(generator, discriminators, _vgg(p))


def _generator_arguments(p: params.Train, maps: MapKind, each_alone: bool) -> dict[str, Any]:
    if p.generator.foreground and not (maps.palette and maps.palette.foreground):
        lacking = f"palette {maps.palette.name} marks no class as foreground" if maps.palette else "there are no label maps"
        raise InputError(f"train.generator.foreground is true, but {lacking}")
    arguments = {**p.generator.model_dump(exclude={"mask"}), "map_channels": maps.channels}
    return {**arguments, "warping": False, "each_alone": True} if each_alone else arguments


def _kind(p: params.Train, arguments: dict[str, Any]) -> Kind:
    recurrent = not arguments.get("each_alone", False)
    return Kind(
        scales=arguments["scales"],
        past_frames=arguments["past_frames"],
        foreground=arguments["foreground"],
        warps=arguments["warping"],
        recurrent=recurrent,
        gradient_frames=p.gradient_frames,
        strides=p.video_discriminator.strides if recurrent else [],
    )


def _vgg(p: params.Train) -> VggFeatures | None:
    if p.weights.perceptual == 0:
        return None
    if p.vgg_weights is None:
        raise InputError("train.weights.perceptual is not 0, but train.vgg_weights names no file")
    import torchvision  # seconds; seldom needed

    network = torchvision.models.vgg19(weights=None)
    load_weights(network, path_of(p.vgg_weights, "train.vgg_weights"), "train.vgg_weights")
    return VggFeatures(network.features)
