"""A network's masks and the labels -> the objects of a frame, by one written rule.

Labels say what is a thing, masks say where one thing ends and the next begins. Vid2vid sees both, labels and the edges of instances: an
object that left its label, or stopped short of its border, would have two outlines. So:

1. Masks claim pixels in the order of their scores; what a better one has claimed is taken.
2. A mask claims only pixels with a label that masks.yaml lists for its class. A car half of which is labelled truck is one object; the
   road between its wheels is none of it.
3. A mask that finds more than half of what it could claim taken is the same object seen twice (networks suppress doubles of one class
   only, not a truck over a car): it claims nothing. With fewer than `min_pixels` it is no object, either.
4. Pixels of things that nobody claimed go to the nearest object that could claim their label, if that is at most `margin` pixels away:
   a network draws masks as 28 x 28 squares of a box, labels are finer.
5. What is left, `rest` says: "none", or "components" of each class with at least `min_pixels` become objects with score 0.

An object's class is the label that most of its pixels have.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, UInt8, UInt16

from pipeline import yaml_file
from pipeline.errors import InputError
from pipeline.extractors.instances import Found, Thing
from pipeline.palettes import Palette

Rest = Literal["none", "components"]

TABLE = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True)
class Mask:
    pixels: Bool[np.ndarray, "h w"]
    name: str
    """The network's class."""
    score: float
    """0..1"""


def claims(palette: Palette) -> dict[str, list[int]]:
    """By a network's class, the labels that its masks may claim; classes of which the palette has none are missing."""
    ids = {c.name: c.id for c in palette.classes if c.thing}
    return {name: found for name, wanted in _table().items() if (found := [ids[other] for other in wanted if other in ids])}


@cache
def _table() -> dict[str, list[str]]:
    return yaml_file.read(TABLE)


def names() -> list[str]:
    """The classes of networks that the table knows."""
    return list(_table())


def require_shared(palette: Palette, names: Iterable[str]) -> None:
    """InputError where none of these classes of a network may claim a label of the palette."""
    if not claims(palette).keys() & set(names):
        things = ", ".join(c.name for c in palette.classes if c.thing) or "none"
        raise InputError(
            f"instances.backend: the network knows none of palette {palette.name}'s things ({things}); {TABLE.name} lists what it may claim"
        )


@dataclass(frozen=True)
class Rule:
    palette: Palette
    min_pixels: int
    margin: int
    rest: Rest

    def found(self, masks: Iterable[Mask], label: UInt8[np.ndarray, "h w"]) -> Found:
        allowed, instance = claims(self.palette), np.zeros(label.shape, np.uint16)
        claimed: dict[int, Mask] = {}
        for mask in sorted(masks, key=lambda mask: -mask.score):
            could = mask.pixels & np.isin(label, allowed.get(mask.name, []))
            free = could & (instance == 0)
            if np.count_nonzero(free) >= max(self.min_pixels, np.count_nonzero(could) / 2):
                claimed[len(claimed) + 1] = mask
                instance[free] = len(claimed)
        if claimed and self.margin:
            self._grow(instance, label, {number: allowed[mask.name] for number, mask in claimed.items()})
        things = {n: Thing(_most(label[instance == n]), mask.score) for n, mask in claimed.items()}
        return self._with_components(instance, label, things) if self.rest == "components" else Found(instance, things, linked=False)

    def _grow(self, instance: UInt16[np.ndarray, "h w"], label: UInt8[np.ndarray, "h w"], allowed: dict[int, list[int]]) -> None:
        distance, nearest = cv2.distanceTransformWithLabels(
            (instance == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        owner = np.zeros(int(nearest.max()) + 1, np.uint16)
        owner[nearest[instance > 0]] = instance[instance > 0]
        may_own = np.zeros((max(allowed) + 1, 256), bool)
        for number, labels in allowed.items():
            may_own[number, labels] = True
        near = (instance == 0) & (distance <= self.margin) & may_own[owner[nearest], label]
        instance[near] = owner[nearest[near]]

    def _with_components(self, instance: UInt16[np.ndarray, "h w"], label: UInt8[np.ndarray, "h w"], things: dict[int, Thing]) -> Found:
        rest = components(np.where(instance == 0, label, np.uint8(255)), self.palette.things, self.min_pixels)
        offset = len(things)
        both = np.where(rest.instance > 0, rest.instance + np.uint16(offset), instance)
        return Found(both, things | {n + offset: Thing(thing.label, 0.0) for n, thing in rest.things.items()}, linked=False)


def components(label: UInt8[np.ndarray, "h w"], classes: list[int], min_pixels: int) -> Found:
    """What touches, of one class, is one object; what is smaller is none."""
    instance = np.zeros(label.shape, np.uint16)
    things: dict[int, Thing] = {}
    for class_ in classes:
        count, parts, statistics, _ = cv2.connectedComponentsWithStats((label == class_).astype(np.uint8), connectivity=8)
        large = [n for n in range(1, count) if statistics[n, cv2.CC_STAT_AREA] >= min_pixels]
        numbers = np.zeros(count, np.uint16)
        numbers[large] = np.arange(len(large)) + len(things) + 1
        instance += numbers[parts]  # classes do not overlap
        things |= {int(numbers[n]): Thing(class_, 1.0) for n in large}
    return Found(instance, things, linked=False)


def _most(label: UInt8[np.ndarray, " pixels"]) -> int:
    return int(np.bincount(label).argmax())
