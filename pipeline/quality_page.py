"""quality -> reports/<dataset>.quality/index.html and quality.csv: the clips, worst first, with pictures of their worst frames.

A clip's score is its worst measure over that measure's limit; clips with a score above 1 are listed as `dataset.exclude` wants them. The
page opens from disk and holds no time, host or path: equal inputs give equal bytes.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from jaxtyping import Bool, UInt8

from pipeline import arrays, layout, manifest, motion, page, palettes, params, pictures, pose_map, steadiness

GAP = 4
ROWS = 100
"""How many clips the page's table has; quality.csv has all."""
RED = (230, 40, 40)


@dataclass(frozen=True)
class Measure:
    key: str
    name: str
    meaning: str
    per_frame: str
    """What the number of the worst frame is."""
    as_share: bool
    shown: str
    """What the pictures are, from left to right."""


MEASURES = (
    Measure(
        "unsure_flow",
        "Unsure optical flow",
        "Share of pixels whose flow to the frame before has a confidence below 128: hidden, blurred or wrongly matched. Training cannot "
        "warp there.",
        "of the pixels of this frame",
        True,
        "the frame before, the frame, and in red where its flow is unsure",
    ),
    Measure(
        "label_flicker",
        "Label flicker",
        "Share of pixels with sure flow whose label is another than that of the frame before, moved along. Flicker in the maps becomes "
        "flicker in the video.",
        "of those pixels in this frame",
        True,
        "the labels before, the labels, and in red where they changed",
    ),
    Measure(
        "object_breaks",
        "Objects that end or begin",
        "Object ids that end or begin away from the border of the picture, per 100 frames: an object that was lost, or has got another "
        "id. Some have really gone behind something.",
        "in this frame",
        False,
        "the frame, the objects before, the objects",
    ),
    Measure(
        "object_jumps",
        "Objects that jump",
        "Objects that are elsewhere, or much larger or smaller, than optical flow moves them, per 100 frames: ids that have changed "
        "places, or masks that fall apart.",
        "in this frame",
        False,
        "the frame, the objects before, the objects",
    ),
    Measure(
        "lost_faces",
        "Lost faces",
        "Share of frames in which no face was found: taken from neighbouring frames (carried), or without edges (missing).",
        "in a row",
        True,
        "the frame, its edges",
    ),
    Measure(
        "lost_people",
        "Lost people",
        "Share of frames in which the person was not found: taken from neighbouring frames (carried), or without a pose (missing).",
        "in a row",
        True,
        "the frame, its pose",
    ),
)


def run(
    clips: Path,
    segmentation: Path | None,
    instances: Path | None,
    optical_flow: Path,
    pose: Path | None,
    edges: Path | None,
    quality: Path,
    out: Path,
    p: params.QualityPage,
    dataset_name: str,
    made_by: dict[str, Any],
) -> None:
    layout.media(out).mkdir()
    limits = p.limits.model_dump()
    ranked = rank(manifest.clips(clips), quality, limits)
    ranked.to_csv(layout.quality_table(out), index=False, lineterminator="\n")
    folders = Folders(clips, segmentation, instances, optical_flow, pose, edges)
    measures = [measure for measure in MEASURES if measure.key in ranked]
    values = {
        "name": dataset_name,
        "num_clips": len(ranked),
        "num_frames": int(ranked["num_frames"].sum()),
        "measures": measures,
        "limits": limits,
        "exclude": json.dumps(excluded(ranked), ensure_ascii=False),
        "num_excluded": len(excluded(ranked)),
        "rows": ranked.head(ROWS).to_dict("records"),
        "worst": {measure.key: _shown(measure, ranked, folders, layout.media(out), p) for measure in measures},
        "number": number,
        "key": made_by["key"],
    }
    layout.page(out).write_text(page.render("quality_page.html.j2", values), encoding="utf-8")


def rank(clips: pd.DataFrame, quality: Path, limits: dict[str, float | None]) -> pd.DataFrame:
    """One row a clip, the worst first: clip, split, num_frames, score; and of each measure its value, <measure>_worst, _frame, _what."""
    rows = []
    for clip in clips.to_dict("records"):
        found = arrays.reading(layout.arrays(quality / clip["clip"], "quality")).attributes["findings"]
        row: dict[str, Any] = {**{name: clip[name] for name in ("clip", "split", "num_frames")}, "score": _score(found, limits)}
        for measure, finding in found.items():
            row |= {measure: finding["value"], **{f"{measure}_{name}": finding[name] for name in ("worst", "frame", "what")}}
        rows.append(row)
    table = pd.DataFrame(rows)
    whole = [f"{measure.key}_frame" for measure in MEASURES if measure.key in table]
    table = table.astype(dict.fromkeys(whole, "Int64"))  # a clip that was not measured has none
    return table.sort_values(["score", "clip"], ascending=[False, True], ignore_index=True)


def _score(found: dict[str, dict[str, Any]], limits: dict[str, float | None]) -> float:
    """How many times its limit the worst measure is; 0 where nothing was measured."""
    return round(max((finding["value"] / limit for name, finding in found.items() if (limit := limits[name])), default=0.0), 4)


