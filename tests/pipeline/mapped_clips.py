"""Clips with maps of any kind, as the stages write them: the street of stripes, whose car is drawn as a face or a body, too."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from finished_journey import CAR, PALETTE, street

from pipeline import arrays, layout, manifest
from pipeline.maps import MapFolders

MODALITIES = {"labels": ("segmentation", "instances"), "face": ("edges",), "canny": ("edges",), "iuv": ("pose",), "points": ("pose",)}


STRIDES = (1, 2, 3)


class MappedClips:
    """`root/<stage>/<clip>`; `has` names what there is of MODALITIES."""

    def __init__(self, root: Path, has: set[str]) -> None:
        self.root, self.has, self.rows = root, has, list[dict[str, Any]]()

    def folder(self, stage: str) -> Path:
        path = self.root / stage
        path.mkdir(parents=True, exist_ok=True)
        return path

    def maps(self) -> dict[str, Path | None]:
        """By stage; None for what there is nothing of."""
        there = {modality for name in self.has for modality in MODALITIES[name]}
        return {stage: self.folder(stage) if stage in there else None for stage in ("segmentation", "instances", "edges", "pose")}

    def map_folders(self) -> MapFolders:
        return MapFolders(**self.maps())

    def add(self, clip: str, split: str, num_frames: int, missing: list[int] | None = None, *, with_heads: bool = True) -> None:
        """`missing`: frames in which neither face nor person was found. A body's upper half is its head, if it has one."""
        lost = {"missing": missing or []}
        for t, frame in enumerate(street(len(self.rows), num_frames)):
            car = np.zeros_like(frame.label) if t in lost["missing"] else (frame.label == CAR).astype(np.uint8)
            self._append(clip, "clips", "frames", rgb=frame.rgb)
            for stride in STRIDES:  # the street moves by a pixel a frame
                moved = np.full_like(frame.optical_flow[1], [stride if t >= stride else 0, 0], np.float16)
                seen = np.zeros(frame.label.shape, np.uint8)
                seen[:, : seen.shape[1] - stride] = 255 * (t >= stride)
                self._append(clip, "optical_flow", "optical_flow", **{f"optical_flow_{stride}": moved, f"confidence_{stride}": seen})
            if "labels" in self.has:
                self._append(clip, "segmentation", "segmentation", label=frame.label)
                self._append(clip, "instances", "instances", instance=frame.instance)
            if self.has & {"face", "canny"}:
                self._append(clip, "edges", "edges", **(sketch(car) if "face" in self.has else {"edge": outline(car)[..., None]}))
            if self.has & {"iuv", "points"}:
                self._append(clip, "pose", "pose", **body(car, self.has, with_heads=with_heads))
        about = {"clip": clip, "sequence": clip, "split": split, "first_frame": 100, "frames_per_second": "15/1"}
        height, width = frame.label.shape
        self.rows.append(
            {**about, "num_frames": num_frames, "labelled": 0, "height": height, "width": width, "key": clip, "item_key": clip}
        )
        manifest.write(self.folder("clips"), pd.DataFrame(self.rows))
        described = {"frames": about, "segmentation": {"palette": PALETTE.as_attributes()}, "optical_flow": {"strides": list(STRIDES)}}
        for modality, writer in self._writers.items():
            attributes = {
                **described.get(modality, {}),
                **(lost if modality in ("edges", "pose") else {}),
                "height": height,
                "width": width,
            }
            writer.close({"key": modality, "parameters": {"p": {}}, **attributes})
        del self._writers

    def _append(self, clip: str, stage: str, modality: str, **frame: np.ndarray) -> None:
        if not hasattr(self, "_writers"):
            self._writers: dict[str, arrays.Writer] = {}
        if modality not in self._writers:
            (self.folder(stage) / clip).mkdir()
            self._writers[modality] = arrays.Writer(layout.arrays(self.folder(stage) / clip, modality))
        for name, values in frame.items():
            self._writers[modality].append(name, values)


def outline(car: np.ndarray) -> np.ndarray:
    return np.asarray(255 * (car - cv2.erode(car, np.ones((3, 3), np.uint8))), np.uint8)


def sketch(car: np.ndarray) -> dict[str, np.ndarray]:
    """An edge map and 14 distance maps, as a face has, and its landmarks."""
    distance = np.minimum(cv2.distanceTransform(1 - car, cv2.DIST_L1, 3), 255).astype(np.uint8)
    return {"edge": np.dstack([outline(car), *[distance] * 14]), "landmarks": np.full((68, 2), 5 if car.any() else np.nan, np.float32)}


HEAD_ROWS = slice(0, 17)
"""The upper half of the street's car."""


def body(car: np.ndarray, has: set[str], *, with_heads: bool) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    if "iuv" in has:
        u = np.broadcast_to(np.arange(car.shape[1]), car.shape)
        part = car * 5
        if with_heads:
            part[HEAD_ROWS] = car[HEAD_ROWS] * 24
        found |= {"iuv": np.dstack([part, car * u, car * 200]).astype(np.uint8), "person": car}
    if "points" in has:
        y, x = np.nonzero(car) if car.any() else (np.zeros(1), np.zeros(1))
        found["keypoints"] = np.tile(np.float32([x.mean(), y.mean(), car.any()]), (1, 137, 1))
    return found
