"""Folders of images, one folder a sequence, with label images of some or all frames."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from pipeline import palettes, params
from pipeline.errors import InputError, is_machine_fault, one_line
from pipeline.sources import Footage, Item, SourceFrame, item_name

T = TypeVar("T")

IMAGES = (".png", ".jpg", ".jpeg", ".ppm", ".bmp", ".tif", ".tiff", ".webp")


def items(source: params.Frames, files: list[str]) -> list[Item]:
    """One item for each folder of images; label images are matched by folder and file name without its ending."""
    if source.labels is not None and source.palette is None:
        raise InputError("source.labels is given without source.palette: name the palette of the label ids")
    images = _by_folder(files, source.frames)
    labels = _by_folder(files, source.labels) if source.labels is not None else {}
    for folder in source.test_sequences:
        if folder not in images:
            there = ", ".join(sorted(images)[:10])
            raise InputError(f"source.test_sequences: there is no folder {folder} in {source.frames}; there are {there}")
    palette = palettes.load(source.palette).as_attributes() if source.palette else None  # read once for thousands of sequences
    return [_item(source, folder, images.get(folder, []), labels.get(folder, []), palette) for folder in sorted({**images, **labels})]


def open_item(item: Item, root: Path) -> Footage:
    values = item.parameters
    return Footage(
        frames=_frames(item, root),
        num_frames=values["num_frames"],
        test_from=values["test_from"],
        frames_per_second=values["frames_per_second"],
        palette=palettes.from_attributes(values["palette"]) if values["palette"] else None,
    )


def _item(source: params.Frames, folder: str, images: list[str], labels: list[str], palette: dict[str, Any] | None) -> Item:
    name = item_name(folder if folder != "." else PurePosixPath(source.frames).name or Path(source.path).name)
    if problem := _problem(source, folder, images, labels):
        return Item(name, source.kind, (*images, *labels), {}, problem)
    order, stems = sorted(images, key=_by_number), sorted(map(_stem, labels))
    numbers = {_stem(image): number for number, image in enumerate(order)}
    parameters = {
        "num_frames": len(images),
        "test_from": 0 if folder in source.test_sequences else len(images) - source.test_frames,
        "frames_per_second": f"{source.frames_per_second}/1",
        "palette": palette,
        "label_of": [numbers[stem] for stem in stems],
    }
    return Item(name, source.kind, (*order, *sorted(labels, key=_stem)), parameters)


def _stem(file: str) -> str:
    return PurePosixPath(file).stem


def _by_number(file: str) -> list[tuple[int, str]]:
    """Frame 2 comes before frame 10, with or without leading zeros."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", _stem(file))]


def _by_folder(files: list[str], below: str) -> dict[str, list[str]]:
    """Folder (relative to `below`) -> paths of its images."""
    folders: dict[str, list[str]] = {}
    for file in files:
        path = PurePosixPath(file)
        if path.suffix.lower() in IMAGES and path.is_relative_to(below):
            folders.setdefault(path.parent.relative_to(below).as_posix(), []).append(file)
    return folders


def _problem(source: params.Frames, folder: str, images: list[str], labels: list[str]) -> str:
    """Why the frames and labels of one sequence do not fit together; empty where they do."""
    for group in (images, labels):
        known: dict[str, str] = {}
        for file in group:
            if (first := known.setdefault(_stem(file), file)) != file:
                return f"{first} and {file}: two images of one frame; keep one"
    if not images:
        return f"{source.labels}/{folder}: has labels but {source.frames}/{folder} has no frames"
    counts = f"({len(images)} frames, {len(labels)} label images in {folder})"
    frames_of, labels_of = set(map(_stem, images)), set(map(_stem, labels))
    for label in labels:
        if _stem(label) not in frames_of:
            return f"{label}: a label image without its frame {counts}"
    for image in images:
        if source.labels is not None and source.labels_cover == "all" and _stem(image) not in labels_of:
            return f"{image}: a frame without its label image {counts}; source.labels_cover: some allows it"
    if folder not in source.test_sequences and len(images) < source.test_frames:
        return f"has {len(images)} frames, source.test_frames asks for {source.test_frames}"
    return ""


def _frames(item: Item, root: Path) -> Iterator[SourceFrame]:
    num_frames = item.parameters["num_frames"]
    labels = dict(zip(item.parameters["label_of"], item.files[num_frames:], strict=True))
    palette = palettes.from_attributes(item.parameters["palette"]) if labels else None
    size = None
    for t, file in enumerate(item.files[:num_frames]):
        rgb = _read_rgb(root / file)
        size = size or rgb.shape
        if rgb.shape != size:
            raise InputError(f"{file}: is {_size(rgb.shape)}, the sequence's first frame {_size(size)}: all must be equal")
        label = palette.store_labels(_read_ids(root / labels[t], rgb.shape), labels[t]) if palette and t in labels else None
        yield SourceFrame(rgb, label)


def _read_rgb(path: Path) -> np.ndarray:
    return _read(path, lambda image: np.asarray(image.convert("RGB")))


def _read_ids(path: Path, frame_shape: tuple[int, ...]) -> np.ndarray:
    """Grey values, or the indices of an image with a colour table."""
    mode, ids = _read(path, lambda image: (image.mode, np.asarray(image)))
    if mode not in ("L", "P"):
        raise InputError(f"{path}: a label image has one channel of 8 bits (ids), this one has mode {mode}")
    if ids.shape != frame_shape[:2]:
        raise InputError(f"{path}: is {_size(ids.shape)}, its frame {_size(frame_shape)}")
    return ids


def _read(path: Path, take: Callable[[Image.Image], T]) -> T:
    """Takes something from an image; whatever its many decoders raise about damaged ones becomes one sentence."""
    try:
        with Image.open(path) as image:
            image.load()
            return take(image)
    except Exception as error:
        if is_machine_fault(error):
            raise
        raise InputError(f"{path}: is no readable image ({one_line(error)})") from None


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
