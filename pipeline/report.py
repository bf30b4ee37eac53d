"""Everything above -> reports/<dataset>/index.html: one page that opens from disk, with its videos and pictures beside it.

It holds no time, host or path: equal inputs give equal bytes.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import arrays, clip_list, curves, layout, page, params, pictures, video
from pipeline.index import read_index
from pipeline.made_by import Made, libraries, made
from pipeline.metrics.measures import MEASURES, METHODS
from pipeline.palettes import Palette, from_attributes
from pipeline.verdict import best, shown, verdict

STILLS = 5
PREVIEWS = 3
GAP = 4
WHEEL_PIXELS = 144

RENDERED = "sample_street"
"""`source_kind` of frames that are drawn, not filmed."""


def run(
    clips: Path,
    segmentation_scores: Path,
    segmentation: Path,
    instances: Path,
    optical_flow: Path,
    dataset: Path,
    train: Path,
    train_per_frame: Path,
    synthesize: Path,
    synthesize_per_frame: Path,
    evaluate: Path,
    out: Path,
    p: params.Report,
    model_training: params.SegmentationModel,
    training: params.Train,
    dataset_name: str,
    made_by: dict[str, Any],
) -> None:
    layout.media(out).mkdir()
    test = read_index(dataset, "test")
    folders = Folders(clips, segmentation, instances, optical_flow, synthesize, synthesize_per_frame)
    shown_clips = [_shown_clip(row["clip"], folders, layout.media(out), p.crf) for _, row in test.head(p.clips).iterrows()]
    first = test["clip"].iloc[0]
    scores = json.loads(layout.scores(evaluate).read_text())
    made_parts = made(made_by, folders.attributes(first), {"segmentation_model": model_training, "train": training})
    values = {
        "name": dataset_name,
        "rendered": folders.attributes(first)["clips"].get("source_kind") == RENDERED,
        "labelled_by": _labelled_by(made_parts),
        "splits": {split: _split(read_index(dataset, split)) for split in ("train", "test")},
        "num_test_clips": len(test),
        "clips": shown_clips,
        "measures": MEASURES,
        "methods": {key: label for key, label in METHODS.items() if key in scores},
        "scores": scores,
        "best": best(scores),
        "shown": shown,
        "verdict": verdict(scores),
        "model": json.loads(layout.scores(segmentation_scores).read_text()),
        "classes": _classes(dataset, folders.palette(first)),
        "panels": curves.panels(_losses({"vid2vid": train, "per frame": train_per_frame})),
        "panel_size": (curves.WIDTH, curves.HEIGHT),
        "previews": _previews({"vid2vid": train, "per frame": train_per_frame}, layout.media(out)),
        "made": made_parts,
        "libraries": libraries(folders.attributes(first)),
        "key": made_by["key"],
    }
    pictures.save(layout.media(out) / "wheel.png", pictures.colour_wheel(WHEEL_PIXELS))
    layout.page(out).write_text(page.render("report.html.j2", values), encoding="utf-8")


@dataclass(frozen=True)
class Folders:
    clips: Path
    segmentation: Path
    instances: Path
    optical_flow: Path
    synthesize: Path
    synthesize_per_frame: Path

    def frames(self, clip: str) -> arrays.Clip:
        return arrays.reading(layout.arrays(self.clips / clip, "frames"))

    def labels(self, clip: str) -> arrays.Clip:
        return arrays.reading(layout.arrays(self.segmentation / clip, "segmentation"))

    def palette(self, clip: str) -> Palette:
        return from_attributes(self.labels(clip).attributes["palette"])

    def objects(self, clip: str) -> arrays.Clip:
        return arrays.reading(layout.arrays(self.instances / clip, "instances"))

    def motion(self, clip: str) -> arrays.Clip:
        return arrays.reading(layout.arrays(self.optical_flow / clip, "optical_flow"))

    def fakes(self, clip: str) -> dict[str, arrays.Clip]:
        """By method; without the ones that were not trained."""
        paths = {
            "vid2vid": layout.arrays(self.synthesize / clip, "frames"),
            "per_frame": layout.arrays(self.synthesize_per_frame / clip, "frames"),
        }
        return {method: arrays.reading(path) for method, path in paths.items() if path.is_file()}

    def attributes(self, clip: str) -> dict[str, dict[str, Any]]:
        """What made the clip's files, by stage."""
        files = {"clips": self.frames, "segmentation": self.labels, "instances": self.objects, "optical_flow": self.motion}
        fakes = {{"vid2vid": "synthesize", "per_frame": "synthesize_per_frame"}[name]: file for name, file in self.fakes(clip).items()}
        return {stage: file.attributes for stage, file in {**{name: read(clip) for name, read in files.items()}, **fakes}.items()}


