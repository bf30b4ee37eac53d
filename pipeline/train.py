"""dataset -> networks, losses.csv, previews: the training of vid2vid, of the same generator without the past, of pix2pixHD.

Stopped anywhere and started again, it goes on from its last saved state as if it had never stopped.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader

from models.video_generator import Generated
from pipeline import divergence, layout, learner, learners, memory_estimate, params, preview, progress
from pipeline.batch import Batch, StepInput
from pipeline.devices import Devices
from pipeline.errors import InputError
from pipeline.index import read_index
from pipeline.learner import Learner
from pipeline.maps import MapFolders, MapKind
from pipeline.objective import Kind, carry
from pipeline.schedule import Schedule, Step
from pipeline.stopping import Stopping
from pipeline.training_state import TrainingState, keep, replace_folder
from pipeline.training_validation import Validation
from pipeline.training_watch import Watch, timed
from pipeline.windows import Folders, Window, Windows

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
    watch: Path,
    p: params.Train,
    device: str,
) -> None:
    folders = Folders(clips, optical_flow, MapFolders(segmentation, instances, edges, pose))
    _train(learners.vid2vid, folders, dataset, Places("train", out, work, watch), p, Devices(device))


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
    watch: Path,
    p: params.Train,
    per_frame: params.TrainPerFrame,
    device: str,
) -> None:
    """Same parameters, steps and data, but each frame is made from its own maps alone: shows what the past is worth.

    `p` is `per_frame.of` the section `train`.
    """
    if per_frame.enabled:
        folders = Folders(clips, optical_flow, MapFolders(segmentation, instances, edges, pose))
        _train(learners.per_frame, folders, dataset, Places("train_per_frame", out, work, watch), p, Devices(device))


def run_image_generator(
    clips: Path,
    segmentation: Path | None,
    instances: Path | None,
    optical_flow: Path,
    pose: Path | None,
    edges: Path | None,
    dataset: Path,
    out: Path,
    work: Path,
    watch: Path,
    p: params.Train,
    image: params.TrainImageGenerator,
    device: str,
) -> None:
    """pix2pixHD, for a video's first frames. `p` is `image.of` the section `train`."""
    if image.enabled:
        folders = Folders(clips, optical_flow, MapFolders(segmentation, instances, edges, pose))
        places = Places("train_image_generator", out, work, watch)
        _train(partial(_pix2pix_hd, image), folders, dataset, places, p, Devices(device))


Build = Callable[[params.Train, MapKind, Devices], Learner]


@dataclass(frozen=True)
class Places:
    name: str
    """The stage's."""
    out: Path
    work: Path
    """For what goes on after a stop."""
    watch: Path
    """For curves."""


def _train(build: Build, folders: Folders, dataset: Path, places: Places, p: params.Train, devices: Devices) -> None:
    index = read_index(dataset, "train")
    learned, held_out = _held_out(index, p.validation)
    learning = build(p, MapKind.of(folders.maps.of(index["clip"].iloc[0])), devices)
    windows = _windows(folders, learned, learning, p, devices)
    judges = len(held_out) and devices.is_main
    validation = Validation(_windows(folders, held_out, learning, p, devices), p) if judges else None
    state, schedule = TrainingState(places.work, learning.parts(), devices), windows.schedule
    state.resume()
    devices.require_equal(state.step, "the step that a training goes on from: does each see the same store?")
    if devices.is_main:
        _say(places.name, learning.kind, schedule, state, compiles=p.compile)
    watching = Watch(places.watch, places.name, schedule.steps, state.step) if devices.is_main else nullcontext()
    memory = memory_estimate.told(learning, schedule, index, p, devices)
    with memory, Stopping() as stopping, watching as watch:
        for (step, batch), waited in timed(_batches(windows, state.step + 1, learning, devices)):
            given = StepInput(step, batch, None if step.starts_sequence else state.carried)
            stepped = learner.step(learning, given, p, devices)
            state.step, state.skipped = step.number, state.skipped + 1 if stepped.problem else 0
            divergence.judge(stepped.problem, places.name, step.number, state.skipped, p.divergence, tells=devices.is_main)
            state.carried = None if stepped.problem or step.ends_sequence else carry(stepped.fake, given.carried, learning.kind)
            if not stepped.problem:
                state.log(stepped.terms, p.log_every)
            last, stopping.agreed = step.number == schedule.steps, devices.any(stopping.asked)
            if watch:
                watch.step(step.number, stepped.terms, learning_rate=step.learning_rate, waited_seconds=waited)
                _look(learning, validation, state, batch, stepped.fake, watch, p, last=last)
            if stopping.agreed or last or step.number % p.save_every == 0:
                state.save()
            if stopping.agreed:
                if watch:
                    progress.say(f"{places.name}: stopped after step {step.number} of {schedule.steps}, which is saved")
                break
    if devices.is_main:
        _write(places.out, learning, state, p)
    devices.wait()


