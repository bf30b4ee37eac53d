"""How much memory a training will need, by what, before its first step; and which settings would need less.

A whole step is run on tensors that have shapes and no memory (`pipeline.allocations`), as it will be in the middle of a sequence, with
gradients and Adam's moments there: so what backward passes free is free, and what is recomputed counts once. Left out is what kernels need
for themselves, what validation and previews need, and the process with its libraries.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, TypeVar

import pandas as pd
import psutil  # type: ignore[import-untyped]
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from models.discriminator_input import temporal_groups
from models.video_generator import State, VideoGenerator
from pipeline import launched, learner, params, progress
from pipeline.allocations import Allocations, counted
from pipeline.batch import Batch, Carried, StepInput
from pipeline.devices import Devices
from pipeline.errors import InputError, is_out_of_memory, one_line
from pipeline.learner import Learner
from pipeline.maps import MapKind
from pipeline.objective import Kind, Networks
from pipeline.schedule import Schedule, Step
from pipeline.tensors import StoredMaps
from pipeline.windows import GROUP, Groups, Window

Network = TypeVar("Network", bound=nn.Module)
Size = tuple[int, int]
"""Height and width in pixels."""


KEPT = {"cpu": 1 / 8, "cuda": 0.0}
"""What is held beyond the activations that are needed, as a share of them. On a CPU malloc keeps some of what was freed (measured:
docs/models.md); on a GPU nothing was measured."""


@dataclass(frozen=True)
class Need:
    """Bytes at the largest moment of a step."""

    networks: int
    """Weights, gradients, Adam's moments, the mean of weights, VGG."""
    frames: int
    """The batch, and what the step before left."""
    activations: int
    """All else that the step holds then."""

    @property
    def total(self) -> int:
        return self.networks + self.frames + self.activations

    def __str__(self) -> str:
        parts = {"networks and optimizers": self.networks, "activations": self.activations, "frames": self.frames}
        return f"{_gb(self.total)} GB ({', '.join(f'{name} {_gb(part)}' for name, part in parts.items())})"


@contextmanager
def told(learning: Learner, schedule: Schedule, index: pd.DataFrame, p: params.Train, devices: Devices) -> Iterator[None]:
    """Says what the training inside will need, and what would help where that is not there; where memory then ends: InputError with that.

    An estimate forbids nothing. Of several processes the main one says it.
    """
    steps, size = _steps(p, schedule), _size(index, p)
    if devices.is_main:
        progress.say("train: estimating how much memory it needs ...")
        progress.say(_tried(learning, steps, size, p, devices))
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(f"train: out of memory on {devices.device}: {_hints(learning, steps, size, p, devices)}") from None


def _tried(learning: Learner, steps: list[Step], size: Size, p: params.Train, devices: Devices) -> str:
    try:
        return said(learning, steps, size, p, devices)
    except Exception as error:  # of an operation that cannot be tried without memory; the training can be
        return f"train: how much memory it needs could not be estimated ({one_line(error)})"


def said(learning: Learner, steps: list[Step], size: Size, p: params.Train, devices: Devices) -> str:
    needed, there = need(learning, steps, size, p, devices), _there(learning, devices.device)
    whose = f" by each of {devices.processes} processes" if devices.processes > 1 else ""
    if needed.total <= there:
        return f"train: needs about {needed}{whose}, {_gb(there)} GB are there"
    return f"train: needs about {needed}{whose}, only {_gb(there)} GB are there: {_hints(learning, steps, size, p, devices)}"


def need(learning: Learner, steps: list[Step], size: Size, p: params.Train, devices: Devices) -> Need:
    """Of the step that needs most."""
    return max((_need(learning, step, size, p, devices) for step in steps), key=lambda needed: needed.total)


