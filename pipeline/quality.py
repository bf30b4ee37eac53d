"""clips, segmentation, instances, optical_flow, pose, edges -> quality: how far the maps of a clip can be trusted, measure by measure.

The attributes of quality.zip (which has no arrays) hold one finding for each measure that the data set's maps allow. In all of them
more is worse. A clip is read frame by frame, each frame once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise, repeat
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import arrays, layout, params, steadiness
from pipeline.frame_runs import listed, runs
from pipeline.motion import moved
from pipeline.overlap import ahead
from pipeline.steadiness import SURE


@dataclass(frozen=True)
class Finding:
    """What one measure says about a clip."""

    value: float
    """Of the whole clip."""
    worst: float
    """Of the worst frame; for lost faces and people the longest run of such frames."""
    frame: int
    """Which that is, or where the run begins; counted from 0."""
    what: str
    """What is to be seen there; empty where the measure says all."""


@dataclass(frozen=True)
class Pair:
    """A frame `t` and the one before, with the flow between them; None for what the data set has none of."""

    t: int
    optical_flow: np.ndarray
    confidence: np.ndarray
    labels: tuple[np.ndarray, np.ndarray] | None
    """Before, now."""
    objects: tuple[np.ndarray, np.ndarray] | None


def run_clip(
    clips: Path,
    segmentation: Path | None,
    instances: Path | None,
    optical_flow: Path,
    pose: Path | None,
    edges: Path | None,
    out: Path,
    p: params.Quality,
    made_by: dict[str, Any],
) -> None:
    num_frames = len(arrays.reading(layout.arrays(clips, "frames"))["rgb"])
    findings = moving(ahead(_pairs(optical_flow, segmentation, instances)), p)
    for name, folder, modality in (("lost_faces", edges, "edges"), ("lost_people", pose, "pose")):
        if folder:
            findings[name] = lost(arrays.reading(layout.arrays(folder, modality)).attributes, num_frames)
    found = {name: asdict(finding) for name, finding in findings.items() if finding}
    with arrays.writing(layout.arrays(out, "quality"), {**made_by, "findings": found}):
        pass


def _pairs(optical_flow: Path, segmentation: Path | None, instances: Path | None) -> Iterator[Pair]:
    motion = arrays.reading(layout.arrays(optical_flow, "optical_flow"))
    labels, objects = _neighbours(segmentation, "segmentation", "label"), _neighbours(instances, "instances", "instance")
    for t, label, instance in zip(range(1, len(motion["optical_flow_1"])), labels, objects):  # noqa: B905 (None for ever)
        yield Pair(t, motion["optical_flow_1"][t], motion["confidence_1"][t], label, instance)


def _neighbours(folder: Path | None, modality: str, array: str) -> Iterator[tuple[np.ndarray, np.ndarray] | None]:
    return pairwise(arrays.reading(layout.arrays(folder, modality)).frames(array)) if folder else repeat(None)


def moving(pairs: Iterable[Pair], p: params.Quality) -> dict[str, Finding | None]:
    """What can be told from one frame to the next; None for a measure that had nothing to measure."""
    unsure, flickering, breaks, jumping = _Series(), _Series(), _Series(), _Series()
    for pair in pairs:
        unsure.add(pair.t, float((pair.confidence < SURE).mean()))
        if pair.labels:
            _add_flicker(flickering, pair, *pair.labels)
        if pair.objects:
            _add_objects(breaks, jumping, pair, *pair.objects, p)
    return {
        "unsure_flow": unsure.finding(1),
        "label_flicker": flickering.finding(1),
        "object_breaks": breaks.finding(100),
        "object_jumps": jumping.finding(100),
    }


def _add_flicker(flickering: "_Series", pair: Pair, before: np.ndarray, label: np.ndarray) -> None:
    """Frames without a pixel to judge are left out."""
    before = moved(before, pair.optical_flow)
    known = steadiness.known_in_both(label, before, pair.confidence)
    if known.any():
        flickering.add(pair.t, float((before != label)[known].mean()))


def _add_objects(breaks: "_Series", jumping: "_Series", pair: Pair, before: np.ndarray, instance: np.ndarray, p: params.Quality) -> None:
    height, width = instance.shape
    near = {"gap": max(1, round(p.border * min(height, width))), "pixels": max(1, round(p.smallest * height * width))}
    gone, new = steadiness.ends_and_begins(steadiness.shapes(before), steadiness.shapes(instance), **near)
    what = [*(f"object {i} ends" for i in gone), *(f"object {i} begins" for i in new)]
    breaks.add(pair.t, float(len(what)), ", ".join(what))
    jumped = steadiness.jumps(moved(before, pair.optical_flow), instance, pair.confidence, **near, area=p.jump_area, shift=p.jump_shift)
    jumping.add(pair.t, float(len(jumped)), ", ".join(f"object {i} jumps" for i in jumped))


class _Series:
    """A number for each frame that was measured: their mean, and the first of the largest."""

    def __init__(self) -> None:
        self._count, self._sum = 0, 0.0
        self._worst, self._frame, self._what = -1.0, 0, ""

    def add(self, t: int, number: float, what: str = "") -> None:
        self._count, self._sum = self._count + 1, self._sum + number
        if number > self._worst:
            self._worst, self._frame, self._what = number, t, what

    def finding(self, per_frames: int) -> Finding | None:
        """The value is the mean for so many frames."""
        if not self._count:
            return None
        return Finding(round(self._sum / self._count * per_frames, 6), round(self._worst, 6), self._frame, self._what)


def lost(attributes: dict[str, object], num_frames: int) -> Finding | None:
    """From the frames that a stage lists as `missing` (nothing was found) and `carried` (taken from their neighbours)."""
    if "missing" not in attributes and "carried" not in attributes:
        return None
    missing, carried = (_numbers(attributes.get(name)) for name in ("missing", "carried"))
    frame, length = _longest_run(missing or carried)
    what = "; ".join(f"{name} {listed(frames)}" for name, frames in (("missing", missing), ("carried", carried)) if frames)
    return Finding(round(len({*missing, *carried}) / num_frames, 6), float(length), frame, what)


def _numbers(frames: object) -> list[int]:
    return sorted({int(t) for t in frames}) if isinstance(frames, list) else []


def _longest_run(frames: list[int]) -> tuple[int, int]:
    """Where it begins, and its length; the first of several, (0, 0) of none."""
    longest = max(runs(frames), key=len, default=range(0))
    return longest.start, len(longest)
