"""Sequences of images with label and instance images of some frames. A file that is no such image becomes one sentence."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import Image

from pipeline.errors import InputError, is_machine_fault, one_line
from pipeline.sources import Item, SourceFrame

T = TypeVar("T")

StoredLabels = Callable[[UInt8[np.ndarray, "h w"], str], UInt8[np.ndarray, "h w"]]
"""Ids of a file, and its name for a sentence -> ids of the palette, 255 = void."""

SingleThings = Callable[[UInt16[np.ndarray, "h w"]], UInt16[np.ndarray, "h w"]]
"""Ids of a file -> one id a single thing, 0 = anything else."""


def described(frames: list[str], labels: list[str | None], instances: list[str | None]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Files and parameters of an item, from the files of each frame; instances without labels are left out: their classes are unknown."""
    labelled = [t for t, file in enumerate(labels) if file]
    with_instances = [t for t in labelled if instances[t]]
    truth = [*(labels[t] or "" for t in labelled), *(instances[t] or "" for t in with_instances)]
    return (*frames, *truth), {"num_frames": len(frames), "labelled": labelled, "with_instances": with_instances}


def frames(item: Item, root: Path, stored_labels: StoredLabels, single_things: SingleThings) -> Iterator[SourceFrame]:
    """Of an item that is `described`."""
    labelled, with_instances, end = item.parameters["labelled"], item.parameters["with_instances"], item.parameters["num_frames"]
    labels = dict(zip(labelled, item.files[end:], strict=False))
    instances = dict(zip(with_instances, item.files[end + len(labels) :], strict=True))
    for t, rgb in enumerate(sequence(root, item.files[:end])):
        label = stored_labels(label_ids(root / labels[t], rgb.shape), labels[t]) if t in labels else None
        instance = single_things(_instance_ids(root / instances[t], rgb.shape)) if t in instances else None
        yield SourceFrame(rgb, label, instance)


def empty(names: Iterable[str], files: Mapping[str, int]) -> Iterator[str]:
    """Sentences for `check`."""
    return (f"{name}: is empty" for name in names if files[name] == 0)


def sequence(root: Path, files: Iterable[str]) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Frames of one sequence, in RGB: all must have the size of the first."""
    size = None
    for file in files:
        rgb = read(root / file, lambda image: np.asarray(image.convert("RGB")))
        size = size or rgb.shape
        if rgb.shape != size:
            raise InputError(f"{file}: is {_size(rgb.shape)}, the sequence's first frame {_size(size)}: all must be equal")
        yield rgb


def label_ids(path: Path, frame_shape: tuple[int, ...]) -> UInt8[np.ndarray, "h w"]:
    """Grey values, or the indices of an image with a colour table."""
    return _ids(path, frame_shape, ("L", "P"), "a label image has one channel of 8 bits (ids)").astype(np.uint8)


def _instance_ids(path: Path, frame_shape: tuple[int, ...]) -> UInt16[np.ndarray, "h w"]:
    return _ids(path, frame_shape, ("I;16", "I;16B", "I"), "an instance image has one channel of 16 bits").astype(np.uint16)


def size_problem(path: Path, width: int | None = None, height: int | None = None) -> str:
    """Why an image cannot be read or has not this size, as far as its header tells; empty where it has."""
    try:
        found = read(path, lambda image: image.size, whole=False)
    except InputError as error:
        return str(error)
    return "" if (width or found[0], height or found[1]) == found else f"{path}: is {found[0]}x{found[1]}, not {width}x{height}"


def _ids(path: Path, frame_shape: tuple[int, ...], modes: tuple[str, ...], rule: str) -> np.ndarray:
    mode, ids = read(path, lambda image: (image.mode, np.asarray(image)))
    if mode not in modes:
        raise InputError(f"{path}: {rule}, this one has mode {mode}")
    if ids.shape != frame_shape[:2]:
        raise InputError(f"{path}: is {_size(ids.shape)}, its frame {_size(frame_shape)}")
    return ids


def read(path: Path, take: Callable[[Image.Image], T], *, whole: bool = True) -> T:
    """Takes something from an image; whatever its many decoders raise about damaged ones becomes one sentence."""
    try:
        with Image.open(path) as image:
            if whole:
                image.load()
            return take(image)
    except Exception as error:
        if is_machine_fault(error):
            raise
        raise InputError(f"{path}: is no readable image ({one_line(error)})") from None


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
