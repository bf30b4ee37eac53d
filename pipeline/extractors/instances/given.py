"""The source's own instances, of all frames: already the same through the clip, or, as the source says, linked like any others."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8, UInt16

from pipeline import arrays, layout
from pipeline.errors import InputError
from pipeline.extractors.instances import Find, Found, Thing


def build(clips: Path) -> Find:
    path = layout.arrays(clips, "instances")
    if not path.is_file():
        raise InputError(f"{clips.name}: instances.backend is given, but its source has no instances")
    truth = arrays.reading(path)
    bare = sorted(set(range(len(truth["instance"]))) - set(truth.attributes["labelled_frames"]))
    if bare:
        raise InputError(f"{clips.name}: instances.backend is given, but frame {bare[0]} has no instances ({len(bare)} have none)")
    linked = truth.attributes["linked"]
    objects = {int(id_): Thing(about["class"], about["score"]) for id_, about in truth.attributes["objects"].items()}

    def find(rgb: UInt8[np.ndarray, "b h w 3"], labels: UInt8[np.ndarray, "b h w"], frames: range) -> list[Found]:
        return [_found(truth["instance"][t], label, objects, linked) for t, label in zip(frames, labels, strict=True)]

    return find


def _found(instance: UInt16[np.ndarray, "h w"], label: UInt8[np.ndarray, "h w"], objects: dict[int, Thing], linked: bool) -> Found:
    ids = [id_ for id_ in np.unique(instance).tolist() if id_]
    return Found(instance, {id_: objects[id_] if linked else _usual(label[instance == id_]) for id_ in ids}, linked)


def _usual(label: UInt8[np.ndarray, " pixels"]) -> Thing:
    """Of the class that most of an object's pixels have: the same id may be a car in one frame and a person in the next."""
    return Thing(int(np.bincount(label).argmax()), 1.0)
