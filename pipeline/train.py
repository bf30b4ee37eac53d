"""dataset -> networks, losses.csv, previews: the training of vid2vid, and of the same generator without the past.

Stopped anywhere and started again, it goes on from its last saved state with the windows it would have seen.
"""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from models.discriminator import Discriminator
from models.losses import total
from models.vgg import VggFeatures
from models.video_generator import VideoGenerator
from pipeline import layout, params, preview, progress
from pipeline.checkpoint import TrainingState, load_weights, save_generator
from pipeline.errors import InputError
from pipeline.index import read_index
from pipeline.maps import MapFolders, MapKind
from pipeline.objective import Networks, discriminator_side, generate, generator_side, judge
from pipeline.weights import path_of
from pipeline.windows import Batch, Folders, Windows

logger = logging.getLogger(__name__)

LOADER_WORKERS = {"cpu": 0, "cuda": 4}


def run(
    clips: Path,
    segmentation: Path | None,
    instances: Path | None,
    optical_flow: Path,
    pose: Path | None,
    edges: Path | None,
    dataset: Path,
    out: Path,
    work: Path,
    p: params.Train,
    device: str,
) -> None:
    folders = Folders(clips, optical_flow, MapFolders(segmentation, instances, edges, pose))
    _train(folders, dataset, out, work, p, device, each_alone=False)


def run_per_frame(
    clips: Path,
    segmentation: Path | None,
    instances: Path | None,
    optical_flow: Path,
    pose: Path | None,
    edges: Path | None,
    dataset: Path,
    out: Path,
    work: Path,
    p: params.Train,
    per_frame: params.TrainPerFrame,
    device: str,
) -> None:
    """Same parameters, steps and data, but each frame is made from its own maps alone: shows what the past is worth.

    There is then nothing to warp or blend: no motion branch, no video discriminator, one fake image a frame instead of two.
    """
    if per_frame.enabled:
        folders = Folders(clips, optical_flow, MapFolders(segmentation, instances, edges, pose))
        _train(folders, dataset, out, work, p, device, each_alone=True)


def _train(folders: Folders, dataset: Path, out: Path, work: Path, p: params.Train, device: str, *, each_alone: bool) -> None:
    index = read_index(dataset, "train")
    kind = MapKind.of(folders.maps.of(index["clip"].iloc[0]))
    windows = Windows(
        folders,
        index,
        kind,
        frames=p.window_frames,
        past_frames=p.generator.past_frames,
        batch_size=p.batch_size,
        start_from_nothing=p.start_from_nothing,
        seed=p.seed,
    )
    arguments = _generator_arguments(p, kind, each_alone)
    networks = _networks(p, arguments, kind, device)
    optimizers: dict[str, torch.optim.Optimizer] = {
        name: torch.optim.Adam(net.parameters(), betas=(0.5, 0.999)) for name, net in networks.trained().items()
    }
    state = TrainingState.resumed(work, networks.trained(), optimizers)
    weights = p.weights.model_dump()
    if state.step:
        logger.warning("train: continues after step %d of %d", state.step, p.steps)

    for step, batch in progress.track(_batches(windows, state.step + 1, p.steps, device), "train", p.steps - state.step):
        _set_learning_rate(optimizers, p.learning_rate * learning_rate_factor(step, p.steps, p.decay_from))

        with torch.autocast(device, torch.bfloat16, enabled=p.precision == "bfloat16"):
            fake = generate(networks.generator, batch, each_alone)
            judged = judge(networks, batch, fake, each_alone)
            g_terms = generator_side(networks, judged, batch, fake, p.gan, each_alone)
        _update([optimizers["generator"]], total(g_terms, weights))

        with torch.autocast(device, torch.bfloat16, enabled=p.precision == "bfloat16"):
            d_terms = discriminator_side(judged, p.gan)
        _update([optimizers[f"{name}_discriminator"] for name in judged], total(d_terms, weights))

        state.log(step, {**g_terms, **d_terms}, p.log_every)
        if step % p.preview_every == 0 or step == p.steps:
            preview.save_preview(layout.preview(work, step), batch, fake, kind)
        if step % p.save_every == 0 or step == p.steps:
            state.save()

    save_generator(layout.networks(out), networks.generator, arguments, kind, each_alone)
    state.write_losses(layout.losses(out), p.log_every)
    shutil.copytree(layout.previews(work), layout.previews(out))  # not moved: a kill just now must leave the state whole


def learning_rate_factor(step: int, steps: int, decay_from: float) -> float:
    """1, then linearly down; the last step still moves."""
    return min(1.0, (steps - step + 1) / (1 + steps * (1 - decay_from)))


def _set_learning_rate(optimizers: dict[str, torch.optim.Optimizer], rate: float) -> None:
    for optimizer in optimizers.values():
        optimizer.param_groups[0]["lr"] = rate


def _update(optimizers: list[torch.optim.Optimizer], loss: torch.Tensor) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    for optimizer in optimizers:
        optimizer.step()


def _batches(windows: Windows, first: int, last: int, device: str) -> Iterator[tuple[int, Batch]]:
    steps = range(first, last + 1)
    loader = DataLoader(windows, sampler=steps, batch_size=None, num_workers=LOADER_WORKERS[device], pin_memory=device == "cuda")
    for step, batch in zip(steps, loader, strict=True):
        yield step, batch.to(device)


def _generator_arguments(p: params.Train, kind: MapKind, each_alone: bool) -> dict[str, Any]:
    if p.generator.foreground and not (kind.palette and kind.palette.foreground):
        lacking = f"palette {kind.palette.name} marks no class as foreground" if kind.palette else "there are no label maps"
        raise InputError(f"train.generator.foreground is true, but {lacking}")
    arguments = {**p.generator.model_dump(exclude={"mask"}), "map_channels": kind.channels}
    return {**arguments, "warping": False, "each_alone": True} if each_alone else arguments


def _networks(p: params.Train, generator_arguments: dict[str, Any], kind: MapKind, device: str) -> Networks:
    torch.manual_seed(p.seed)
    norm = p.generator.norm
    networks = Networks(
        VideoGenerator(**generator_arguments),
        Discriminator(channels=kind.channels + 3, norm=norm, **p.image_discriminator.model_dump()),
        Discriminator(channels=3 * 3 + 2 * 2, norm=norm, **p.video_discriminator.model_dump()),
        _vgg(p),
    )
    for network in (*networks.trained().values(), networks.vgg):
        if network is not None:
            network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return networks


def _vgg(p: params.Train) -> VggFeatures | None:
    if p.weights.perceptual == 0:
        return None
    if p.vgg_weights is None:
        raise InputError("train.weights.perceptual is not 0, but train.vgg_weights names no file")
    import torchvision  # seconds; seldom needed

    network = torchvision.models.vgg19(weights=None)
    load_weights(network, path_of(p.vgg_weights, "train.vgg_weights"), "train.vgg_weights")
    return VggFeatures(network.features)
