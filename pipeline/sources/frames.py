"""Folders of images, one folder a sequence, with label images of some or all frames."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from pipeline import palettes, params
from pipeline.errors import InputError
from pipeline.sources import Footage, Item, SourceFrame, item_name

IMAGES = (".png", ".jpg", ".jpeg", ".ppm", ".bmp", ".tif", ".tiff", ".webp")


def items(source: params.Frames, files: list[str]) -> list[Item]:
    """One item for each folder of images; label images are matched by folder and file name without its ending."""
    images = _by_folder(files, source.frames)
    labels = _by_folder(files, source.labels) if source.labels is not None else {}
    _check_sequences(source, images, labels)
    palette = palettes.load(source.palette).as_attributes() if source.palette else None  # read once for thousands of sequences
    return [_item(source, folder, images[folder], labels.get(folder, {}), palette) for folder in sorted(images)]


def open_item(item: Item, root: Path) -> Footage:
    values = item.parameters
    return Footage(
        frames=_frames(item, root),
        num_frames=values["num_frames"],
        test_from=values["test_from"],
        frames_per_second=values["frames_per_second"],
        palette=palettes.from_attributes(values["palette"]) if values["palette"] else None,
    )


def _item(source: params.Frames, folder: str, images: dict[str, str], labels: dict[str, str], palette: dict[str, Any] | None) -> Item:
    _check_labels(source, folder, images, labels)
    name = item_name(folder if folder != "." else PurePosixPath(source.frames).name or Path(source.path).name)
    test_from = 0 if folder in source.test_sequences else len(images) - source.test_frames
    if test_from < 0:
        raise InputError(f"{name}: has {len(images)} frames, source.test_frames asks for {source.test_frames}")
    order = sorted(images, key=_by_number)
    parameters = {
        "num_frames": len(images),
        "test_from": test_from,
        "frames_per_second": f"{source.frames_per_second}/1",
        "palette": palette,
        "label_of": [order.index(stem) for stem in sorted(labels)],
    }
    files = [images[stem] for stem in order] + [labels[stem] for stem in sorted(labels)]
    return Item(name, source.kind, tuple(files), parameters)


def _by_number(stem: str) -> list[tuple[int, str]]:
    """Frame 2 comes before frame 10, with or without leading zeros."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", stem)]


def _by_folder(files: list[str], below: str) -> dict[str, dict[str, str]]:
    """Folder (relative to `below`) -> file name without ending -> path."""
    folders: dict[str, dict[str, str]] = {}
    for file in files:
        path = PurePosixPath(file)
        if path.suffix.lower() in IMAGES and path.is_relative_to(below):
            stems = folders.setdefault(path.parent.relative_to(below).as_posix(), {})
            if path.stem in stems:
                raise InputError(f"{file} and {stems[path.stem]}: two images of one frame; keep one")
            stems[path.stem] = file
    return folders


def _check_sequences(source: params.Frames, images: dict[str, dict[str, str]], labels: dict[str, dict[str, str]]) -> None:
    if source.labels is not None and source.palette is None:
        raise InputError("source.labels is given without source.palette: name the palette of the label ids")
    for folder in source.test_sequences:
        if folder not in images:
            raise InputError(
                f"source.test_sequences: there is no folder {folder} in {source.frames}; there are {', '.join(sorted(images)[:10])}"
            )
    for folder in sorted(set(labels) - set(images)):
        raise InputError(f"{source.labels}/{folder}: has labels but {source.frames}/{folder} has no frames")


def _check_labels(source: params.Frames, folder: str, images: dict[str, str], labels: dict[str, str]) -> None:
    orphans = sorted(set(labels) - set(images))
    if orphans:
        raise InputError(
            f"{labels[orphans[0]]}: a label image without its frame ({len(images)} frames, {len(labels)} label images in {folder})"
        )
    bare = sorted(set(images) - set(labels))
    if source.labels is not None and source.labels_cover == "all" and bare:
        raise InputError(
            f"{images[bare[0]]}: a frame without its label image ({len(images)} frames, {len(labels)} label images in {folder}); "
            "source.labels_cover: some allows it"
        )


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
    with _opened(path) as image:
        return np.asarray(image.convert("RGB"))


def _read_ids(path: Path, frame_shape: tuple[int, ...]) -> np.ndarray:
    """Grey values, or the indices of an image with a colour table."""
    with _opened(path) as image:
        if image.mode not in ("L", "P"):
            raise InputError(f"{path}: a label image has one channel of 8 bits (ids), this one has mode {image.mode}")
        ids = np.asarray(image)
    if ids.shape != frame_shape[:2]:
        raise InputError(f"{path}: is {_size(ids.shape)}, its frame {_size(frame_shape)}")
    return ids


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            image.load()
            yield image
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: is no readable image ({error})") from None


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
