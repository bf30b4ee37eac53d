"""A trained generator and maps -> videos, beside the stages: `python -m pipeline synthesize`, for who only wants the result.

All is read and checked before the first frame is made. What is unfinished lies in a folder beside the result that is gone in the end;
videos appear under their names when they are whole. Those of one size are made side by side, as one batch of the network.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import count, groupby
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from pipeline import arrays, layout, params, pictures, progress, video
from pipeline.checkpoint import TrainedGenerator, TrainedImageGenerator
from pipeline.errors import InputError
from pipeline.overlap import behind
from pipeline.params_file import load
from pipeline.synthesis import Synthesis, drawn_by, require_kind
from pipeline.video_orders import Order, Ordered, ordered, require_more_pixels

Append = Callable[[UInt8[np.ndarray, "h w 3"]], None]


def run(order: Order) -> list[Path]:
    """The videos that were made. InputError for all that is wrong with what was given."""
    all_params = load(layout.PARAMS)
    min_pixels, crf = all_params.shared(params.Instances).min_pixels, all_params.shared(params.Synthesize).crf
    device = _settled(all_params.machine, order.device)
    generator = TrainedGenerator(_networks(order.checkpoint), device)
    parent = order.out.absolute().parent
    if not parent.is_dir():
        raise InputError(f"--out: there is no folder {parent}")
    with tempfile.TemporaryDirectory(prefix=f".{order.out.name}.", dir=parent) as name:
        unfinished = Path(name)
        videos = ordered(order, generator, unfinished, min_pixels)
        if order.image_generator:
            videos = _drawn(videos, order.image_generator, generator, device)
        _require_places(videos)
        with progress.bar("synthesize", sum(len(one.video) for one in videos)) as bar:
            for batch in _batches(videos, 1 if _mixes(generator) else order.batch):
                _make(batch, generator, device, unfinished, crf, bar)
    return [one.out for one in videos]


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
    """Files are replaced, folders are not: there may be something else in them."""
    for one in videos:
        if one.out.is_dir():
            raise InputError(f"--out: {one.out} is a folder, where the video of {one.name} is to be a file: give another name")
        if one.lossless and one.lossless.is_dir():
            raise InputError(f"--lossless: {one.lossless} is there already: remove it, or give another name")


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


def _make(batch: list[Ordered], generator: TrainedGenerator, device: str, unfinished: Path, crf: int, bar: progress.Bar) -> None:
    videos = unfinished / "videos"
    videos.mkdir(exist_ok=True)
    with ExitStack() as stack:
        files = [stack.enter_context(_writing(one, videos, crf)) for one in batch]
        for made in Synthesis(generator, [one.video for one in batch], device).frames(0, None):
            for append, rgb in zip(files, made.rgb, strict=False):  # the shorter ones have ended
                append(rgb)
                bar.advance("")
    for one in batch:
        for written, place in ((_video(one, videos), one.out), (_frames(one, videos), one.lossless)):
            if place:
                place.parent.mkdir(parents=True, exist_ok=True)
                written.replace(place)


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
