"""A trained generator and maps -> videos, beside the stages: `python -m pipeline synthesize`, for who only wants the result.

All is read and checked before the first frame is made. What is unfinished lies in a folder beside the result, named by what was ordered:
the same order goes on there after a kill, and the folder is gone in the end. Videos appear under their names when they are whole. Those of
one size are made side by side, as one batch of the network.
"""

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from itertools import count, groupby
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from models.video_generator import State
from pipeline import arrays, layout, params, pictures, progress, video
from pipeline.checkpoint import TrainedGenerator, TrainedImageGenerator
from pipeline.errors import InputError
from pipeline.frame_parts import FrameParts
from pipeline.overlap import ahead, behind
from pipeline.params_file import load
from pipeline.store import key_of
from pipeline.synthesis import Synthesis, drawn_by, require_kind
from pipeline.video_orders import MODALITIES, Order, Ordered, ordered, require_more_pixels

Append = Callable[[UInt8[np.ndarray, "h w 3"]], None]


def run(order: Order) -> list[Path]:
    """The videos that were made. InputError for all that is wrong with what was given."""
    all_params = load(layout.PARAMS)
    min_pixels, p = all_params.shared(params.Instances).min_pixels, all_params.shared(params.Synthesize)
    device = _settled(all_params.machine, order.device)
    _require_out(order)
    generator = TrainedGenerator(_networks(order.checkpoint), device)
    said = {"min_pixels": min_pixels, "p": p.model_dump(), "device": device, "threads": all_params.machine.threads}
    with _unfinished(order, said) as unfinished:
        videos = ordered(order, generator, unfinished, min_pixels)
        if order.image_generator:
            videos = _drawn(videos, order.image_generator, generator, device)
        _require_places(videos)
        with progress.bar("synthesize", sum(len(one.video) for one in videos)) as bar:
            for batch in _batches(videos, 1 if _mixes(generator) else order.batch):
                _make(batch, generator, device, unfinished, p, bar)
    return [one.out for one in videos]


