"""clips, segmentation, optical_flow -> instances: single objects, each with one id through its clip.

What is an object of a frame, the back-end says: components of the labels, the source's truth, or a network's masks. For masks the rule
stands in pipeline/masks.py: labels say what is a thing, masks say where one thing ends and the next begins.

Linked through the clip, an object is the one of the frame before that, moved by the stored flow, covers it best: of all pairs of one
class with an intersection over union of at least `min_overlap`, the best first, every object once. So where an object falls apart, the
part that covers it best keeps its id and the others get new ones; where two meet, the id that covers the whole best goes on and the
other ends. An object that is gone, behind a post or missed, is waited for during `memory_frames` frames, where its last motion would
have taken it; after that it comes back under a new id. No id is used for two objects.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt16

from pipeline import arrays, extractors, layout, palettes, params
from pipeline.errors import InputError
from pipeline.extractors.instances import Find, Found, Thing
from pipeline.motion import moved
from pipeline.overlap import ahead, behind

MOST_IDS = 65535


def run_clip(
    clips: Path, segmentation: Path, optical_flow: Path, out: Path, p: params.Instances, made_by: dict[str, Any], device: str
) -> None:
    labels = arrays.reading(layout.arrays(segmentation, "segmentation"))
    palette = palettes.from_attributes(labels.attributes["palette"])
    find: Find = extractors.load(p, clips=clips, palette=palette, min_pixels=p.min_pixels, device=device)
    linking, t = Linking(p.min_overlap, p.memory_frames), 0
    frames, flow = arrays.reading(layout.arrays(clips, "frames")), _flow(optical_flow)
    read = (frames.batches("rgb", p.batch_size), labels.batches("label", p.batch_size), flow.batches("optical_flow_1", p.batch_size))
    attributes = {**made_by, "objects": {}}
    with arrays.writing(layout.arrays(out, "instances"), attributes) as writer, behind(writer.append) as append:
        for rgb, label, to_previous in ahead(zip(*read, strict=True)):
            found = find(rgb, label, range(t, t + len(rgb)))
            for one, motion in zip(found, to_previous, strict=True):
                append("instance", linking.next(one, motion.astype(np.float32)))
            t += len(rgb)
        attributes["objects"] = {id_: {"class": thing.label, "score": thing.score} for id_, thing in sorted(linking.objects.items())}


def _flow(optical_flow: Path) -> arrays.Clip:
    file = arrays.reading(layout.arrays(optical_flow, "optical_flow"))
    if "optical_flow_1" not in file:
        raise InputError(f"optical_flow.strides: {file.attributes['strides']} lacks 1, by which instances are linked")
    return file


@dataclass(frozen=True)
class Gone:
    """An object that is not seen for the moment, as it was last seen."""

    place: Int[np.ndarray, "pixels 2"]
    """(x, y)"""
    motion: Float[np.ndarray, "2"]
    """(dx, dy) in pixels from one frame to the next."""
    frames: int
    """For so many it has not been seen."""

    def pixels(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """(y, x) of where it would be now, as far as that is in the image."""
        x, y = (self.place + np.rint(self.motion * (self.frames + 1)).astype(int)).T
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        return y[inside], x[inside]


@dataclass
class Linking:
    """Gives the objects of one frame after another their ids, from 1 in order of appearance."""

    min_overlap: float
    memory_frames: int
    objects: dict[int, Thing] = field(default_factory=dict)
    """Of all frames so far, by id; the score is the highest."""
    _previous: UInt16[np.ndarray, "h w"] | None = None
    _motion: Float[np.ndarray, "h w 2"] | None = None
    """From the frame before to its own frame before."""
    _gone: dict[int, Gone] = field(default_factory=dict)
    """Of the frame before."""

    def next(self, found: Found, flow_to_previous: Float[np.ndarray, "h w 2"]) -> UInt16[np.ndarray, "h w"]:
        ids = {number: number for number in found.things} if found.linked else self._ids(found, flow_to_previous)
        for number, id_ in ids.items():
            thing, known = found.things[number], self.objects.get(id_)
            self.objects[id_] = Thing(thing.label, max(thing.score, known.score if known else 0.0))
        table = np.zeros(int(found.instance.max()) + 1, np.uint16)
        table[list(ids)] = list(ids.values())
        self._gone = {} if found.linked else self._now_gone(set(ids.values()))
        self._previous, self._motion = table[found.instance], flow_to_previous
        return self._previous

    def _ids(self, found: Found, flow_to_previous: np.ndarray) -> dict[int, int]:
        """Number in this frame -> id."""
        kept: dict[int, int] = {}
        for _, id_, number in sorted(self._overlaps(found, flow_to_previous)):
            if number not in kept and id_ not in kept.values():
                kept[number] = id_
        new = [number for number in found.things if number not in kept]
        first = max(self.objects, default=0) + 1
        if first + len(new) - 1 > MOST_IDS:
            raise InputError(f"instances: a clip has more than {MOST_IDS} objects; instances.min_pixels leaves small ones out")
        return kept | dict(zip(new, range(first, first + len(new)), strict=True))

    def _overlaps(self, found: Found, flow_to_previous: np.ndarray) -> list[tuple[float, int, int]]:
        """(minus the overlap, earlier id, number) of pairs that may be one object: sorting puts the best first."""
        if self._previous is None:
            return []
        before, size = moved(self._previous, flow_to_previous), np.bincount(found.instance.ravel())
        places = {id_: np.nonzero(before == id_) for id_ in np.unique(before).tolist() if id_}
        places |= {id_: gone.pixels(*before.shape) for id_, gone in self._gone.items()}
        overlaps = []
        for id_, place in places.items():
            shared = np.bincount(found.instance[place])
            for number in np.flatnonzero(shared[1:]) + 1:
                overlap = float(shared[number] / (len(place[0]) + size[number] - shared[number]))
                if overlap >= self.min_overlap and self.objects[id_].label == found.things[int(number)].label:
                    overlaps.append((-overlap, id_, int(number)))
        return overlaps

    def _now_gone(self, seen: set[int]) -> dict[int, Gone]:
        gone = {id_: Gone(old.place, old.motion, old.frames + 1) for id_, old in self._gone.items() if id_ not in seen}
        if self._previous is not None and self._motion is not None:
            for id_ in set(np.unique(self._previous).tolist()) - seen - {0}:
                y, x = np.nonzero(self._previous == id_)
                gone[id_] = Gone(np.stack([x, y], axis=1), -np.median(self._motion[y, x], axis=0), 1)
        return {id_: one for id_, one in gone.items() if one.frames <= self.memory_frames}
