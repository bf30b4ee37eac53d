"""Sources: how Cityscapes, a folder of videos, ... become footage. One file each, named by `source.kind`.

A source module has
    items(source, files) -> list[Item]              what there is, from the file names of the scan alone
    open_item(item, root) -> Footage                its frames, read one by one
    check(source, files, root) -> list[Finding]     what is there against what should be, for `python -m pipeline check`
Everything that decides an item's content stands in `Item.files` and `Item.parameters`: they make its key.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8, UInt16

from pipeline import params
from pipeline.errors import InputError, shown
from pipeline.palettes import Palette

MOST_BYTES = 200
"""Of an item's name; a file's has at most 255, and its clips and pictures add to it."""


@dataclass(frozen=True)
class Item:
    """What is decoded in one go: a video, a folder of images, a rendered clip."""

    name: str
    """Letters, digits, `-`, `_` and `.`: it begins the names of its clips."""
    kind: str
    files: tuple[str, ...]
    """Below the source's path."""
    parameters: dict[str, Any]
    problem: str = ""
    """One sentence, where the file names alone tell that it cannot be opened: it fails by itself, and the others go on."""


@dataclass(frozen=True)
class SourceFrame:
    """A frame in the source's own size, and what truth there is about it."""

    rgb: UInt8[np.ndarray, "h w 3"]
    label: UInt8[np.ndarray, "h w"] | None = None
    instance: UInt16[np.ndarray, "h w"] | None = None
    optical_flow: dict[int, Float32[np.ndarray, "h w 2"]] = field(default_factory=dict)
    """By stride k: pixels (dx, dy) to the frame k earlier."""
    visible: dict[int, Bool[np.ndarray, "h w"]] = field(default_factory=dict)
    """By stride k: whether the point is seen in that frame."""
    landmarks: Float32[np.ndarray, "68 2"] | None = None
    """Of one face: x, y in pixels, whole numbers in the middle of a pixel; NaN = not found."""
    keypoints: Float32[np.ndarray, "person 137 3"] | None = None
    """x, y in pixels and score of each person's points, in the order of pose_points.py; score 0 = not found."""
    iuv: UInt8[np.ndarray, "h w 3"] | None = None
    """DensePose: part 0..24 (0 = nobody), U, V."""


@dataclass(frozen=True)
class Box:
    """A part of a picture, in pixels of the source."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Footage:
    frames: Iterator[SourceFrame]
    num_frames: int
    test_from: int
    """Frames from this one on are for testing: 0 = all, num_frames = none."""
    frames_per_second: str
    """A fraction such as 30000/1001."""
    palette: Palette | None
    """None where there are no labels."""
    shots: tuple[int, ...] = ()
    """Frames with which another shot begins: no clip goes across a change of scene."""
    instances_linked: bool = True
    """An instance id names one object through its clip; otherwise in its frame alone."""
    crop: Callable[[range], list[Box]] | None = None
    """What a clip of these frames shows of the picture in each, in one size; None = all that `clips` leaves. InputError where they do
    not show what they should, such as a face: the clip is left out and listed, the others go on. Of a source with true optical flow,
    which it would change, the box does not move."""


@dataclass(frozen=True)
class Finding:
    """A line of `python -m pipeline check`."""

    what: str
    """In the plural, with the folder: "leftImg8bit_sequence/train: frames"."""
    found: int
    expected: int | None = None
    """None = any number is right."""
    wrong: tuple[str, ...] = ()
    """What is missing, extra or of another size, by file name and reason; the first ten are shown."""


def check_source(source: params.Source, files: Mapping[str, int], root: Path) -> list[Finding]:
    """`files`: path below `root` -> bytes, of all files of the scan."""
    findings: list[Finding] = importlib.import_module(f"pipeline.sources.{source.kind}").check(source, files, root)
    return findings


def items_of(source: params.Source, files: list[str]) -> list[Item]:
    return importlib.import_module(f"pipeline.sources.{source.kind}").items(source, files)


def open_item(item: Item, root: Path) -> Footage:
    if item.problem:
        raise InputError(item.problem)
    return importlib.import_module(f"pipeline.sources.{item.kind}").open_item(item, root)


def item_name(path: str) -> str:
    """A file or folder name as the beginning of clip names."""
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in path.replace("/", "-"))
    if not name.strip("._-"):
        raise InputError(f"{path!r}: no letter or digit in its name to call its clips by")
    if len(name.encode()) > MOST_BYTES:
        raise InputError(f"{shown(path)}: its name is too long to call its clips by: at most {MOST_BYTES} bytes")
    return name.lstrip(".-")


def rate(frames_per_second: float) -> str:
    """As a fraction such as 30000/1001."""
    found = Fraction(frames_per_second).limit_denominator(1001)
    return f"{found.numerator}/{found.denominator}"