@contextmanager
def _unfinished(order: Order, said: dict[str, object]) -> Iterator[Path]:
    """A folder for what is made. Where the run ends early it stays, if there are finished frames in it for the same order to go on from."""
    folder = order.out.with_name(f"{order.out.name}.unfinished-{key_of({**said, 'ordered': _identity(order)})[:12]}")
    if folder.is_dir():
        progress.say(f"synthesize: goes on in {folder}")
        for made_again in ("maps", "videos"):
            shutil.rmtree(folder / made_again, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    try:
        yield folder
    except BaseException:
        if any(folder.glob(f"parts/*/{layout.unfinished_video(folder).name}")):
            progress.say(f"synthesize: what is finished lies in {folder}; the same command goes on there")
        else:
            shutil.rmtree(folder)
        raise
    shutil.rmtree(folder)


def _identity(order: Order) -> list[object]:
    """Of all that decides frames: what was typed, and which files lie there."""
    maps = [order.maps]
    if layout.manifest(order.maps / "clips").is_file():
        maps = [order.maps / name for name in ("clips", *MODALITIES)]
    folders = [_networks(order.checkpoint), *maps, order.image_generator, order.first_frames]
    files = [path for folder in folders if folder for path in sorted(folder.rglob("*")) if path.is_file()]
    states = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return [{name: str(value) for name, value in asdict(order).items() if name not in ("out", "lossless")}, states]


def _require_out(order: Order) -> None:
    parent = order.out.absolute().parent
    if not parent.is_dir():
        raise InputError(f"--out: there is no folder {parent}")
    if order.lossless and order.lossless.resolve() == order.out.resolve():
        raise InputError(f"--lossless: {order.lossless} is --out, too: give the frames another name")


def _settled(machine: params.Machine, wanted: str | None) -> str:
    device = wanted or machine.device
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("the device is cuda, but torch finds no GPU with a working driver here: take --device cpu")
    torch.set_num_threads(machine.threads)
    torch.use_deterministic_algorithms(device == "cpu")
    return device


def _networks(checkpoint: Path) -> Path:
    """A training's output, or the networks in it."""
    inside = layout.networks(checkpoint)
    return inside if inside.is_dir() else checkpoint


def _drawn(videos: list[Ordered], checkpoint: Path, generator: TrainedGenerator, device: str) -> list[Ordered]:
    """The same videos, which begin with the frames of an image generator."""
    drawing = TrainedImageGenerator(_networks(checkpoint), device)
    require_kind(generator.kind, drawing.kind, "--checkpoint", "the image generator")
    for one in videos:
        require_more_pixels(one.name, one.size, drawing.multiple, "image generator")
    begun = [replace(one.video, first=drawn_by(drawing, one.video.maps, one.video.used, device)) for one in videos]
    return [replace(one, video=video) for one, video in zip(videos, begun, strict=True)]


def _require_places(videos: list[Ordered]) -> None:
    """Files are replaced by files, folders are not replaced: there may be something else in them."""
    for one in videos:
        if one.out.is_dir():
            raise InputError(f"--out: {one.out} is a folder, where the video of {one.name} is to be a file: give another name")
        if one.lossless and one.lossless.is_dir():
            raise InputError(f"--lossless: {one.lossless} is there already: remove it, or give another name")
        if one.lossless and one.lossless.is_file() and one.lossless.suffix != ".zip":
            raise InputError(f"--lossless: {one.lossless} is a file, where a folder of images is to be: give another name, or one in .zip")
        for option, place in (("--out", one.out), ("--lossless", one.lossless)):
            if place and place.parent.is_file():
                raise InputError(f"{option}: {place.parent} is a file, where a folder for {place.name} is to be: give another name")


def _mixes(generator: TrainedGenerator) -> bool:
    """Batch norm has statistics of all videos of a batch."""
    return any(isinstance(layer, torch.nn.BatchNorm2d) for layer in generator.network.modules())


def _batches(videos: list[Ordered], size: int) -> Iterator[list[Ordered]]:
    """Of one size each, the longest first: so they end at about the same time."""
    for _, group in groupby(sorted(videos, key=_size), _size):
        longest_first = sorted(group, key=lambda one: -len(one.video))
        for first in range(0, len(longest_first), size):
            yield longest_first[first : first + size]


def _size(one: Ordered) -> tuple[int, int]:
    return one.size


def _make(
    batch: list[Ordered], generator: TrainedGenerator, device: str, unfinished: Path, p: params.Synthesize, bar: progress.Bar
) -> None:
    videos = unfinished / "videos"
    videos.mkdir(exist_ok=True)
    parts = _parts(batch, unfinished / "parts", p.part_frames)
    with ExitStack() as stack:
        files = [stack.enter_context(_writing(one, videos, p.crf)) for one in batch]
        for part in parts:
            stack.enter_context(part)
        for append, part in zip(files, parts, strict=True):
            for rgb in ahead(part.frames()):
                append(rgb)
                bar.advance("")
        for made in Synthesis(generator, [one.video for one in batch], device).frames(parts[0].done, _state(batch, parts)):
            done, going_on = parts[0].done, len(made.rgb)
            for number in range(going_on):
                append, part = files[number], parts[number]
                part.keep(made.of(number))
                append(made.rgb[number])
                bar.advance("")
            if parts[0].done > done:
                for ended in parts[going_on:]:  # with the longest one's part: all are always as far
                    ended.end_part()
    for one in batch:
        for written, place in ((_video(one, videos), one.out), (_frames(one, videos), one.lossless)):
            if place:
                _deliver(written, place)


def _parts(batch: list[Ordered], folder: Path, part_frames: int) -> list[FrameParts]:
    """Of each video what is done: all are as far as the longest, or whole. A kill between two of them costs the batch."""
    works = [folder / one.name for one in batch]
    parts = [FrameParts(work, part_frames) for work in works]
    if any(part.done != min(parts[0].done, len(one.video)) for one, part in zip(batch, parts, strict=True)):
        for work in works:
            shutil.rmtree(work, ignore_errors=True)
    for work in works:
        work.mkdir(parents=True, exist_ok=True)
    return [FrameParts(work, part_frames) for work in works]


def _state(batch: list[Ordered], parts: list[FrameParts]) -> State | None:
    """What the next frames of those that have one build on."""
    states = [part.state for one, part in zip(batch, parts, strict=True) if part.done < len(one.video)]
    if not states or states[0] is None:
        return None
    pasts = [state.past for state in states if state and state.past is not None]
    return State(tuple(map(torch.cat, zip(*pasts, strict=True))) if pasts else None)


def _deliver(written: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        written.replace(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = place.with_name(f"{place.name}.unfinished")  # on the place's own file system
        shutil.move(written, beside)
        beside.replace(place)


def _video(one: Ordered, folder: Path) -> Path:
    return folder / f"{one.name}.mp4"


def _frames(one: Ordered, folder: Path) -> Path:
    return folder / f"{one.name}{'.zip' if one.lossless and one.lossless.suffix == '.zip' else '.frames'}"


@contextmanager
def _writing(one: Ordered, folder: Path, crf: int) -> Iterator[Append]:
    """What appends a frame to all that is written of a video."""
    with ExitStack() as stack:
        encode = stack.enter_context(video.writing_mp4(_video(one, folder), one.frames_per_second, crf))
        files = [stack.enter_context(behind(encode))]
        if one.lossless:
            files.append(stack.enter_context(_writing_frames(_frames(one, folder), one)))

        def append(rgb: UInt8[np.ndarray, "h w 3"]) -> None:
            for file in files:
                file(rgb)

        yield append


@contextmanager
def _writing_frames(path: Path, one: Ordered) -> Iterator[Append]:
    if path.suffix == ".zip":
        about = {"clip": one.name, "frames_per_second": one.frames_per_second}
        with arrays.writing(path, about) as writer, behind(writer.append) as append:
            yield lambda rgb: append("rgb", rgb)
        return
    path.mkdir()
    numbers = count()
    with behind(pictures.save) as save:
        yield lambda rgb: save(path / f"{next(numbers):06d}.png", rgb)
