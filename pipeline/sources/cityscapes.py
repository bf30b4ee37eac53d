"""Cityscapes as its zips unpack: leftImg8bit_sequence, gtFine and the three long videos of leftImg8bit/demoVideo.

A snippet has 30 frames; the 20th has labels and instances. In some cities a sequence number stands for a long recording in which
the frame number counts on, so a snippet is a run of consecutive frame numbers; of the published ones no two touch. `train` is for
training, `val` and the demo videos are for testing; `test`, which has no labels, is left out.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt16

from pipeline import palettes, params
from pipeline.sources import Finding, Footage, Item, image_files, item_name

SNIPPET = 30
ANNOTATED = 19
"""Index in its snippet of the frame that has labels."""
FRAMES_PER_SECOND = "17/1"
WIDTH, HEIGHT = 2048, 1024
SMALLEST_INSTANCE = 1000
"""Instance ids are 1000 * class + n for single things, and below it the class itself, for stuff and for groups."""

TRAIN, VAL, DEMO = "leftImg8bit_sequence/train", "leftImg8bit_sequence/val", "leftImg8bit/demoVideo"
IMAGE = re.compile(rf"(?:.*/)?({TRAIN}|{VAL}|{DEMO})/(\w+)/\2_(\d{{6}})_(\d{{6}})_leftImg8bit\.png")
TRUTH = re.compile(r"(?:.*/)?gtFine/(?:train|val)/(\w+)/\1_(\d{6})_(\d{6})_gtFine_(labelIds|instanceIds)\.png")

SNIPPETS = {
    TRAIN: {
        **{"aachen": 174, "bochum": 96, "bremen": 316, "cologne": 154, "darmstadt": 85, "dusseldorf": 221, "erfurt": 109, "hamburg": 248},
        **{"hanover": 196, "jena": 119, "krefeld": 99, "monchengladbach": 94, "strasbourg": 365, "stuttgart": 196, "tubingen": 144},
        **{"ulm": 95, "weimar": 142, "zurich": 122},
    },
    VAL: {"frankfurt": 267, "lindau": 59, "munster": 174},
}
"""By city."""
DEMO_FRAMES = {"stuttgart_00": 599, "stuttgart_01": 1100, "stuttgart_02": 1200}


class Image(NamedTuple):
    part: str
    city: str
    sequence: str
    number: int
    file: str

    @property
    def frame(self) -> tuple[str, str, int]:
        return self.city, self.sequence, self.number

    @property
    def name(self) -> str:
        return f"{self.city}_{self.sequence}_{self.number:06d}"


Truth = dict[tuple[str, str, int], str]
"""Frame -> file."""


def items(source: params.Cityscapes, files: list[str]) -> list[Item]:
    labels, instances = truth(files, "labelIds"), truth(files, "instanceIds")
    palette = palettes.load("cityscapes").as_attributes()
    return [_item(source, run, labels, instances, palette) for run in runs(images(files))]


def open_item(item: Item, root: Path) -> Footage:
    num_frames, palette = item.parameters["num_frames"], palettes.from_attributes(item.parameters["palette"])
    return Footage(
        frames=image_files.frames(item, root, palette.store_labels, single_things),
        num_frames=num_frames,
        test_from=0 if item.parameters["test"] else num_frames,
        frames_per_second=FRAMES_PER_SECOND,
        palette=palette,
    )


def check(source: params.Cityscapes, files: Mapping[str, int], root: Path) -> list[Finding]:
    """What is there against what is published. Of each snippet and demo video the first frame's header is read, no more."""
    found = runs(images(files))
    findings = [finding for part in SNIPPETS for finding in _check_part(part, [run for run in found if run[0].part == part], files, root)]
    for city, expected in DEMO_FRAMES.items():
        findings.append(_check_demo(city, expected, [run for run in found if (run[0].part, run[0].city) == (DEMO, city)], files, root))
    used = sum(map(len, found)) + len(truth(files, "labelIds")) + len(truth(files, "instanceIds"))
    return [*findings, Finding("other files, which are not used", len(files) - used)]


def images(files: Iterable[str]) -> list[Image]:
    """In their order; what has another name is no frame."""
    return sorted(Image(m[1], m[2], m[3], int(m[4]), file) for file in files if (m := IMAGE.fullmatch(file)))


def truth(files: Iterable[str], kind: str) -> Truth:
    return {(m[1], m[2], int(m[3])): file for file in files if (m := TRUTH.fullmatch(file)) and m[4] == kind}


def runs(ordered: list[Image]) -> list[list[Image]]:
    """Images of consecutive frame numbers."""
    found = [ordered[:1]] if ordered else []
    for before, image in pairwise(ordered):
        if (image[:3], image.number) == (before[:3], before.number + 1):
            found[-1].append(image)
        else:
            found.append([image])
    return found


