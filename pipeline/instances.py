"""clips, segmentation, optical_flow -> instances: single objects, each with one id through its clip.

An object is the one of the frame before that, moved by the stored flow, covers it best: of all pairs of one class with an
intersection over union of at least `min_overlap`, the best first, every object once. So where an object falls apart, the part that
covers it best keeps its id and the others get new ones; where two meet, the id that covers the whole best goes on and the other ends. An
object that is gone for a frame comes back under a new id: no id is used twice.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt16

from pipeline import arrays, extractors, layout, palettes, params
from pipeline.errors import InputError
from pipeline.extractors.instances import Find, Found, Thing

MOST_IDS = 65535


def run_clip(
    clips: Path, segmentation: Path, optical_flow: Path, out: Path, p: params.Instances, made_by: dict[str, Any], device: str
) -> None:
    labels = arrays.reading(layout.arrays(segmentation, "segmentation"))
    palette = palettes.from_attributes(labels.attributes["palette"])
    find: Find = extractors.load(p, clips=clips, palette=palette, min_pixels=p.min_pixels, device=device)
    rgb = arrays.reading(layout.arrays(clips, "frames"))["rgb"]
    linking = Linking(p.min_overlap)
    attributes = {**made_by, "objects": {}}
    with arrays.writing(layout.arrays(out, "instances"), attributes) as writer:
        for t, label in enumerate(labels.frames("label")):
            found = find(rgb[t], label, t)
            writer.append("instance", linking.next(found, _flow_to_previous(optical_flow, t)))
        attributes["objects"] = {id_: {"class": thing.label, "score": thing.score} for id_, thing in sorted(linking.objects.items())}


def _flow_to_previous(optical_flow: Path, t: int) -> np.ndarray:
    file = arrays.reading(layout.arrays(optical_flow, "optical_flow"))
    if "optical_flow_1" not in file:
        raise InputError(f"optical_flow.strides: {file.attributes['strides']} lacks 1, by which instances are linked")
    return file["optical_flow_1"][t].astype(np.float32)


@dataclass
class Linking:
    """Gives the objects of one frame after another their ids, from 1 in order of appearance."""

    min_overlap: float
    objects: dict[int, Thing] = field(default_factory=dict)
    """Of all frames so far, by id; the score is the highest."""
    _previous: UInt16[np.ndarray, "h w"] | None = None

    def next(self, found: Found, flow_to_previous: Float[np.ndarray, "h w 2"]) -> UInt16[np.ndarray, "h w"]:
        ids = {number: number for number in found.things} if found.linked else self._ids(found, flow_to_previous)
        for number, id_ in ids.items():
            thing, known = found.things[number], self.objects.get(id_)
            self.objects[id_] = Thing(thing.label, max(thing.score, known.score if known else 0.0))
        table = np.zeros(int(found.instance.max()) + 1, np.uint16)
        table[list(ids)] = list(ids.values())
        self._previous = table[found.instance]
        return self._previous

    def _ids(self, found: Found, flow_to_previous: np.ndarray) -> dict[int, int]:
        """Number in this frame -> id."""
        kept: dict[int, int] = {}
        if self._previous is not None:
            for _, id_, number in sorted(self._overlaps(found, moved(self._previous, flow_to_previous))):
                if number not in kept and id_ not in kept.values():
                    kept[number] = id_
        new = [number for number in found.things if number not in kept]
        first = max(self.objects, default=0) + 1
        if first + len(new) - 1 > MOST_IDS:
            raise InputError(f"instances: a clip has more than {MOST_IDS} objects; instances.min_pixels leaves small ones out")
        return kept | dict(zip(new, range(first, first + len(new)), strict=True))

    def _overlaps(self, found: Found, previous: np.ndarray) -> list[tuple[float, int, int]]:
        """(minus the overlap, earlier id, number) of pairs that may be one object: sorting puts the best first."""
        size, size_before = np.bincount(found.instance.ravel()), np.bincount(previous.ravel())
        both = (found.instance > 0) & (previous > 0)
        pairs, shared = np.unique(np.stack([previous[both], found.instance[both]]), axis=1, return_counts=True)
        overlaps = []
        for id_, number, pixels in zip(*pairs.tolist(), shared.tolist(), strict=True):
            overlap = pixels / (size_before[id_] + size[number] - pixels)
            if overlap >= self.min_overlap and self.objects[id_].label == found.things[number].label:
                overlaps.append((-float(overlap), id_, number))
        return overlaps


def moved(instance: UInt16[np.ndarray, "h w"], optical_flow: Float[np.ndarray, "h w 2"]) -> UInt16[np.ndarray, "h w"]:
    """The instances of the frame before, where the flow to it says they are now; nearest pixel, 0 where it left the image."""
    height, width = instance.shape
    y, x = np.mgrid[:height, :width]
    x, y = np.rint(x + optical_flow[..., 0]).astype(int), np.rint(y + optical_flow[..., 1]).astype(int)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return np.where(inside, instance[y.clip(0, height - 1), x.clip(0, width - 1)], 0).astype(np.uint16)