def _pix2pix_hd(image: params.TrainImageGenerator, p: params.Train, maps: MapKind, devices: Devices) -> Learner:
    return learners.pix2pix_hd(p, image.generator, maps, devices)


def _look(
    learning: Learner,
    validation: Validation | None,
    state: TrainingState,
    batch: Batch,
    fake: Generated,
    watch: Watch,
    p: params.Train,
    *,
    last: bool,
) -> None:
    """Previews, validation, checkpoints: what is not needed to go on."""
    if last or state.step % p.preview_every == 0:
        preview.save_preview(layout.preview(state.work, state.step), batch, fake, learning.maps, warps=learning.kind.warps)
        watch.preview(state.step, layout.preview(state.work, state.step))
    if validation and p.validation.every and (last or state.step % p.validation.every == 0):
        best = min((row[p.validation.measure] for row in state.validation), default=np.inf)
        judged = validation.judge(learning)
        watch.validated(state.step, judged)
        state.validation.append({"step": state.step, **judged})
        if judged[p.validation.measure] < best:
            replace_folder(layout.best(state.work), learning.save)
    if p.checkpoints.keep and state.step % p.checkpoints.every == 0:
        keep(layout.checkpoints(state.work), state.step, p.checkpoints.keep, learning.save)


def _write(out: Path, learning: Learner, state: TrainingState, p: params.Train) -> None:
    """Copied, not moved: a kill just now must leave the state whole."""
    if p.validation.take == "best" and layout.best(state.work).is_dir():
        shutil.copytree(layout.best(state.work), layout.networks(out))
    else:
        learning.save(layout.networks(out))
    state.end_row()
    state.write_tables(out)
    for folder in (layout.previews, layout.checkpoints):
        if folder(state.work).is_dir():
            shutil.copytree(folder(state.work), folder(out))


def _batches(windows: Windows, first: int, learning: Learner, devices: Devices) -> Iterator[tuple[Step, Batch]]:
    for step, window in _loaded(windows, first, devices):
        yield step, Batch.of(window, learning.maps, devices.device, learning.kind.scales - step.scales)


def _loaded(windows: Windows, first: int, devices: Devices) -> Iterator[tuple[Step, Window]]:
    numbers, device = range(first, windows.schedule.steps + 1), devices.device.type
    workers = LOADER_WORKERS[device]
    loader = DataLoader(
        windows,
        sampler=numbers,
        batch_size=None,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,  # forked beside threads (Prefect's), some end with status 1
        pin_memory=device == "cuda",
        worker_init_fn=_apart,
        generator=torch.Generator(),  # not torch's own: a training that goes on would find it changed
    )
    for number, window in zip(numbers, loader, strict=True):
        yield windows.schedule[number], window


def _apart(_worker: int) -> None:
    """What tells this process's whole group to end would end those that load for it before the step is saved."""
    os.setpgrp()


def _held_out(index: pd.DataFrame, p: params.TrainingValidation) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The clips that are learned from, and those that judge, evenly spread."""
    if p.every is None:
        return index, index.iloc[:0]
    if p.clips >= len(index):
        raise InputError(f"train.validation.clips is {p.clips}: of {len(index)} training clips, some must be left to learn from")
    chosen = np.linspace(0, len(index) - 1, p.clips).round().astype(int)
    return index.drop(index.index[chosen]), index.iloc[chosen]


def _windows(folders: Folders, index: pd.DataFrame, learning: Learner, p: params.Train, devices: Devices) -> Windows:
    kind = learning.kind
    share = {"process": devices.process, "processes": devices.processes}
    past, faces = kind.past_frames, kind.face is not None
    return Windows(folders, index, learning.maps, p, past_frames=past, strides=kind.strides, finds_faces=faces, **share)


def _say(name: str, kind: Kind, schedule: Schedule, state: TrainingState, *, compiles: bool) -> None:
    longest = schedule.longest_sequence()
    for stride in (stride for stride in kind.strides if 2 * stride >= longest):
        logger.warning("%s: the video discriminator of stride %d sees nothing: sequences have %d frames at most", name, stride, longest)
    if state.step:
        logger.warning("%s: continues after step %d of %d", name, state.step, schedule.steps)
    if compiles:
        logger.warning("%s: the first steps of each phase compile its networks, which takes minutes; until then Ctrl-C twice ends it", name)