def excluded(ranked: pd.DataFrame) -> list[str]:
    return sorted(ranked[ranked["score"] > 1]["clip"])


def number(measure: Measure, value: float) -> str:
    """As it stands on the page; empty where there is none."""
    if pd.isna(value):
        return ""
    return f"{100 * value:.1f} %" if measure.as_share else f"{value:.1f}"


def _shown(measure: Measure, ranked: pd.DataFrame, folders: "Folders", media: Path, p: params.QualityPage) -> list[dict[str, Any]]:
    """The worst clips by one measure, with a picture of each one's worst frame. Clips with nothing to see there are left out."""
    key = measure.key
    rows = ranked[ranked[key] > 0].sort_values([key, "clip"], ascending=[False, True]).head(p.clips)
    shown = []
    for row in rows.to_dict("records"):
        clip, t = row["clip"], int(row[f"{key}_frame"])
        views = [_scaled(view, p.picture_width) for view in PICTURES[key](folders, clip, t)]
        pictures.save(media / f"{clip}.{key}.png", pictures.side_by_side(views, GAP))
        worst = row[f"{key}_worst"]
        in_frame = number(measure, worst) if measure.as_share and not key.startswith("lost") else f"{worst:.0f}"
        limit = p.limits.model_dump()[key]
        shown.append(
            {
                "clip": clip,
                "value": number(measure, row[key]),
                "frame": t,
                "in_frame": in_frame,
                "what": row[f"{key}_what"],
                "over": limit is not None and row[key] > limit,
            }
        )
    return shown


@dataclass(frozen=True)
class Folders:
    """None for what the data set has none of."""

    clips: Path
    segmentation: Path | None
    instances: Path | None
    optical_flow: Path
    pose: Path | None
    edges: Path | None

    def frame(self, clip: str, t: int) -> UInt8[np.ndarray, "h w 3"]:
        return self.open(self.clips, clip, "frames")["rgb"][t]

    def motion(self, clip: str, t: int) -> tuple[np.ndarray, np.ndarray]:
        file = self.open(self.optical_flow, clip, "optical_flow")
        return file["optical_flow_1"][t], file["confidence_1"][t]

    def open(self, folder: Path | None, clip: str, modality: str) -> arrays.Clip:
        assert folder is not None  # what was measured is there
        return arrays.reading(layout.arrays(folder / clip, modality))


def _unsure(folders: Folders, clip: str, t: int) -> list[np.ndarray]:
    rgb = folders.frame(clip, t)
    return [folders.frame(clip, t - 1), rgb, _marked(rgb, folders.motion(clip, t)[1] < steadiness.SURE)]


def _flicker(folders: Folders, clip: str, t: int) -> list[np.ndarray]:
    file, rgb = folders.open(folders.segmentation, clip, "segmentation"), folders.frame(clip, t)
    palette = palettes.from_attributes(file.attributes["palette"])
    before, label = file["label"][t - 1], file["label"][t]
    optical_flow, confidence = folders.motion(clip, t)
    moved = motion.moved(before, optical_flow)
    changed = (moved != label) & steadiness.known_in_both(label, moved, confidence)
    return [palette.paint(before), palette.paint(label), _marked(rgb, changed)]


def _objects(folders: Folders, clip: str, t: int) -> list[np.ndarray]:
    instance = folders.open(folders.instances, clip, "instances")["instance"]
    before, rgb = folders.frame(clip, t - 1), folders.frame(clip, t)
    return [rgb, pictures.objects_over(before, instance[t - 1]), pictures.objects_over(rgb, instance[t])]


def _edges(folders: Folders, clip: str, t: int) -> list[np.ndarray]:
    edge = folders.open(folders.edges, clip, "edges")["edge"][t][..., 0]  # h w; the first channel is the drawing
    return [folders.frame(clip, t), np.repeat(edge[..., None], 3, axis=2)]


def _pose(folders: Folders, clip: str, t: int) -> list[np.ndarray]:
    """The body surface and the points that were found, as far as there are any."""
    drawn = pose_map.pose_map(folders.open(folders.pose, clip, "pose"), t)
    return [folders.frame(clip, t), *np.split(drawn, drawn.shape[-1] // 3, axis=-1)]


PICTURES: dict[str, Callable[[Folders, str, int], list[np.ndarray]]] = {
    "unsure_flow": _unsure,
    "label_flicker": _flicker,
    "object_breaks": _objects,
    "object_jumps": _objects,
    "lost_faces": _edges,
    "lost_people": _pose,
}


def _marked(rgb: UInt8[np.ndarray, "h w 3"], where: Bool[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Red on a grey picture."""
    grey = np.repeat(rgb.mean(axis=2, keepdims=True) * 0.7 + 60, 3, axis=2).astype(np.uint8)
    return np.where(where[..., None], np.array(RED, np.uint8), grey)


def _scaled(picture: UInt8[np.ndarray, "h w 3"], width: int) -> UInt8[np.ndarray, "height {width} 3"]:
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    smaller = width < picture.shape[1]
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_NEAREST)