def _need(learning: Learner, step: Step, size: Size, p: params.Train, devices: Devices) -> Need:
    with counted() as allocations:
        copied = _copied(learning, p)
        networks = allocations.bytes
        given, previous = _frames(copied, step, size, -(-p.batch_size // devices.processes), devices.device)
        frames = allocations.bytes - networks
        activations = int(_largest(allocations, copied, given, p, devices) * (1 + KEPT[devices.device.type]))
        del previous
    return Need(networks, frames, activations)


def _largest(allocations: Allocations, learning: Learner, given: StepInput, p: params.Train, devices: Devices) -> int:
    """Bytes at the largest moment of the step, above those before it."""
    before = allocations.peak = allocations.bytes
    here = (_Exchanging if devices.processes > 1 else Devices)(devices.device, alone=True)
    learner.step(learning, given, p, here)
    return allocations.peak - before


class _Exchanging(Devices):
    """As if no other process trained with this one, but for the memory of an exchange: all gradients in a row, and accelerate's copy."""

    def average(self, tensors: Sequence[Tensor]) -> None:
        torch.cat([tensor.flatten() for tensor in tensors]).clone()


def _copied(learning: Learner, p: params.Train) -> Learner:
    """The same networks, as they are in the middle of a training."""
    generator, vgg = _shaped(learning.networks.generator), learning.networks.vgg
    discriminators = {name: _shaped(network) for name, network in learning.networks.discriminators.items()}
    networks = Networks(generator, discriminators, None if vgg is None else _shaped(vgg))
    for network in (*networks.trained().values(), networks.vgg):
        if network is not None:
            setattr(network, "checkpointing", p.checkpointing)  # noqa: B010  as another setting than the learner's may be tried
    optimizers = {name: _optimizer(network) for name, network in networks.trained().items()}
    mean = None if learning.mean is None else _shaped(learning.mean)
    return replace(learning, networks=networks, optimizers=optimizers, mean=mean, scaler=GradScaler(enabled=False))


def _shaped(network: Network) -> Network:
    """A copy without numbers."""
    shaped: dict[int, Any] = {}
    for x in (*network.parameters(), *network.buffers()):
        alike = torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=x.device)
        shaped[id(x)] = nn.Parameter(alike, x.requires_grad) if isinstance(x, nn.Parameter) else alike
    return copy.deepcopy(network, shaped)


def _optimizer(network: nn.Module) -> torch.optim.Optimizer:
    """With the gradients of the step before, and moments."""
    optimizer = torch.optim.Adam(network.parameters(), betas=(0.5, 0.999), fused=True)
    for weight in network.parameters():
        weight.grad = torch.empty_like(weight)
        moments = {name: torch.empty_like(weight) for name in ("exp_avg", "exp_avg_sq")}
        optimizer.state[weight] = {"step": torch.zeros((), device=weight.device), **moments}
    return optimizer


def _frames(learning: Learner, step: Step, size: Size, batch_size: int, device: torch.device) -> tuple[StepInput, Tensor]:
    """What the step is given, and the size of what the step before it made, which is there as long."""
    kind = learning.kind
    batch = Batch.of(largest_window(kind, learning.maps, step, (batch_size, *size)), learning.maps, device, kind.scales - step.scales)
    height, width = batch.real.shape[-2:]
    previous = torch.empty(batch_size, step.window_frames, 3 + 3 + 2 + 1, height, width, device=device)
    if step.starts_sequence:
        return StepInput(step, batch, None), previous
    past = torch.empty(batch_size, kind.past_frames, 3, height, width, device=device)
    generator = learning.networks.generator
    state = generator.start(past, step.scales) if isinstance(generator, VideoGenerator) and kind.recurrent else State(None)
    earlier = min(step.first_frame, max(1, _reach(kind)))
    carried = Carried(state, torch.empty(batch_size, earlier, 3, height, width, device=device))
    return StepInput(step, batch, carried), previous


def largest_window(kind: Kind, maps: MapKind, step: Step, batch: tuple[int, int, int]) -> Window:
    """The largest that a step has: as far into a sequence as this one, and one that starts from real frames. `batch` is b, h, w."""
    b, h, w = batch
    first, t = step.first_frame, step.window_frames

    def stored(frames: int, *, before: tuple[int, ...] = (), after: tuple[int, ...] = (), dtype: torch.dtype = torch.uint8) -> Tensor:
        return torch.empty(b, frames, *before, h, w, *after, dtype=dtype)

    with_past = kind.past_frames + t
    counts = {"instance_edge": int(maps.instances), "edge": maps.edges, "pose": maps.pose}
    parts = {name: stored(with_past, before=(count,)) if count else None for name, count in counts.items()}
    groups = {}
    for stride in kind.strides:
        history = min(first, stride * (GROUP - 1))
        numbers = [tuple(n - history for n in group) for group in temporal_groups(history + t, stride, frames=GROUP)]
        if numbers:
            groups[stride] = Groups(numbers, stored(len(numbers), before=(GROUP - 1,), after=(2,), dtype=torch.float16))
    return Window(
        StoredMaps(maps.num_labels, label=stored(with_past) if maps.palette else None, **parts),
        before=stored(max(kind.past_frames, min(first, _reach(kind))), after=(3,)),
        real=stored(t, after=(3,)),
        optical_flow=stored(t, after=(2,), dtype=torch.float16),
        confidence=stored(t),
        groups=groups,
        faces=torch.zeros(b, t, 2, dtype=torch.int16),
    )


def _reach(kind: Kind) -> int:
    """How many frames before the window the video discriminators see."""
    return (GROUP - 1) * max(kind.strides, default=0)


def _steps(p: params.Train, schedule: Schedule) -> list[Step]:
    """Of each phase that may need most the last step of its longest sequences, but for those that surely need less than another's."""
    steps = [_latest(schedule[number]) for number in accumulate(phase.steps for phase in p.phases())]
    most = max(map(_pixels, steps))
    kept: list[Step] = []
    for step in reversed([step for step in steps if _pixels(step) > most / 2]):  # half is less, whatever is added to it
        if not any(_needs_less(step, other) for other in kept):
            kept.append(step)
    return kept


def _pixels(step: Step) -> int:
    """Of a window, in frames of the coarsest scale; batches are the same in all phases."""
    return step.window_frames * 4**step.scales


def _latest(step: Step) -> Step:
    return replace(step, begins=step.number - max(step.sequence_frames // step.window_frames - 1, 0))


def _needs_less(step: Step, other: Step) -> bool:
    """Or the same."""
    smaller = step.scales <= other.scales and step.window_frames <= other.window_frames and step.first_frame <= other.first_frame
    return smaller and (step.only_finest or not other.only_finest)


def _size(index: pd.DataFrame, p: params.Train) -> Size:
    if p.augmentation.crop:
        width, height = p.augmentation.crop
        return height, width
    return int(index["height"].max()), int(index["width"].max())


def _there(learning: Learner, device: torch.device) -> int:
    """Bytes that are free, or that the networks have already."""
    networks = [*learning.networks.trained().values(), learning.networks.vgg, learning.mean]
    tensors = [x for network in networks if network is not None for x in (*network.parameters(), *network.buffers())]
    moments = [x for o in learning.optimizers.values() for state in o.state.values() for x in state.values() if isinstance(x, Tensor)]
    shared = psutil.virtual_memory().available // launched.this_process().here  # by the processes of this machine
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else shared
    return int(free) + _bytes([*tensors, *moments])


def _hints(learning: Learner, steps: list[Step], size: Size, p: params.Train, devices: Devices) -> str:
    """Which settings would need less, each alone, and how much then; what helps most comes first."""
    now = need(learning, steps, size, p, devices).total
    tried = {name: need(learning, *changed, devices).total for name, changed in _smaller(steps, size, p, devices.processes).items()}
    helping = sorted((total, name) for name, total in tried.items() if total < 0.95 * now)
    return f"less is needed with {', '.join(f'{name} ({_gb(total)} GB)' for total, name in helping)}" if helping else "no setting helps"


def _smaller(steps: list[Step], size: Size, p: params.Train, processes: int) -> dict[str, tuple[list[Step], Size, params.Train]]:
    """The processes share a batch equally."""
    changes: dict[str, tuple[list[Step], Size, params.Train]] = {}
    half = processes * max(p.batch_size // processes // 2, 1)
    for name, value in (("checkpointing", True), ("precision", "bfloat16"), ("batch_size", half)):
        with suppress(ValidationError):  # some go with some others only
            changes[f"train.{name}: {str(value).lower()}"] = steps, size, params.Train.model_validate({**p.model_dump(), name: value})
    changes["half the train.window_frames"] = [_latest(replace(step, window_frames=_half(step))) for step in steps], size, p
    changes[f"half the {'train.augmentation.crop' if p.augmentation.crop else 'size of clips'}"] = steps, (size[0] // 2, size[1] // 2), p
    return changes


def _half(step: Step) -> int:
    """Of the window's frames, at most; sequences are whole windows."""
    return max(n for n in range(1, max(step.window_frames // 2, 1) + 1) if step.sequence_frames % n == 0)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(x.numel() * x.element_size() for x in tensors)


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f}" if size >= 0.95e9 else f"{size / 1e9:.3f}".rstrip("0").rstrip(".")
