"""Networks and maps -> video: frames.zip (lossless) and video.mp4 of each test clip, from its maps and nothing else.

Of a clip with frames that show no face or person, its longest part without them; of one that has no such part, nothing.
"""

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
from pipeline.maps import ClipMaps, MapFolders, MapKind, usable
from pipeline.tensors import foreground_of, maps_to_tensor, tensor_to_frames


def run_clip(
    clips: Path,
    segmentation: Path | None,
    instances: Path | None,
    pose: Path | None,
    edges: Path | None,
    train: Path,
    out: Path,
    p: params.Synthesize,
    made_by: dict[str, Any],
    device: str,
) -> None:
    """`clips` gives the frame rate alone."""
    _write(_generator(train, device), MapFolders(segmentation, instances, edges, pose), clips, out, p, made_by, device)


def run_clip_per_frame(
    clips: Path,
    segmentation: Path | None,
    instances: Path | None,
    pose: Path | None,
    edges: Path | None,
    train_per_frame: Path,
    out: Path,
    p: params.Synthesize,
    made_by: dict[str, Any],
    device: str,
) -> None:
    """The same by the generator without the past; nothing where that was not trained."""
    if layout.networks(train_per_frame).is_dir():
        _write(_generator(train_per_frame, device), MapFolders(segmentation, instances, edges, pose), clips, out, p, made_by, device)


def _generator(train: Path, device: str) -> TrainedGenerator:
    """Loaded once in each worker."""
    folder = layout.networks(train)
    return _loaded(folder, folder.stat().st_ino, device)


@lru_cache(maxsize=2)
def _loaded(folder: Path, inode: int, device: str) -> TrainedGenerator:
    return TrainedGenerator(folder, device)


def _write(
    generator: TrainedGenerator, folders: MapFolders, clips: Path, out: Path, p: params.Synthesize, made_by: dict[str, Any], device: str
) -> None:
    maps = _maps(folders, generator.kind, clips)
    used = usable(folders, len(maps))
    if not used:
        return
    real = arrays.reading(layout.arrays(clips, "frames")).attributes
    kept = {name: real[name] for name in ("clip", "sequence", "split", "frames_per_second")}
    about = {**made_by, **kept, "first_frame": real["first_frame"] + used.start}
    with arrays.writing(layout.arrays(out, "frames"), about) as writer:
        for frame in _frames(generator, maps, used, device):
            writer.append("rgb", frame)
    written = arrays.reading(layout.arrays(out, "frames"))
    video.write_mp4(layout.video(out), written.frames("rgb"), real["frames_per_second"], p.crf)


def _maps(folders: MapFolders, trained_on: MapKind, clip: Path) -> ClipMaps:
    found = MapKind.of(folders)
    if found != trained_on:
        raise InputError(f"{clip}: its maps are {found}; the generator was trained on {trained_on}, and can be given nothing else")
    return ClipMaps(folders, found)


@torch.inference_mode()
def _frames(generator: TrainedGenerator, maps: ClipMaps, used: range, device: str) -> Iterator[np.ndarray]:
    """One frame at a time; what is kept between frames does not grow."""
    network = generator.network
    state = network.start(None)
    for window in _map_windows(maps, used, network.past_frames):
        window = window.to(device)
        foreground = foreground_of(window[:, -1], generator.kind) if network.foreground else None
        frame, state = network.step(window, foreground, state)
        yield tensor_to_frames(frame.image[0])


def _map_windows(maps: ClipMaps, used: range, past_frames: int) -> Iterator[Tensor]:
    """Maps of each frame and the ones before it (the first frame's, repeated, before the video): `1 past+1 c h w`."""
    window: list[Tensor] = []
    for t in used:
        of_frame = maps_to_tensor(maps, [t])[0]
        window = [*(window or [of_frame] * past_frames), of_frame][-past_frames - 1 :]
        yield torch.stack(window)[None]
