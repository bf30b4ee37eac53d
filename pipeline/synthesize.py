"""Networks and maps -> video: frames.zip (lossless) and video.mp4 of each test clip, from its maps and nothing else.

With `first_frame: given`, its first frames are the clip's own. Of a clip with frames that show no face or person, its longest part
without them; of one that has no such part, nothing.
"""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline import arrays, layout, params, video
from pipeline.checkpoint import TrainedGenerator, TrainedImageGenerator
from pipeline.errors import InputError
from pipeline.frame_parts import FrameParts
from pipeline.maps import ClipMaps, MapFolders, MapKind, usable
from pipeline.overlap import ahead, behind
from pipeline.synthesis import Synthesis, Video, drawn_by, given_by, require_kind


def run_clip(
    clips: Path,
    segmentation: Path | None,
    instances: Path | None,
    pose: Path | None,
    edges: Path | None,
    train: Path,
    train_image_generator: Path,
    out: Path,
    work: Path,
    p: params.Synthesize,
    made_by: dict[str, Any],
    device: str,
) -> None:
    """`clips` gives the frame rate, and the first frames where they are given."""
    generator, folders = _generator(train, device), MapFolders(segmentation, instances, edges, pose)
    found = _video(generator, folders, clips)
    begins: dict[str, Any] = {"begins_with": p.first_frame, "given_frames": 0}
    if p.first_frame == "given":
        real = arrays.reading(layout.arrays(clips, "frames"))["rgb"]
        found = replace(found, first=given_by(real, found.used))
        begins["given_frames"] = min(generator.network.past_frames, len(found.used))
    elif p.first_frame == "image_generator":
        drawing = _image_generator(train_image_generator, device)
        require_kind(generator.kind, drawing.kind, str(clips), "the image generator")
        found = replace(found, first=drawn_by(drawing, found.maps, found.used, device))
    _write(generator, found, clips, out, work, p, {**made_by, **begins}, device)


def run_clip_per_frame(
    clips: Path,
    segmentation: Path | None,
    instances: Path | None,
    pose: Path | None,
    edges: Path | None,
    train_per_frame: Path,
    out: Path,
    work: Path,
    p: params.Synthesize,
    made_by: dict[str, Any],
    device: str,
) -> None:
    """The same by the generator without the past, which makes every frame as it makes the first; nothing where that was not trained."""
    if layout.networks(train_per_frame).is_dir():
        generator, folders = _generator(train_per_frame, device), MapFolders(segmentation, instances, edges, pose)
        _write(generator, _video(generator, folders, clips), clips, out, work, p, made_by, device)


def _video(generator: TrainedGenerator, folders: MapFolders, clips: Path) -> Video:
    require_kind(MapKind.of(folders), generator.kind, str(clips))
    maps = ClipMaps(folders, generator.kind)
    return Video(maps, usable(folders, len(maps)), first=None)


def _write(
    generator: TrainedGenerator,
    found: Video,
    clips: Path,
    out: Path,
    work: Path,
    p: params.Synthesize,
    attributes: dict[str, Any],
    device: str,
) -> None:
    """Frames go to their part and to the mp4 as they are made. A run that goes on gives the mp4 the finished parts' frames first."""
    if not found.used:
        return
    real = arrays.reading(layout.arrays(clips, "frames")).attributes
    synthesis, parts = Synthesis(generator, [found], device), FrameParts(work, p.part_frames)
    with parts, video.writing_mp4(layout.video(out), real["frames_per_second"], p.crf) as encode, behind(encode) as show:
        for rgb in ahead(parts.frames()):
            show(rgb)
        for made in synthesis.frames(parts.done, parts.state):
            parts.keep(made)
            show(made.rgb[0])
    kept = {name: real[name] for name in ("clip", "sequence", "split", "frames_per_second")}
    parts.join(layout.arrays(out, "frames"), {**attributes, **kept, "first_frame": real["first_frame"] + found.used.start})


def _generator(train: Path, device: str) -> TrainedGenerator:
    """Loaded once in each worker."""
    folder = layout.networks(train)
    return _loaded(folder, folder.stat().st_ino, device)


def _image_generator(train_image_generator: Path, device: str) -> TrainedImageGenerator:
    folder = layout.networks(train_image_generator)
    if not folder.is_dir():
        raise InputError(f"synthesize.first_frame is image_generator, but {folder} is not there: train_image_generator.enabled is false")
    return _loaded_image_generator(folder, folder.stat().st_ino, device)


@lru_cache(maxsize=2)
def _loaded(folder: Path, inode: int, device: str) -> TrainedGenerator:
    return TrainedGenerator(folder, device)


@lru_cache(maxsize=1)
def _loaded_image_generator(folder: Path, inode: int, device: str) -> TrainedImageGenerator:
    return TrainedImageGenerator(folder, device)
