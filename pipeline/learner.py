"""What learns: generator, discriminators, their optimizers; and one step of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim.swa_utils import AveragedModel

from models.losses import total
from models.video_generator import Generated
from pipeline import divergence, params
from pipeline.batch import StepInput
from pipeline.devices import Devices
from pipeline.maps import MapKind
from pipeline.objective import Kind, Networks, cut_off, discriminator_side, generate, generator_side, judge, lead_back

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
    saving: Callable[[Path, nn.Module], None]
    """How a generator of this kind is saved in a folder."""

    def result(self) -> nn.Module:
        """The generator that is kept."""
        return self.mean.module if self.mean else self.networks.generator

    def save(self, folder: Path) -> None:
        self.saving(folder, self.result())

    def parts(self) -> dict[str, Any]:
        """All that changes while it learns."""
        networks = {f"network {name}": network for name, network in self.networks.trained().items()}
        optimizers = {f"optimizer {name}": optimizer for name, optimizer in self.optimizers.items()}
        return {**networks, **optimizers, "scaler": self.scaler, **({"mean": self.mean} if self.mean else {})}


@dataclass(frozen=True)
class Stepped:
    fake: Generated
    terms: dict[str, float]
    """Every term, unweighted, and the weighted totals; means over the processes."""
    problem: str | None
    """What is wrong with them; then nothing was changed, but for networks whose float16 gradients were in range."""


def step(learner: Learner, given: StepInput, p: params.Train, devices: Devices) -> Stepped:
    networks, kind, weights, dtype = learner.networks, learner.kind, p.weights.model_dump(), AUTOCAST[p.precision]
    with torch.autocast(devices.device.type, dtype, enabled=dtype is not None):
        fake = generate(networks.generator, kind, given)
        seen = cut_off(fake)
        judged = judge(networks, kind, given, seen)
        g_terms = generator_side(networks, kind, given, seen, judged, p.gan)
        d_terms = discriminator_side(judged, p.gan)
    g_loss, d_loss = total(g_terms, weights), total(d_terms, weights)
    terms = _read({**g_terms, **d_terms, "generator_total": g_loss, "discriminator_total": d_loss}, devices)
    if problem := divergence.problem(terms, p.divergence):
        return Stepped(fake, terms, problem)

    g_weights = _differentiate(learner, ["generator"], lead_back(learner.scaler.scale(g_loss), seen, fake), devices)
    d_weights = _differentiate(learner, list(judged), learner.scaler.scale(d_loss), devices)
    scaled = _read({"generator_gradient": _length(g_weights), "discriminator_gradient": _length(d_weights)}, devices)
    lengths = {name: length / learner.scaler.get_scale() for name, length in scaled.items()}
    problem = divergence.problem(lengths, p.divergence)
    if problem and not learner.scaler.is_enabled():
        return Stepped(fake, {**terms, **lengths}, problem)

    _update(learner, ["generator", *judged], given.step.learning_rate)
    if learner.mean and not problem:
        learner.mean.update_parameters(networks.generator)
    return Stepped(fake, terms if problem else {**terms, **lengths}, _too_small(learner.scaler))


def _read(terms: dict[str, Tensor], devices: Devices) -> dict[str, float]:
    """All at once: each reading waits for the device."""
    values = devices.mean(torch.stack([term.detach() for term in terms.values()])).tolist()
    return dict(zip(terms, values, strict=True))


def _differentiate(learner: Learner, names: list[str], loss: Tensor, devices: Devices) -> list[Tensor]:
    """Gives these networks their gradients, means over the processes; returns the weights that have one."""
    optimizers = [learner.optimizers[name] for name in names]
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    weights = [weight for optimizer in optimizers for weight in optimizer.param_groups[0]["params"]]
    torch.autograd.backward(loss, inputs=weights)  # nothing else: the fakes that a discriminator saw need no gradients
    changed = [weight for weight in weights if weight.grad is not None]
    devices.average([weight.grad for weight in changed])
    return changed


def _length(weights: list[Tensor]) -> Tensor:
    """Of their gradients as one vector."""
    return nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])


def _update(learner: Learner, names: list[str], rate: float) -> None:
    """With float16, a network whose gradients are not finite stays as it is, and the next step's are scaled less."""
    for optimizer in (learner.optimizers[name] for name in names):
        optimizer.param_groups[0]["lr"] = rate
        learner.scaler.step(optimizer)
    learner.scaler.update()


def _too_small(scaler: GradScaler) -> str | None:
    """With float16, an overflow now and then is usual; where no scale helps, the training is lost."""
    scale = scaler.get_scale()
    return f"gradients are beyond float16 at a scale of {scale:g}" if scaler.is_enabled() and scale < 1 else None
