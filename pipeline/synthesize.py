"""Networks and maps -> video: frames.zip (lossless) and video.mp4 of each test clip, from its maps and nothing else."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline import arrays, layout, params, video
from pipeline.checkpoint import TrainedGenerator
from pipeline.errors import InputError
from pipeline.palettes import Palette, from_attributes
from pipeline.tensors import foreground_of, maps_to_tensor, tensor_to_frames


def run_clip(
    clips: Path, segmentation: Path, instances: Path, train: Path, out: Path, p: params.Synthesize, made_by: dict[str, Any], device: str
) -> None:
    """`clips` gives the frame rate alone."""
    _write(_frames(_generator(train, device), segmentation, instances, device), clips, out, p, made_by)


def run_clip_per_frame(
    clips: Path,
    segmentation: Path,
    instances: Path,
    train_per_frame: Path,
    out: Path,
    p: params.Synthesize,
    made_by: dict[str, Any],
    device: str,
) -> None:
    """The same by the generator without the past; nothing where that was not trained."""
    if layout.networks(train_per_frame).is_dir():
        _write(_frames(_generator(train_per_frame, device), segmentation, instances, device), clips, out, p, made_by)


def _generator(train: Path, device: str) -> TrainedGenerator:
    """Loaded once in each worker."""
    folder = layout.networks(train)
    return _loaded(folder, folder.stat().st_ino, device)


@lru_cache(maxsize=2)
def _loaded(folder: Path, inode: int, device: str) -> TrainedGenerator:
    return TrainedGenerator(folder, device)


def _write(frames: Iterator[np.ndarray], clips: Path, out: Path, p: params.Synthesize, made_by: dict[str, Any]) -> None:
    real = arrays.reading(layout.arrays(clips, "frames")).attributes
    kept = {name: real[name] for name in ("clip", "sequence", "first_frame", "split", "frames_per_second")}
    with arrays.writing(layout.arrays(out, "frames"), {**made_by, **kept}) as writer:
        for frame in frames:
            writer.append("rgb", frame)
    written = arrays.reading(layout.arrays(out, "frames"))
    video.write_mp4(layout.video(out), written.frames("rgb"), real["frames_per_second"], p.crf)


@torch.inference_mode()
def _frames(generator: TrainedGenerator, segmentation: Path, instances: Path, device: str) -> Iterator[np.ndarray]:
    """One frame at a time; what is kept between frames does not grow."""
    network = generator.network
    state = network.start(None)
    for window in _map_windows(segmentation, instances, network.past_frames, generator.palette):
        window = window.to(device)
        foreground = foreground_of(window[:, -1], generator.palette) if network.foreground else None
        frame, next_state = network.step(window, foreground, state)
        state = network.start(None) if generator.each_alone else next_state
        yield tensor_to_frames(frame.image[0])


def _map_windows(segmentation: Path, instances: Path, past_frames: int, palette: Palette) -> Iterator[Tensor]:
    """Maps of each frame and the ones before it (frame 0's, repeated, before the video): `1 past+1 c h w`."""
    labels = arrays.reading(layout.arrays(segmentation, "segmentation"))
    if from_attributes(labels.attributes["palette"]) != palette:
        raise InputError(
            f"{segmentation}: its palette {labels.attributes['palette']['name']} is not the trained generator's {palette.name}"
        )
    objects = arrays.reading(layout.arrays(instances, "instances"))
    window: list[Tensor] = []
    for label, instance in zip(labels.frames("label"), objects.frames("instance"), strict=True):
        maps = maps_to_tensor(label, instance, palette)
        window = [*(window or [maps] * past_frames), maps][-past_frames - 1 :]
        yield torch.stack(window)[None]