def _item(source: params.Cityscapes, run: list[Image], labels: Truth, instances: Truth, palette: dict[str, Any]) -> Item:
    frames = [image.file for image in run]
    if problem := _snippet_problem(run):
        return Item(item_name(run[0].name), source.kind, tuple(frames), {}, problem)
    truth = ([of.get(image.frame) for image in run] for of in (labels, instances))
    files, parameters = image_files.described(frames, *truth)
    return Item(item_name(_called(run)), source.kind, files, {**parameters, "test": run[0].part != TRAIN, "palette": palette})


def _called(run: list[Image]) -> str:
    """A snippet is called by its annotated frame, as its labels are."""
    return run[0 if run[0].part == DEMO else ANNOTATED].name


def _snippet_problem(run: list[Image]) -> str:
    if run[0].part == DEMO or len(run) == SNIPPET:
        return ""
    count = f"{len(run)} frame{'s' if len(run) > 1 else ''}"
    return f"{run[0].file} .. {run[-1].number:06d}: {count} with consecutive numbers, a snippet has {SNIPPET}: unpack its city again"


def single_things(ids: UInt16[np.ndarray, "h w"]) -> UInt16[np.ndarray, "h w"]:
    return np.where(ids >= SMALLEST_INSTANCE, ids, 0).astype(np.uint16)


def _check_part(part: str, found: list[list[Image]], files: Mapping[str, int], root: Path) -> list[Finding]:
    whole = [run for run in found if not _snippet_problem(run)]
    broken = [problem for run in found if (problem := _snippet_problem(run))]
    names = [image.file for run in found for image in run]
    strange = [file for file in files if f"/{part}/" in f"/{file}" and not IMAGE.fullmatch(file)]
    cities, expected = {run[0].city for run in found}, SNIPPETS[part]
    labels = part.replace("leftImg8bit_sequence", "gtFine")
    here = {file: size for file, size in files.items() if f"/{labels}/" in f"/{file}"}
    return [
        Finding(f"{part}: cities", len(cities), len(expected), tuple(f"{city}: is missing" for city in expected if city not in cities)),
        Finding(
            f"{part}: snippets of {SNIPPET} frames", len(whole), sum(expected.values()), (*broken, *_short_of(whole, cities, expected))
        ),
        Finding(f"{part}: frames", len(names), SNIPPET * sum(expected.values()), (*image_files.empty(names, files), *_strange(strange))),
        *(_check_truth(labels, kind, whole, truth(here, kind), files) for kind in ("labelIds", "instanceIds")),
        Finding(f"{part}: first frames of snippets, by their headers", len(found), wrong=_of_another_size(found, root)),
    ]


def _short_of(whole: list[list[Image]], cities: set[str], expected: dict[str, int]) -> Iterator[str]:
    """Cities of which only some snippets are there, or more than there are."""
    for city in sorted(cities):
        count = sum(run[0].city == city for run in whole)
        if count != expected.get(city, 0):
            yield f"{city}: {count} snippets, {expected.get(city, 0)} are published"


def _check_truth(folder: str, kind: str, whole: list[list[Image]], there: Truth, files: Mapping[str, int]) -> Finding:
    annotated = {run[ANNOTATED].frame: run[ANNOTATED].name for run in whole}
    missing = [f"{name}_gtFine_{kind}.png: is missing" for frame, name in annotated.items() if frame not in there]
    alone = [f"{file}: its snippet is missing" for frame, file in there.items() if frame not in annotated]
    expected = sum(SNIPPETS[folder.replace("gtFine", "leftImg8bit_sequence")].values())
    return Finding(f"{folder}: {kind}", len(there), expected, (*missing, *alone, *image_files.empty(there.values(), files)))


def _check_demo(city: str, expected: int, found: list[list[Image]], files: Mapping[str, int], root: Path) -> Finding:
    names = [image.file for run in found for image in run]
    gaps = [f"{later[0].file}: does not follow {earlier[-1].number:06d}" for earlier, later in pairwise(found)]
    return Finding(
        f"{DEMO}/{city}: frames", len(names), expected, (*gaps, *image_files.empty(names, files), *_of_another_size(found, root))
    )


def _of_another_size(found: list[list[Image]], root: Path) -> tuple[str, ...]:
    problems = (image_files.size_problem(root / run[0].file, WIDTH, HEIGHT) for run in found)
    return tuple(filter(None, problems))


def _strange(names: Iterable[str]) -> Iterator[str]:
    return (f"{name}: is not named CITY_SSSSSS_FFFFFF_leftImg8bit.png" for name in names)
