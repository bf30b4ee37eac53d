"""The outputs of a whole small journey, written by their contracts without running it: a street of stripes that moves to the left."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import arrays, layout, palettes, params, pictures
from pipeline.index import write_index
from pipeline.sources import SourceFrame

HEIGHT, WIDTH, FRAMES = 32, 48, 6
PALETTE = palettes.load("camvid")
SKY, ROAD, CAR = 0, 3, 8
WINDOWS = params.VideoNetwork(name="random", weights=None, window_frames=4, window_stride=2)
GIVEN = {"backend": "given", "weights_from": "stripes"}
TERMS = ("image_gan", "image_feature_matching", "video_gan", "flow_warp")

SEGMENTATION_SCORES = {
    "used": True,
    "seen_frames": 8,
    "held_out_frames": 12,
    "miou": 0.512345,
    "iou": {"sky": 0.9, "road": 0.8, "car": 0.3},
    "baselines": {"copy_nearest_label": 0.4, "most_frequent_class": None},
}


def street(seed: int, num_frames: int = FRAMES) -> Iterator[SourceFrame]:
    """A panorama seen through a window that moves one pixel to the right with each frame."""
    panorama = np.random.default_rng(seed).integers(30, 110, (HEIGHT, WIDTH + num_frames, 3)).astype(np.uint8)
    label = np.full(panorama.shape[:2], SKY, np.uint8)
    label[HEIGHT // 2 :] = ROAD
    label[HEIGHT // 2 - 4 : HEIGHT // 2 + 6, 20:32] = CAR
    panorama += PALETTE.paint(label) // 2
    for t in range(num_frames):
        view = (slice(None), slice(t, t + WIDTH))
        visible = np.zeros((HEIGHT, WIDTH), bool)
        visible[:, : WIDTH - 1] = t > 0
        moved = np.full((HEIGHT, WIDTH, 2), [float(t > 0), 0], np.float32)
        yield SourceFrame(panorama[view], label[view], (label[view] == CAR).astype(np.uint16), {1: moved}, {1: visible})


class Journey:
    """`folder(stage)` of each stage that evaluate and report read."""

    def __init__(
        self,
        root: Path,
        *,
        clips: dict[str, str],
        source_kind: str,
        per_frame: bool,
        segmentation_scores: dict[str, Any],
        num_frames: int = FRAMES,
        labelled_by: dict[str, str] = GIVEN,
        begins_with: str = "itself",
    ) -> None:
        """`begins_with`: what the first frames of vid2vid are said to be; where they are given, two."""
        self.labelled_by = labelled_by
        self.begins = {"begins_with": begins_with, "given_frames": 2 if begins_with == "given" else 0}
        self.root, self.clips, self.source_kind, self.num_frames = root, clips, source_kind, num_frames
        for name, split in clips.items():
            self._write_real(name, split, list(self.frames(name)))
        self._write_index()
        for name in self.of("test"):
            self._write_fake("synthesize", name, noise=4)
            if per_frame:
                self._write_fake("synthesize_per_frame", name, noise=24)
        layout.scores(self.folder("segmentation_scores")).write_text(json.dumps(segmentation_scores))
        self._write_training("train")
        if per_frame:
            self._write_training("train_per_frame")

    def folder(self, stage: str) -> Path:
        path = self.root / stage
        path.mkdir(parents=True, exist_ok=True)
        return path

    def of(self, split: str) -> list[str]:
        return [name for name, its_split in self.clips.items() if its_split == split]

    def frames(self, clip: str) -> Iterator[SourceFrame]:
        return street(list(self.clips).index(clip), self.num_frames)

    def made_by(self, stage: str, **parameters: Any) -> dict[str, Any]:
        key = f"{stage:0<64}"
        made = {"code": "c0de" * 16, "libraries": {"numpy": "2.4.6"}, "device": "cpu"}
        return {"key": key, "stage": stage, "parameters": {"p": parameters}, **made}

    def fake(self, frame: SourceFrame, noise: int, random: np.random.Generator) -> np.ndarray:
        return np.clip(frame.rgb.astype(int) + random.integers(-noise, noise + 1, frame.rgb.shape), 0, 255).astype(np.uint8)

    def arguments(self, *stages: str) -> dict[str, Path]:
        return {stage: self.folder(stage) for stage in stages}

    def _write(self, stage: str, clip: str, modality: str, frames: list[dict[str, np.ndarray]], attributes: dict[str, Any]) -> None:
        folder = self.folder(stage) / clip
        folder.mkdir(exist_ok=True)
        parameters = self.labelled_by if stage == "segmentation" else {"some": 1, "on": True}
        with arrays.writing(layout.arrays(folder, modality), {**self.made_by(stage, **parameters), **attributes}) as writer:
            for frame in frames:
                for name, values in frame.items():
                    writer.append(name, values)

    def _about(self, name: str, split: str) -> dict[str, Any]:
        about = {"clip": name, "sequence": name, "first_frame": 0, "split": split}
        return {**about, "frames_per_second": "15/1", "source_kind": self.source_kind}

    def _write_real(self, name: str, split: str, frames: list[SourceFrame]) -> None:
        self._write("clips", name, "frames", [{"rgb": f.rgb} for f in frames], self._about(name, split))
        self._write("segmentation", name, "segmentation", [{"label": f.label} for f in frames], {"palette": PALETTE.as_attributes()})
        objects = {"1": {"class": CAR, "score": 1.0}}
        self._write("instances", name, "instances", [{"instance": f.instance} for f in frames], {"objects": objects})
        motion = [
            {"optical_flow_1": f.optical_flow[1].astype(np.float16), "confidence_1": (255 * f.visible[1]).astype(np.uint8)} for f in frames
        ]
        self._write("optical_flow", name, "optical_flow", motion, {"strides": [1]})

    def _write_fake(self, stage: str, name: str, noise: int) -> None:
        random = np.random.default_rng(noise)
        fakes = [{"rgb": self.fake(frame, noise, random)} for frame in self.frames(name)]
        self._write(stage, name, "frames", fakes, {**self._about(name, "test"), **self.begins})

    def _write_index(self) -> None:
        for split in ("train", "test"):
            rgb = {name: arrays.reading(layout.arrays(self.folder("clips") / name, "frames"))["rgb"] for name in self.of(split)}
            rows = [
                {
                    **{"clip": name, "split": split, "sequence": name, "first_frame": 0, "start": 0, "frames_per_second": "15/1"},
                    **{"num_frames": len(array), "height": array.shape[1], "width": array.shape[2], "confidence": 0.9},
                }
                for name, array in rgb.items()
            ]
            write_index(self.folder("dataset"), split, pd.DataFrame(rows))
            shares = pd.DataFrame({"id": [SKY, ROAD, CAR, 255], "class": ["sky", "road", "car", "void"], "share": [0.5, 0.4, 0.1, 0.0]})
            shares.to_csv(layout.class_table(self.folder("dataset"), split), index=False)

    def _write_training(self, stage: str) -> None:
        steps = np.arange(10, 210, 10)
        losses = {term: (1 + n) * np.exp(-steps / 80) + 0.1 * n for n, term in enumerate(TERMS)}
        if stage == "train_per_frame":
            losses = {term: values * 1.2 for term, values in losses.items() if not term.startswith("video")}
        pd.DataFrame({"step": steps, **losses}).to_csv(layout.losses(self.folder(stage)), index=False)
        for step in (50, 100, 150, 200):
            picture = np.full((3 * HEIGHT, 4 * WIDTH, 3), step, np.uint8)
            pictures.save(layout.preview(self.folder(stage), step), picture)


def finished(
    root: Path,
    *,
    source_kind: str = "frames",
    per_frame: bool = True,
    test_clips: tuple[str, ...] = ("drive-1", "drive-2"),
    num_frames: int = FRAMES,
    labelled_by: dict[str, str] = GIVEN,
    segmentation_scores: dict[str, Any] = SEGMENTATION_SCORES,
    begins_with: str = "itself",
) -> Journey:
    return Journey(
        root,
        clips={"drive-0": "train", **dict.fromkeys(test_clips, "test")},
        source_kind=source_kind,
        per_frame=per_frame,
        segmentation_scores=segmentation_scores,
        num_frames=num_frames,
        labelled_by=labelled_by,
        begins_with=begins_with,
    )
