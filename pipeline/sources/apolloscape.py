"""ApolloScape's scene parsing data as its archives unpack: roadNN_ins and roadNN_seg with ColorImage and Label.

    road01_ins/ColorImage/Record001/Camera 5/170908_061502408_Camera_5.jpg
    road01_ins/Label/Record001/Camera 5/170908_061502408_Camera_5_bin.png, ..._instanceIds.png (in roadNN_ins)

A record seen by one camera is a sequence. Records with an even number are for testing, the others for training: the two cameras look
at the same street and stay together, and no record changes sides when more roads are unpacked.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import groupby, pairwise
from pathlib import Path
from statistics import median_low
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8, UInt16

from pipeline import palettes, params
from pipeline.errors import InputError
from pipeline.palettes import VOID
from pipeline.sources import Finding, Footage, Item, image_files, item_name

WIDTH, HEIGHT = 3384, 2710

IMAGE = re.compile(r"(?:.*/)?(road\d+_(?:ins|seg)/ColorImage)/(Record\d+)/(Camera (\d))/(\d{6})_(\d{9})_Camera_\4\.jpg")
TRUTH = re.compile(r"(?:.*/)?(road\d+_(?:ins|seg)/Label)/(Record\d+)/(Camera (\d))/(\d{6})_(\d{9})_Camera_\4_(bin|instanceIds)\.png")

PUBLISHED_IDS = (
    *((0,), (1,), (17,)),
    *((33, 161), (34, 162), (35, 163), (36, 164), (37, 165), (38, 166), (39, 167), (40, 168)),
    *((49,), (50,), (65,), (66,), (67,), (81,), (82,), (83,), (84,), (85,), (86,), (97,), (98,), (99,), (100,), (113,)),
)
"""Of each class of the palette, in its order: the class, then its groups."""

SINGLE_THINGS = range(33_000, 41_000)
"""Instance ids are 1000 * published class + n, counted anew in each frame; groups and stuff are no single objects."""


class Image(NamedTuple):
    part: str
    """"road01_ins"."""
    record: str
    camera: str
    day: str
    time: str
    """HHMMSS and milliseconds."""
    file: str

    @property
    def frame(self) -> tuple[str, ...]:
        return self[:5]

    @property
    def sequence(self) -> tuple[str, ...]:
        return self[:3]

    @property
    def milliseconds(self) -> int:
        """Right within a month; what is recorded later is far away in any case."""
        hours, minutes = int(self.time[:2]), int(self.time[2:4])
        return ((int(self.day) * 24 + hours) * 60 + minutes) * 60_000 + int(self.time[4:])


Truth = dict[tuple[str, ...], str]
"""Frame -> file."""


def items(source: params.Apolloscape, files: list[str]) -> list[Item]:
    labels, instances = truth(files, "bin"), truth(files, "instanceIds")
    palette = palettes.load("apolloscape").as_attributes()
    return [_item(source, sequence, labels, instances, palette) for sequence in sequences(images(files))]


def open_item(item: Item, root: Path) -> Footage:
    values = item.parameters
    return Footage(
        frames=image_files.frames(item, root, stored_labels, single_things),
        num_frames=values["num_frames"],
        test_from=0 if values["test"] else values["num_frames"],
        frames_per_second=values["frames_per_second"],
        palette=palettes.from_attributes(values["palette"]),
        shots=tuple(values["shots"]),
        instances_linked=False,
    )


def check(source: params.Apolloscape, files: Mapping[str, int], root: Path) -> list[Finding]:
    """What is there; of each sequence the first frame's header is read, no more. How many there should be was not published by road."""
    ordered, labels, instances = images(files), truth(files, "bin"), truth(files, "instanceIds")
    parts = sorted({image.part for image in ordered} | {frame[0] for frame in labels})
    findings = [finding for part in parts for finding in _check_part(part, ordered, labels, instances, files, root)]
    used = len(ordered) + len(labels) + len(instances)
    return [Finding("roads", len(parts)), *findings, Finding("other files, which are not used", len(files) - used)]


def images(files: Iterable[str]) -> list[Image]:
    """In the order of their times; what has another name is no frame."""
    found = (m for file in files if (m := IMAGE.fullmatch(file)))
    return sorted(Image(m[1].removesuffix("/ColorImage"), m[2], m[3], m[5], m[6], m[0]) for m in found)


