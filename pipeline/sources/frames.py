"""Folders of images, one folder a sequence, with label images of some or all frames."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import UInt8

from pipeline import palettes, params, scenes, splits
from pipeline.errors import InputError
from pipeline.sources import Finding, Footage, Item, SourceFrame, image_files, item_name, rate

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
    folders = sorted({**images, **labels})
    split_of = splits.read(source, folders) if source.splits else {}
    return [
        _item(source, folder, images.get(folder, []), labels.get(folder, []), palette, split_of.get(folder))
        for folder in folders
        if split_of.get(folder) != "none"
    ]


def open_item(item: Item, root: Path) -> Footage:
    values = item.parameters
    return Footage(
        frames=_frames(item, root),
        num_frames=values["num_frames"],
        test_from=values["test_from"],
        frames_per_second=values["frames_per_second"],
        palette=palettes.from_attributes(values["palette"]) if values["palette"] else None,
        shots=scenes.shots(_all_rgb(item, root), values["scene_threshold"]) if values["scene_threshold"] else (),
    )


def check(source: params.Frames, files: Mapping[str, int], root: Path) -> list[Finding]:
    """Pairs by their names; the size of each sequence's first frame, by its header."""
    images, labels = (_by_folder(list(files), below) if below is not None else {} for below in (source.frames, source.labels))
    empty = [sentence for group in (images, labels) for folder in group.values() for sentence in image_files.empty(folder, files)]
    sizes = [problem for folder in images.values() if (problem := image_files.size_problem(root / folder[0])) and files[folder[0]]]
    return [
        Finding(f"{source.frames}: frames", sum(map(len, images.values())), wrong=(*empty, *sizes)),
        Finding(f"{source.labels}: label images", sum(map(len, labels.values()))),
    ]


def _item(
    source: params.Frames, folder: str, images: list[str], labels: list[str], palette: dict[str, Any] | None, split: str | None
) -> Item:
    name = item_name(folder if folder != "." else PurePosixPath(source.frames).name or Path(source.path).name)
    order = sorted(images, key=by_number)[:: source.take_every]
    all_test, test_frames = (
        split == "test" or (split is None and folder in source.test_sequences),
        source.test_frames if split is None else 0,
    )
    problem = splits.problem(source, folder, split) or _problem(source, folder, images, labels)
    if not problem and not all_test and len(order) < test_frames:
        problem = f"has {len(order)} frames, source.test_frames asks for {test_frames}"
    if problem:
        return Item(name, source.kind, (*images, *labels), {}, problem)
    numbers = {_stem(image): number for number, image in enumerate(order)}
    taken = sorted((label for label in labels if _stem(label) in numbers), key=_stem)
    parameters = {
        "num_frames": len(order),
        "test_from": 0 if all_test else len(order) - test_frames,
        "frames_per_second": rate(source.frames_per_second),
        "scene_threshold": source.scene_threshold,
        "palette": palette,
        "label_of": [numbers[_stem(label)] for label in taken],
    }
    return Item(name, source.kind, (*order, *taken), parameters)


def _stem(file: str) -> str:
    return PurePosixPath(file).stem


def by_number(file: str) -> list[tuple[int, str]]:
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
    return ""


def _frames(item: Item, root: Path) -> Iterator[SourceFrame]:
    labels = dict(zip(item.parameters["label_of"], item.files[item.parameters["num_frames"] :], strict=True))
    palette = palettes.from_attributes(item.parameters["palette"]) if labels else None
    for t, rgb in enumerate(_all_rgb(item, root)):
        label = palette.store_labels(image_files.label_ids(root / labels[t], rgb.shape), labels[t]) if palette and t in labels else None
        yield SourceFrame(rgb, label)


def _all_rgb(item: Item, root: Path) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    return image_files.sequence(root, item.files[: item.parameters["num_frames"]])
