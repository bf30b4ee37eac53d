"""Face sketches: landmarks beside those that people marked, frames in which the face is found, and jitter with and without smoothing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from benchmarks.extraction import Row
from pipeline import faces, landmarks, video
from pipeline.extractors.edges import face_sketch
from pipeline.face_mesh import FaceMesh

CLIPS = ("face_talk_512x480", "carphone_176x144")
SMOOTHED = (0.0, 0.5, 1.0, 2.0)
"""Deviations in frames."""


def rows(data: Path) -> list[Row]:
    weights = {"face_weights": data / "weights/yunet_n_640_640.onnx", "landmark_weights": data / "weights/face_landmark_468.tflite"}
    locate = face_sketch.build(**{name: str(path) for name, path in weights.items()})
    found = [*_beside_marked(data, **weights)]
    for clip in CLIPS:
        frames = list(video.frames(data / f"clips/face/{clip}.mp4"))
        found += _in_clip(clip, locate(lambda: iter(frames)))  # noqa: B023  # called at once
    return found


def _beside_marked(data: Path, face_weights: Path, landmark_weights: Path) -> Iterator[Row]:
    """COCO-WholeBody's 68 points; the face is the one that YuNet finds around them, or where it finds none the box that people drew."""
    mesh, marked = FaceMesh(landmark_weights), marked_faces(data)
    for one in marked:
        x, y = one.landmarks.mean(axis=0)
        seen = faces.looks([one.rgb], 1, face_weights)[0]
        around = [face for face in seen if face.left < x < face.right and face.top < y < face.bottom]
        points = mesh.landmarks(one.rgb, around[0] if around else one.box)
        size = f"{eye_distance(one.landmarks[None]):.0f} px between the eyes, {'found by YuNet' if around else 'box given'}"
        others = np.mean([in_unit_box(other.landmarks) for other in marked if other is not one], axis=0)
        guess = others * np.ptp(one.landmarks, axis=0) + one.landmarks.min(axis=0)
        beside = f"the other faces' points, stretched onto this one: {error(guess, one.landmarks)}"
        yield Row(
            *("edges", "face_sketch", f"{one.photo}, {size}", "error / eye distance, less is better"), error(points, one.landmarks), beside
        )


@dataclass(frozen=True)
class MarkedFace:
    photo: str
    rgb: UInt8[np.ndarray, "h w 3"]
    landmarks: Float[np.ndarray, "68 2"]
    box: faces.Face
    """As people drew it."""


def marked_faces(data: Path) -> list[MarkedFace]:
    """Of the photos that are there."""
    folder, found = data / "frames/coco", []
    told = json.loads((folder / "test_coco_wholebody.json").read_text())
    names = {image["id"]: folder / image["file_name"] for image in told["images"]}
    for about in told["annotations"]:
        path, (left, top, width, height) = names[about["image_id"]], about["face_box"]
        if about["face_valid"] and path.is_file() and (bgr := cv2.imread(str(path))) is not None:
            points = np.reshape(about["face_kpts"], (68, 3))[:, :2]
            box = faces.Face(left, top, left + width, top + height)
            found.append(MarkedFace(path.name, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), points, box))
    return found


def in_unit_box(points: Float[np.ndarray, "68 2"]) -> Float[np.ndarray, "68 2"]:
    moved: np.ndarray = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    return moved


def error(points: Float[np.ndarray, "68 2"] | None, truth: Float[np.ndarray, "68 2"]) -> str:
    """Mean distance of the 68 points, over that of the outer corners of the eyes."""
    if points is None:
        return "no face"
    return f"{np.linalg.norm(points - truth, axis=1).mean() / eye_distance(truth[None]):.3f}"


def _in_clip(clip: str, points: Float32[np.ndarray, "t 68 2"]) -> list[Row]:
    there = landmarks.present(points)
    shakes = [jitter(landmarks.smoothed(points, deviation)[there]) for deviation in SMOOTHED]
    moved = [
        float(np.linalg.norm(landmarks.smoothed(points, d)[there] - points[there], axis=-1).mean()) / eye_distance(points[there])
        for d in SMOOTHED
    ]
    return [
        Row("edges", "face_sketch", clip, "frames with a face / all", f"{there.sum()} / {len(there)}", ""),
        *(
            Row(
                "edges",
                f"face_sketch, smooth {deviation:g}",
                clip,
                "jitter / eye distance, less is better",
                f"{shake:.5f}",
                f"points moved by {by:.5f}",
            )
            for deviation, shake, by in zip(SMOOTHED, shakes, moved, strict=True)
        ),
    ]


def jitter(points: Float[np.ndarray, "t 68 2"]) -> float:
    """Mean length of p(t-1) - 2 p(t) + p(t+1), 0 for even motion, over the eye distance."""
    return float(np.linalg.norm(np.diff(points, 2, axis=0), axis=-1).mean()) / eye_distance(points)


def eye_distance(points: Float[np.ndarray, "t 68 2"]) -> float:
    return float(np.linalg.norm(points[:, 36] - points[:, 45], axis=-1).mean())
