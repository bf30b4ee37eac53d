"""Ids through clips of the built-in street, whose instances are known: linking alone, components, and masks as a network draws them.

IDF1 and switches by motmetrics: an object is found where its intersection over union with a true one is at least one half.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import motmetrics
import numpy as np

from benchmarks.extraction import Row
from pipeline import palettes, street_world
from pipeline.extractors.instances import Found, Thing
from pipeline.extractors.optical_flow import opencv_dis
from pipeline.instances import Linking
from pipeline.masks import Mask, Rule, components
from pipeline.street_world import RenderedFrame

PALETTE = palettes.load("cityscapes_train")
SIZES = {(256, 128): 20, (512, 256): 80}
"""Width and height, and the fewest pixels of an object."""
SEEDS, FRAMES = (1, 2, 3), 60
NAMES = {11: "person", 13: "car"}
MISSED = 0.1

Find = Callable[[RenderedFrame, int, np.random.Generator], Found]


def rows(data: Path) -> list[Row]:
    return [row for width, height in SIZES for row in _of_size(width, height)]


def _of_size(width: int, height: int) -> Iterator[Row]:
    clips = [_clip(seed, width, height) for seed in SEEDS]
    finds: dict[str, Find] = {
        "truth, numbered anew in each frame": _truth,
        "truth, one in ten missing": lambda frame, least, random: _truth(frame, least, random, MISSED),
        "components": lambda frame, least, random: components(frame.label, PALETTE.things, least),
        "truth as masks of 28 x 28, one in ten missing; margin 4, rest components": lambda frame, least, random: Rule(
            PALETTE, least, 4, "components"
        ).found(_masks(frame, random), frame.label),
    }
    for name, find in finds.items():
        values = [_scores(clips, find, SIZES[width, height], memory) for memory in (10, 0)]
        street = f"{len(SEEDS)} street clips of {FRAMES} frames, {width}x{height}"
        yield Row("instances", name, street, "IDF1 / switches", values[0], f"without memory {values[1]}")


def _clip(seed: int, width: int, height: int) -> list[tuple[RenderedFrame, np.ndarray]]:
    """Frames and their measured motion to the one before."""
    frames = list(street_world.render(seed=seed, num_frames=FRAMES, width=width, height=height, strides=[1], approach=False))
    measure = opencv_dis.build("medium")
    still = np.zeros((1, height, width, 2), np.float32)
    motions = [still, *(measure(b.rgb[None], a.rgb[None]) for a, b in pairwise(frames))]
    return [(frame, motion[0]) for frame, motion in zip(frames, motions, strict=True)]


def _scores(clips: list[list[tuple[RenderedFrame, np.ndarray]]], find: Find, least: int, memory: int) -> str:
    compared = []
    for clip in clips:
        random, linking, one = np.random.default_rng(0), Linking(0.3, memory), motmetrics.MOTAccumulator(auto_id=True)
        for frame, motion in clip:
            ids = linking.next(find(frame, least, random), motion)
            one.update(*_distances(frame.instance, ids, least))
        compared.append(one)
    table = motmetrics.metrics.create().compute_many(compared, metrics=["idf1", "num_switches"], generate_overall=True).loc["OVERALL"]
    return f"{table.idf1:.3f} / {int(table.num_switches)}"


def _distances(true: np.ndarray, ids: np.ndarray, least: int) -> tuple[list[int], list[int], np.ndarray]:
    """1 - intersection over union; no number where it is less than one half."""
    objects, found = _large(true, least), _large(ids, 1)
    overlap = np.array([[((true == a) & (ids == b)).sum() / ((true == a) | (ids == b)).sum() for b in found] for a in objects])
    return objects, found, np.where(overlap >= 0.5, 1 - overlap, np.nan)


def _large(instance: np.ndarray, least: int) -> list[int]:
    ids, sizes = np.unique(instance, return_counts=True)
    return [int(id_) for id_, size in zip(ids, sizes, strict=True) if id_ and size >= least]


def _truth(frame: RenderedFrame, least: int, random: np.random.Generator, missed: float = 0.0) -> Found:
    instance, things = np.zeros_like(frame.instance), {}
    for number, id_ in enumerate(random.permutation(_large(frame.instance, least)).tolist(), start=1):
        if random.random() >= missed:
            instance[frame.instance == id_] = number
            things[number] = Thing(int(np.bincount(frame.label[frame.instance == id_]).argmax()), 1.0)
    return Found(instance, things, linked=False)


def _masks(frame: RenderedFrame, random: np.random.Generator) -> Iterator[Mask]:
    """Each object's box, some pixels off, holds a blurred square that is enlarged again."""
    for id_ in _large(frame.instance, 40):
        true = frame.instance == id_
        y, x = np.nonzero(true)
        top, left = np.maximum(np.array([y.min(), x.min()]) + random.integers(-1, 2, 2), 0)
        bottom, right = np.array([y.max(), x.max()]) + random.integers(0, 3, 2)
        if random.random() >= MISSED and bottom - top > 1 and right - left > 1:
            box = true[top:bottom, left:right].astype(np.float32)
            square = cv2.GaussianBlur(cv2.resize(box, (28, 28), interpolation=cv2.INTER_AREA), (3, 3), 0)
            pixels = np.zeros_like(true)
            pixels[top:bottom, left:right] = cv2.resize(square, box.shape[::-1]) >= 0.5
            yield Mask(pixels, NAMES[int(np.bincount(frame.label[true]).argmax())], float(random.uniform(0.5, 1)))
