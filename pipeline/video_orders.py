"""What a person wants made of which maps -> the videos to make, read and checked: for `python -m pipeline synthesize`.

Maps are those of a data set's clips, or plain files (map_files.py), of one video or of several.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from pipeline import arrays, layout, manifest
from pipeline.checkpoint import TrainedGenerator
from pipeline.errors import InputError
from pipeline.map_files import FOLDERS, MapFiles, is_video
from pipeline.maps import ClipMaps, MapFolders, MapKind, usable
from pipeline.progress import track
from pipeline.sources import image_files, rate
from pipeline.sources.frames import IMAGES, by_number
from pipeline.synthesis import FirstFrames, Video, given_by, require_kind

MODALITIES = ("segmentation", "instances", "edges", "pose")


@dataclass(frozen=True)
class Order:
    """As it was typed."""

    checkpoint: Path
    maps: Path
    clip: str | None
    out: Path
    lossless: Path | None
    image_generator: Path | None
    first_frames: Path | None
    frames_per_second: float | None
    device: str | None
    batch: int


@dataclass(frozen=True)
class Ordered:
    name: str
    video: Video
    size: tuple[int, int]
    """Height and width."""
    frames_per_second: str
    out: Path
    lossless: Path | None
    """Frames: an array file (.zip) or a folder of images."""


@dataclass(frozen=True)
class _Found:
    """Maps of one video; the frame rate where they say it."""

    name: str
    maps: MapFolders
    frames_per_second: str | None


def ordered(order: Order, generator: TrainedGenerator, unfinished: Path, min_pixels: int) -> list[Ordered]:
    """All videos; maps in plain files are stored in `unfinished`. InputError for the first thing that is wrong."""
    if order.batch < 1:
        raise InputError(f"--batch is {order.batch}: how many videos are made at once, 1 or more")
    if order.image_generator and order.first_frames:
        raise InputError("--image-generator and --first-frames: a video begins with the frames of one of them; leave one out")
    if order.frames_per_second is not None and not 0.01 <= order.frames_per_second <= 1000:
        raise InputError(f"--frames-per-second is {order.frames_per_second:g}: 0.01 to 1000 are possible")
    found, single = _found(order, generator.kind, unfinished, min_pixels)
    if not single and order.out.suffix.lower() == ".mp4":
        if len(found) > 1:
            raise InputError(
                f"--out: {order.out} is to be a folder, for {len(found)} videos: give a name without .mp4, or take one by --clip"
            )
        single = True
    return [_ordered(order, one, generator, single) for one in found]


def require_more_pixels(name: str, size: tuple[int, int], multiple: int, what: str) -> None:
    if min(size) <= multiple:
        raise InputError(f"{name}: frames are {_shown(size)}, too small: this {what} needs more than {multiple} pixels a side")


def _found(order: Order, kind: MapKind, unfinished: Path, min_pixels: int) -> tuple[list[_Found], bool]:
    """And whether it is one video alone, which gets the name that was asked for."""
    if not order.maps.is_dir():
        raise InputError(f"--maps: there is no folder {order.maps}")
    if order.clip:
        return [_of_clip(order.maps, order.clip)], True
    if layout.manifest(order.maps / "clips").is_file():
        clips = list(manifest.clips(order.maps / "clips", "test")["clip"])
        if not clips:
            raise InputError(f"--maps: {order.maps} has no test clips: name one of its clips by --clip")
        return [_of_clip(order.maps, clip) for clip in clips], False
    if is_video(order.maps):
        return [_of_files(order.maps.resolve(), kind, unfinished, min_pixels)], True
    folders = [folder for folder in sorted(order.maps.iterdir()) if folder.is_dir() and is_video(folder)]
    if not folders:
        raise InputError(
            f"--maps: {order.maps} is no data set's folder, has none of the folders {', '.join(FOLDERS)}, and no folder in it has one"
        )
    return [_of_files(folder, kind, unfinished, min_pixels) for folder in track(folders, "maps", len(folders))], False


def _of_clip(dataset: Path, clip: str) -> _Found:
    there = {name: dataset / name / clip for name in MODALITIES}
    maps = MapFolders(**{name: folder if layout.arrays(folder, name).is_file() else None for name, folder in there.items()})
    if not maps.files():
        raise InputError(f"--clip: {dataset} has no maps of a clip {clip}")
    real = layout.arrays(dataset / "clips" / clip, "frames")
    return _Found(clip, maps, arrays.reading(real).attributes["frames_per_second"] if real.is_file() else None)


def _of_files(folder: Path, kind: MapKind, unfinished: Path, min_pixels: int) -> _Found:
    files = MapFiles.of(folder)
    require_kind(files.kind(kind), kind, str(folder))
    stored = unfinished / "maps" / folder.name
    stored.mkdir(parents=True)
    return _Found(folder.name, files.store(stored, files.kind(kind), min_pixels), None)


def _ordered(order: Order, found: _Found, generator: TrainedGenerator, single: bool) -> Ordered:
    require_kind(MapKind.of(found.maps), generator.kind, found.name)
    maps = ClipMaps(found.maps, generator.kind)
    used = usable(found.maps, len(maps))
    if not used:
        raise InputError(f"{found.name}: no frame shows a face or person; there is nothing to synthesize")
    if order.frames_per_second is None and found.frames_per_second is None:
        raise InputError(f"{found.name}: its maps do not say how fast frames follow each other: give --frames-per-second")
    height, width = maps.picture(used.start).shape[:2]
    require_more_pixels(found.name, (height, width), generator.multiple, "generator")
    first = None
    if order.first_frames:
        first = _first_frames(order.first_frames if single else order.first_frames / found.name, used)
        _require_first_frames(first(generator.network.past_frames), (height, width), min(generator.network.past_frames, len(used)))
    return Ordered(
        found.name,
        Video(maps, used, first),
        (height, width),
        rate(order.frames_per_second) if order.frames_per_second is not None else str(found.frames_per_second),
        order.out if single else order.out / f"{found.name}.mp4",
        order.lossless if single or not order.lossless else order.lossless / found.name,
    )


def _first_frames(folder: Path, used: range) -> FirstFrames:
    """Of a clip of a data set, or the first images of a folder."""
    stored = layout.arrays(folder, "frames")
    if stored.is_file():
        return given_by(arrays.reading(stored)["rgb"], used)
    files = sorted((path.name for path in folder.glob("*") if path.suffix.lower() in IMAGES), key=by_number)
    if not files:
        raise InputError(f"--first-frames: there are no images in {folder}")

    def first(count: int) -> UInt8[np.ndarray, "t h w 3"]:
        return np.stack(list(image_files.sequence(folder, files[: min(count, len(used))])))

    return first


def _require_first_frames(frames: UInt8[np.ndarray, "t h w 3"], size: tuple[int, int], count: int) -> None:
    if len(frames) < count:
        raise InputError(f"--first-frames: there are {len(frames)}, this generator goes on from {count}")
    if frames.shape[1:3] != size:
        raise InputError(f"--first-frames: they are {_shown(frames.shape[1:3])}, the maps {_shown(size)}: both must be equal")


def _shown(size: tuple[int, ...]) -> str:
    return f"{size[1]}x{size[0]}"
