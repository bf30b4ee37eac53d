"""Everything above -> reports/<dataset>/index.html: one page that opens from disk, with its videos and pictures beside it.

It holds no time, host or path: equal inputs give equal bytes.
"""

import json
import shutil
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import arrays, clip_list, colours, curves, layout, page, params, pictures, video
from pipeline.index import read_index
from pipeline.made_by import Made, libraries, made
from pipeline.maps import ClipMaps, MapFolders, MapKind
from pipeline.metrics.measures import MEASURES, METHODS
from pipeline.palettes import Palette
from pipeline.verdict import best, shown, verdict

STILLS = 5
PREVIEWS = 3
GAP = 4
WHEEL_PIXELS = 144

RENDERED = "sample_street"
"""`source_kind` of frames that are drawn, not filmed."""

LABELS_NEEDED = "miou"
"""Measure that says nothing without label maps."""


def run(
    clips: Path,
    segmentation_scores: Path,
    segmentation: Path | None,
    instances: Path | None,
    optical_flow: Path,
    pose: Path | None,
    edges: Path | None,
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
    folders = Folders(clips, MapFolders(segmentation, instances, edges, pose), optical_flow, synthesize, synthesize_per_frame)
    shown_clips = [_shown_clip(folders.clip(row), layout.media(out), p.crf) for row in test.head(p.clips).to_dict("records")]
    first = folders.clip(test.to_dict("records")[0])
    scores = json.loads(layout.scores(evaluate).read_text())
    made_parts = made(made_by, first.attributes(), {"segmentation_model": model_training, "train": training})
    values = {
        "name": dataset_name,
        "rendered": first.attributes()["clips"].get("source_kind") == RENDERED,
        "maps_are": " and ".join(first.maps.kind.names()),
        "begins": first.attributes()["synthesize"],
        "labels": first.maps.kind.palette is not None,
        "labelled_by": _labelled_by(made_parts),
        "splits": {split: _split(read_index(dataset, split)) for split in ("train", "test")},
        "num_test_clips": len(test),
        "clips": shown_clips,
        "measures": [measure for measure in MEASURES if first.maps.kind.palette or measure.key != LABELS_NEEDED],
        "methods": {key: label for key, label in METHODS.items() if key in scores},
        "scores": scores,
        "best": best(scores),
        "shown": shown,
        "verdict": verdict(scores),
        "model": json.loads(layout.scores(segmentation_scores).read_text()),
        "classes": _classes(dataset, first.maps.kind.palette) if first.maps.kind.palette else [],
        "panels": curves.panels(_losses({"vid2vid": train, "per frame": train_per_frame})),
        "panel_size": (curves.WIDTH, curves.HEIGHT),
        "previews": _previews({"vid2vid": train, "per frame": train_per_frame}, layout.media(out)),
        "made": made_parts,
        "libraries": libraries(first.attributes()),
        "key": made_by["key"],
    }
    pictures.save(layout.media(out) / "wheel.png", colours.colour_wheel(WHEEL_PIXELS))
    layout.page(out).write_text(page.render("report.html.j2", values), encoding="utf-8")


@dataclass(frozen=True)
class Folders:
    clips: Path
    maps: MapFolders
    optical_flow: Path
    synthesize: Path
    synthesize_per_frame: Path

    def clip(self, row: Mapping[Hashable, Any]) -> "ShownClip":
        """By its row of the index."""
        clip, folders = row["clip"], self.maps.of(row["clip"])
        fakes = {
            "vid2vid": layout.arrays(self.synthesize / clip, "frames"),
            "per_frame": layout.arrays(self.synthesize_per_frame / clip, "frames"),
        }
        return ShownClip(
            clip,
            range(row["start"], row["start"] + row["num_frames"]),
            arrays.reading(layout.arrays(self.clips / clip, "frames")),
            folders.files(),
            ClipMaps(folders, MapKind.of(folders)),
            arrays.reading(layout.arrays(self.optical_flow / clip, "optical_flow")),
            {method: arrays.reading(path) for method, path in fakes.items() if path.is_file()},
        )


@dataclass(frozen=True)
class ShownClip:
    name: str
    used: range
    """Its frames that were used: all that the page shows. The fake ones are these alone."""
    frames: arrays.Clip
    map_files: dict[str, arrays.Clip]
    """By modality; those that the data set has."""
    maps: ClipMaps
    optical_flow: arrays.Clip
    fakes: dict[str, arrays.Clip]
    """By method; without the ones that were not trained."""

    def attributes(self) -> dict[str, dict[str, Any]]:
        """What made the clip's files, by stage."""
        fakes = {{"vid2vid": "synthesize", "per_frame": "synthesize_per_frame"}[name]: file for name, file in self.fakes.items()}
        files = {"clips": self.frames, **self.map_files, "optical_flow": self.optical_flow, **fakes}
        return {stage: file.attributes for stage, file in files.items()}

    def videos(self) -> dict[str, tuple[str, Callable[[int], np.ndarray]]]:
        """Key -> caption, and the picture at a time, counted from the first frame that was used."""
        first, real = self.used.start, self.frames["rgb"]
        return {
            "maps": (" and ".join(self.maps.kind.names()), lambda t: self.maps.picture(first + t)),
            "real": (METHODS["real"], lambda t: real[first + t]),
            **{method: (METHODS[method], fake["rgb"].__getitem__) for method, fake in self.fakes.items()},
        }


def _shown_clip(clip: ShownClip, media: Path, crf: int) -> dict[str, Any]:
    """Writes a clip's videos and pictures; returns what the page says about it."""
    num_frames, (height, width) = len(clip.used), clip.frames["rgb"].shape[1:3]
    rate = clip.frames.attributes["frames_per_second"]
    videos = []
    for key, (caption, frame) in clip.videos().items():
        stem = media / f"{clip.name}.{key}"
        video.write_mp4(stem.with_name(stem.name + ".mp4"), map(frame, range(num_frames)), rate, crf)
        pictures.save(stem.with_name(stem.name + ".poster.png"), frame(0))
        stills = [frame(t) for t in np.linspace(0, num_frames - 1, STILLS).round().astype(int).tolist()]
        pictures.save(stem.with_name(stem.name + ".stills.png"), pictures.side_by_side(stills, GAP))
        videos.append({"key": key, "caption": caption})
    numerator, denominator = map(int, rate.split("/"))
    size = {"num_frames": num_frames, "height": height, "width": width}
    return {"clip": clip.name, **size, "rate": numerator / denominator, "videos": videos, "maps": _save_maps(clip, media)}


def _save_maps(clip: ShownClip, media: Path) -> dict[str, Any]:
    """Pictures of what is known about the middle frame."""
    middle = len(clip.used) // 2
    t, motion = clip.used[middle], clip.optical_flow
    stride = min(motion.attributes["strides"])
    optical_flow, confidence = motion[f"optical_flow_{stride}"][t], motion[f"confidence_{stride}"][t]
    full = colours.full_length(optical_flow, confidence)
    saved = {
        "frame": clip.frames["rgb"][t],
        **_map_pictures(clip, t),
        "flow": colours.optical_flow_colours(optical_flow, full),
        "confidence": confidence,
    }
    for name, picture in saved.items():
        pictures.save(media / f"{clip.name}.{name}.png", picture)
    return {
        "frame": middle,
        "stride": stride,
        "full": full,
        "confident": float((confidence >= 128).mean()),
        **_counted(clip, t),
        "pictures": list(saved),
    }


def _map_pictures(clip: ShownClip, t: int) -> dict[str, np.ndarray]:
    """Of each modality that there is."""
    rgb, maps, found = clip.frames["rgb"][t], clip.maps, {}
    if maps.kind.palette:
        found["labels"] = pictures.labels_over(rgb, maps.labels([t])[0], maps.kind.palette)
    if maps.kind.instances:
        found["instances"] = pictures.objects_over(rgb, maps.instances([t])[0])
    if maps.kind.edges:
        found["edges"] = maps.kind.drawn(None, maps.edges([t])[0], None)
    if maps.kind.pose:
        found["pose"] = maps.kind.drawn(None, None, maps.poses([t])[0])
    return found


def _counted(clip: ShownClip, t: int) -> dict[str, Any]:
    """Classes and number of objects that are seen in the frame."""
    palette = clip.maps.kind.palette
    present = set(np.unique(clip.maps.labels([t])).tolist()) if palette else set()
    instance = clip.maps.instances([t]) if clip.maps.kind.instances else np.zeros(0, np.uint16)
    return {
        "objects": int(np.unique(instance[instance > 0]).size),
        "legend": [c for c in palette.classes if c.id in present] if palette else [],
    }


def _labelled_by(made_parts: list[Made]) -> dict[str, Any]:
    """Back-end and data set of the labels; empty where there are none."""
    labelling = next((part.parameters for part in made_parts if part.stage == "segmentation"), {})
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