def _shown_clip(clip: str, folders: Folders, media: Path, crf: int) -> dict[str, Any]:
    """Writes a clip's videos and pictures; returns what the page says about it."""
    num_frames, height, width, _ = folders.frames(clip)["rgb"].shape
    rate = folders.frames(clip).attributes["frames_per_second"]
    videos = []
    for key, (caption, length, frame) in _videos(clip, folders).items():
        stem = media / f"{clip}.{key}"
        video.write_mp4(stem.with_name(stem.name + ".mp4"), map(frame, range(length)), rate, crf)
        pictures.save(stem.with_name(stem.name + ".poster.png"), frame(0))
        stills = [frame(t) for t in np.linspace(0, length - 1, STILLS).round().astype(int).tolist()]
        pictures.save(stem.with_name(stem.name + ".stills.png"), pictures.side_by_side(stills, GAP))
        videos.append({"key": key, "caption": caption})
    numerator, denominator = map(int, rate.split("/"))
    size = {"num_frames": num_frames, "height": height, "width": width}
    return {"clip": clip, **size, "rate": numerator / denominator, "videos": videos, "maps": _save_maps(clip, folders, media)}


def _videos(clip: str, folders: Folders) -> dict[str, tuple[str, int, Callable[[int], np.ndarray]]]:
    """Key -> caption, number of frames, and the picture at a time."""
    palette, labels = folders.palette(clip), folders.labels(clip)["label"]
    real, fakes = folders.frames(clip)["rgb"], folders.fakes(clip)
    return {
        "maps": ("label maps", len(labels), lambda t: palette.paint(labels[t])),
        "real": (METHODS["real"], len(real), lambda t: real[t]),
        **{method: (METHODS[method], len(fake["rgb"]), fake["rgb"].__getitem__) for method, fake in fakes.items()},
    }


def _save_maps(clip: str, folders: Folders, media: Path) -> dict[str, Any]:
    """Pictures of what is known about the middle frame."""
    rgb, motion = folders.frames(clip)["rgb"], folders.motion(clip)
    stride, t = min(motion.attributes["strides"]), len(rgb) // 2
    optical_flow, confidence = motion[f"optical_flow_{stride}"][t], motion[f"confidence_{stride}"][t]
    instance, label, palette = folders.objects(clip)["instance"][t], folders.labels(clip)["label"][t], folders.palette(clip)
    full = pictures.full_length(optical_flow, confidence)
    saved = {
        "frame": rgb[t],
        "labels": pictures.labels_over(rgb[t], label, palette),
        "instances": pictures.objects_over(rgb[t], instance),
        "flow": pictures.optical_flow_colours(optical_flow, full),
        "confidence": confidence,
    }
    for name, picture in saved.items():
        pictures.save(media / f"{clip}.{name}.png", picture)
    present = set(np.unique(label).tolist())
    return {
        "frame": t,
        "stride": stride,
        "full": full,
        "objects": int(np.unique(instance[instance > 0]).size),
        "confident": float((confidence >= 128).mean()),
        "legend": [c for c in palette.classes if c.id in present],
    }


def _labelled_by(made_parts: list[Made]) -> dict[str, Any]:
    """Back-end and data set of the labels."""
    labelling = next(part.parameters for part in made_parts if part.stage == "segmentation")
    return {"backend": labelling.get("backend", ""), "weights_from": labelling.get("weights_from", "")}


def _split(index: pd.DataFrame) -> dict[str, Any]:
    sizes = sorted({(row["width"], row["height"]) for row in index.to_dict("records")})
    return {
        "clips": len(index),
        "frames": int(index["num_frames"].sum()),
        "seconds": sum(map(clip_list.seconds, index.to_dict("records"))),
        "sizes": [f"{width} × {height}" for width, height in sizes],
        "confidence": float(index["confidence"].mean()),
    }


def _classes(dataset: Path, palette: Palette) -> list[dict[str, Any]]:
    """The palette's classes that occur, with their share of all pixels in each split."""
    shares = {
        split: pd.read_csv(layout.class_table(dataset, split), dtype={"class": str}).set_index("id")["share"] for split in ("train", "test")
    }
    rows: list[dict[str, Any]] = [
        {"name": c.name, "colour": c.colour, **{split: float(share.get(c.id, 0)) for split, share in shares.items()}}
        for c in palette.classes
    ]
    return sorted((row for row in rows if row["train"] or row["test"]), key=lambda row: -row["train"])


def _losses(trainings: dict[str, Path]) -> dict[str, pd.DataFrame]:
    tables = {name: pd.read_csv(layout.losses(folder)) for name, folder in trainings.items() if layout.losses(folder).is_file()}
    return {name: table for name, table in tables.items() if len(table)}


def _previews(trainings: dict[str, Path], media: Path) -> dict[str, list[dict[str, Any]]]:
    """A few of the pictures that training left, from the first to the last."""
    chosen: dict[str, list[dict[str, Any]]] = {}
    for name, folder in trainings.items():
        found = sorted(layout.previews(folder).glob("*.png"))
        picked = [found[i] for i in sorted(set(np.linspace(0, len(found) - 1, PREVIEWS).round().astype(int)))] if found else []
        chosen[name] = [{"step": int(path.stem), "file": f"{folder.name}.{path.name}"} for path in picked]
        for path in picked:
            shutil.copyfile(path, media / f"{folder.name}.{path.name}")
    return {name: previews for name, previews in chosen.items() if previews}
