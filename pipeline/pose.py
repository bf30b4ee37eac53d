"""clips -> pose: keypoints and body surface of the people in every frame, each person in one place through the clip.

Everybody is found first, then linked (linking.py), then those who are kept are written: only at the end it is known who is the main
person. In between keypoints stay in memory, about 2 kB a person and frame; surfaces wait in a temporary file.
"""

import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Float, Float32, UInt8

from pipeline import arrays, extractors, layout, params
from pipeline.errors import InputError
from pipeline.extractors.pose import Person, Poses, Surface
from pipeline.frame_runs import listed
from pipeline.linking import Seen, by_presence, tracks
from pipeline.overlap import ahead, behind
from pipeline.pose_points import POINTS


def run_clip(clips: Path, out: Path, p: params.Pose, made_by: dict[str, Any], device: str) -> None:
    poses: Poses = extractors.load(p, clips=clips, device=device)
    frames = arrays.reading(layout.arrays(clips, "frames"))
    length, height, width = frames["rgb"].shape[:3]
    with tempfile.TemporaryFile(dir=out) as file:
        storage = Storage(file)
        found = [
            [storage.put(person, where) for person in people if (where := box(person, width, height)) is not None]
            for people in _people(poses, ahead(frames.batches("rgb", p.batch_size)))
        ]
        slots = linked([[person.seen for person in people] for people in found], p, width, height)
        missing = [t for t, place in enumerate(slots[0]) if place is None]
        if missing and p.missing == "refuse":
            raise InputError(f"{clips.name}: {_nobody(missing, length, p)}")
        attributes = {**made_by, "width": width, "height": height, "missing": missing, "carried": _carried(slots[0])}
        with arrays.writing(layout.arrays(out, "pose"), attributes) as writer, behind(writer.append) as append:
            for places in zip(*slots, strict=True):
                kept = [place and found[place.frame][place.number] for place in places]
                if poses.keypoints:
                    append("keypoints", np.stack([_keypoints(person) for person in kept]))
                if poses.surface:
                    surfaces = [person and storage.surface(person) for person in kept]
                    iuv, slot = pasted(surfaces, [person.score if person else 0.0 for person in kept], width, height)
                    append("iuv", iuv)
                    append("person", slot)


def _people(poses: Poses, batches: Iterator[UInt8[np.ndarray, "b h w 3"]]) -> Iterator[list[Person]]:
    """Of one frame after another."""
    t = 0
    for rgb in batches:
        yield from poses.find(rgb, range(t, t + len(rgb)))
        t += len(rgb)


def box(person: Person, width: int, height: int) -> Float[np.ndarray, " 4"] | None:
    """left, top, right, bottom of what is seen in the picture; None where nothing is."""
    points = np.zeros((0, 2))
    if person.keypoints is not None:
        points = person.keypoints[person.keypoints[:, 2] > 0, :2].astype(np.float64)
    if person.surface is not None:
        rows, columns = np.nonzero(person.surface.iuv[..., 0])
        corners = [(columns.min(), rows.min()), (columns.max(), rows.max())] if len(rows) else np.zeros((0, 2))
        points = np.concatenate([points, np.add(corners, (person.surface.left, person.surface.top))])
    points = points[((points >= -0.5) & (points < (width - 0.5, height - 0.5))).all(axis=1)]
    return np.concatenate([points.min(axis=0) - 0.5, points.max(axis=0) + 0.5]) if len(points) else None


@dataclass(frozen=True)
class Found:
    """A person of one frame, whose surface lies in a file."""

    seen: Seen
    score: float
    surface: tuple[int, int, Surface] | None
    """Where it begins and how long it is; the surface itself is empty."""
    shape: tuple[int, ...] = (0, 0, 3)


class Storage:
    """People's surfaces in a file, compressed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def put(self, person: Person, where: Float[np.ndarray, " 4"]) -> Found:
        seen = Seen(person.keypoints, where)
        if person.surface is None:
            return Found(seen, person.score, None)
        pixels = zlib.compress(np.ascontiguousarray(person.surface.iuv).tobytes(), 1)
        begin = self._file.seek(0, 2)
        self._file.write(pixels)
        empty = replace(person.surface, iuv=np.zeros((0, 0, 3), np.uint8))
        return Found(seen, person.score, (begin, len(pixels), empty), person.surface.iuv.shape)

    def surface(self, person: Found) -> Surface | None:
        if person.surface is None:
            return None
        begin, size, empty = person.surface
        self._file.seek(begin)
        pixels = np.frombuffer(zlib.decompress(self._file.read(size)), np.uint8)
        return replace(empty, iuv=pixels.reshape(person.shape))


@dataclass(frozen=True)
class Place:
    """Where a person was found; in a frame that the person is carried to, the last one before, or the first."""

    frame: int
    number: int
    carried: bool = False


Slot = list[Place | None]
"""Of each frame, where the person of this slot was found; None = not there."""


def linked(found: list[list[Seen]], p: params.Pose, width: int, height: int) -> list[Slot]:
    """The people who are kept, the main person first; short gaps are closed."""
    kept = by_presence(tracks(found), width, height)[: p.people]
    slots: list[Slot] = [[None] * len(found) for _ in range(p.people)]
    for slot, track in zip(slots, kept, strict=False):
        for t, (number, _) in track.seen.items():
            slot[t] = Place(t, number)
    return [carried(slot, p.carry) for slot in slots]


def carried(slot: Slot, most: int) -> Slot:
    """Gaps of at most so many frames take the last one before them, at the start the first one after; longer ones stay."""
    closed = list(slot)
    for empty, frames in groupby(range(len(slot)), key=lambda t: slot[t] is None):
        gap = list(frames)
        beside = slot[gap[0] - 1] if gap[0] else next(iter(slot[gap[-1] + 1 :]), None)
        if empty and beside is not None and len(gap) <= most:
            closed[gap[0] : gap[-1] + 1] = [replace(beside, carried=True)] * len(gap)
    return closed


def _carried(slot: Slot) -> list[int]:
    return [t for t, place in enumerate(slot) if place is not None and place.carried]


def _nobody(missing: list[int], length: int, p: params.Pose) -> str:
    if len(missing) == length:
        return "no frame shows a person, and pose.missing is refuse: `cut` leaves the clip out, so does dataset.exclude"
    return (
        f"the main person is not there in frames {listed(missing, most=10)}, and pose.missing is refuse: "
        f"pose.carry, now {p.carry}, closes gaps of so many frames, `cut` keeps the longest part without them"
    )


def _keypoints(person: Found | None) -> Float32[np.ndarray, "137 3"]:
    nothing = np.zeros((POINTS, 3), np.float32)
    return nothing if person is None or person.seen.keypoints is None else person.seen.keypoints.astype(np.float32)


def pasted(
    surfaces: list[Surface | None], scores: list[float], width: int, height: int
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"]]:
    """All surfaces in one picture, and the slot + 1 of each pixel; where some overlap, that with the best score is seen."""
    iuv, slot = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
    for number in sorted(range(len(surfaces)), key=lambda number: (scores[number], -number)):
        surface = surfaces[number]
        if surface is not None:
            bottom, right = surface.top + surface.iuv.shape[0], surface.left + surface.iuv.shape[1]
            rows, columns = slice(max(0, surface.top), max(0, bottom)), slice(max(0, surface.left), max(0, right))
            inside = surface.iuv[rows.start - surface.top : height - surface.top, columns.start - surface.left : width - surface.left]
            own = inside[..., 0] > 0
            iuv[rows, columns][own] = inside[own]
            slot[rows, columns][own] = number + 1
    return iuv, slot
