"""clips -> edges: the lines of every frame; of faces the map of 15 channels that pipeline/face_sketch.py draws, and the landmarks.

Of faces, `missing` and `carried` in the file's attributes list the frames without one: all of their map is 0 and their landmarks are NaN;
and those whose landmarks come from the frames beside them. Where nobody looks for a face the file has neither: nothing can be lost.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from pipeline import arrays, extractors, face_sketch, layout, params
from pipeline.errors import InputError
from pipeline.extractors.edges import Draw, Landmarks
from pipeline.frame_runs import listed
from pipeline.landmarks import carried, present, smoothed
from pipeline.overlap import ahead, behind

BATCH = 4
"""Frames that are handed to a back-end at once; changes no edge."""


def run_clip(clips: Path, out: Path, p: params.Edges, made_by: dict[str, Any], device: str) -> None:
    extractor: Draw | Landmarks = extractors.load(p, clips=clips, device=device)
    frames, attributes = arrays.reading(layout.arrays(clips, "frames")), made_by
    if isinstance(extractor, Landmarks):
        found = extractor(lambda: frames.frames("rgb"))
        points = smoothed(carried(found, p.carry), p.smooth)
        if p.missing == "refuse" and not present(points).all():
            raise InputError(_without_a_face(clips.name, points, p.carry))
        attributes = made_by | _gaps(found, points)
        drawn: Iterator[dict[str, np.ndarray]] = (
            {"edge": _sketch(rgb, marks), "landmarks": marks} for rgb, marks in zip(ahead(frames.frames("rgb")), points, strict=True)
        )
    else:
        drawn = ({"edge": edge} for rgb in ahead(frames.batches("rgb", BATCH)) for edge in extractor(rgb))
    with arrays.writing(layout.arrays(out, "edges"), attributes) as writer, behind(writer.append) as append:
        for frame in drawn:
            for name, values in frame.items():
                append(name, values)


def _sketch(rgb: UInt8[np.ndarray, "h w 3"], landmarks: Float32[np.ndarray, "68 2"]) -> UInt8[np.ndarray, "h w 15"]:
    if np.isnan(landmarks).any():
        return np.zeros((*rgb.shape[:2], face_sketch.CHANNELS), np.uint8)
    return face_sketch.draw(rgb, landmarks)


def _gaps(found: Float32[np.ndarray, "t 68 2"], points: Float32[np.ndarray, "t 68 2"]) -> dict[str, list[int]]:
    there = present(points)
    return {"missing": np.flatnonzero(~there).tolist(), "carried": np.flatnonzero(there & ~present(found)).tolist()}


def _without_a_face(clip: str, points: Float32[np.ndarray, "t 68 2"], carry: int) -> str:
    gaps = listed(np.flatnonzero(~present(points)).tolist(), most=10)
    return (
        f"{clip}: no face is found in frames {gaps}, longer than edges.carry = {carry}; edges.missing: cut keeps the longest part without "
        "such a gap, and dataset.exclude leaves the clip out"
    )