def truth(files: Iterable[str], kind: str) -> Truth:
    found = (m for file in files if (m := TRUTH.fullmatch(file)) and m[7] == kind)
    return {(m[1].removesuffix("/Label"), m[2], m[3], m[5], m[6]): m[0] for m in found}


def sequences(ordered: list[Image]) -> list[list[Image]]:
    return [list(group) for _, group in groupby(ordered, key=lambda image: image.sequence)]


def is_for_testing(record: str) -> bool:
    return int(record.removeprefix("Record")) % 2 == 0


def _item(source: params.Apolloscape, sequence: list[Image], labels: Truth, instances: Truth, palette: dict[str, Any]) -> Item:
    truth = ([of.get(image.frame) for image in sequence] for of in (labels, instances))
    files, parameters = image_files.described([image.file for image in sequence], *truth)
    times = [image.milliseconds for image in sequence]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    parameters |= {
        "test": is_for_testing(sequence[0].record),
        "frames_per_second": _frames_per_second(gaps),
        "shots": [t + 1 for t, gap in enumerate(gaps) if gap > 1000 * source.longest_gap_seconds],
        "palette": palette,
    }
    return Item(item_name("/".join(sequence[0].sequence)), source.kind, files, parameters)


def _frames_per_second(gaps: list[int]) -> str:
    """By the usual gap in milliseconds: pictures are taken a metre apart, so the rate of the real street varies."""
    rate = Fraction(1000, max(1, median_low(gaps))) if gaps else Fraction(1)
    return f"{rate.numerator}/{rate.denominator}"


def stored_labels(ids: UInt8[np.ndarray, "h w"], where: str) -> UInt8[np.ndarray, "h w"]:
    """Published class ids as ids of the palette; 255 is void."""
    table = np.full(256, -1, np.int16)
    table[VOID] = VOID
    for id_, published in enumerate(PUBLISHED_IDS):
        table[list(published)] = id_
    stored = table[ids]
    if (stored < 0).any():
        y, x = np.argwhere(stored < 0)[0]
        raise InputError(f"{where}: class id {ids[y, x]} at x={x} y={y} is none of ApolloScape's scene parsing classes")
    return stored.astype(np.uint8)


def single_things(ids: UInt16[np.ndarray, "h w"]) -> UInt16[np.ndarray, "h w"]:
    return np.where((ids >= SINGLE_THINGS.start) & (ids < SINGLE_THINGS.stop), ids, 0).astype(np.uint16)


def _check_part(
    part: str, ordered: list[Image], labels: Truth, instances: Truth, files: Mapping[str, int], root: Path
) -> Iterator[Finding]:
    here = [image for image in ordered if image.part == part]
    found = sequences(here)
    for split, test in (("training", False), ("testing", True)):
        yield Finding(f"{part}: sequences for {split}", sum(is_for_testing(sequence[0].record) == test for sequence in found))
    strange = [file for file in files if f"/{part}/ColorImage/" in f"/{file}" and not IMAGE.fullmatch(file)]
    names = [image.file for image in here]
    yield Finding(
        f"{part}: frames", len(here), wrong=(*image_files.empty(names, files), *(f"{file}: is no frame by its name" for file in strange))
    )
    yield _check_truth(f"{part}: label images", here, _of(part, labels), files)
    if part.endswith("_ins"):
        yield _check_truth(f"{part}: instance images", here, _of(part, instances), files)
    sizes = (image_files.size_problem(root / sequence[0].file, WIDTH, HEIGHT) for sequence in found)
    yield Finding(f"{part}: first frames of sequences, by their headers", len(found), wrong=tuple(filter(None, sizes)))


def _of(part: str, found: Truth) -> Truth:
    return {frame: file for frame, file in found.items() if frame[0] == part}


def _check_truth(what: str, here: list[Image], there: Truth, files: Mapping[str, int]) -> Finding:
    frames = {image.frame for image in here}
    missing = [f"{image.file}: has none" for image in here if image.frame not in there]
    alone = [f"{file}: its frame is missing" for frame, file in there.items() if frame not in frames]
    return Finding(what, len(there), len(here), (*missing, *alone, *image_files.empty(there.values(), files)))
