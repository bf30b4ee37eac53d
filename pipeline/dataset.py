"""clips, segmentation, instances, optical_flow, pose, edges -> dataset: for each split one checked table of clips, and class shares.

Of a clip with frames that show no face or person, the longest part without them is used; what is too short is left out and listed.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import arrays, layout, manifest, palettes, params
from pipeline.errors import InputError
from pipeline.index import write_index
from pipeline.maps import MapFolders, MapKind, usable
from pipeline.palettes import Palette

POINTS = ("keypoints", "landmarks")
"""Arrays that have no pixels: `t ...`; all others are `t h w ...`."""


def run_split(
    split: str,
    clips: Path,
    segmentation: Path | None,
    instances: Path | None,
    optical_flow: Path,
    pose: Path | None,
    edges: Path | None,
    out: Path,
    p: params.Dataset,
) -> None:
    folders = Folders(clips, optical_flow, MapFolders(segmentation, instances, edges, pose))
    rows, left_out = _used(_included(clips, split, p.exclude), folders.maps, p.min_frames)
    if left_out:
        pd.DataFrame(left_out).to_csv(layout.clips_left_out(out), index=False, lineterminator="\n")
    if not rows:
        raise InputError(f"dataset: every {split} clip is left out; the first is {left_out[0]['clip']}: {left_out[0]['reason']}")
    kind = MapKind.of(folders.maps.of(rows[0]["clip"]))
    described = [_described(clip, folders, kind) for clip in rows]
    index = pd.DataFrame([{**clip, "confidence": found["confidence"]} for clip, found in zip(rows, described, strict=True)])
    write_index(out, split, index)
    if kind.palette:
        _class_shares(np.sum([clip["pixels"] for clip in described], axis=0), kind.palette).to_csv(
            layout.class_table(out, split), index=False, float_format="%.6f", lineterminator="\n"
        )


@dataclass(frozen=True)
class Folders:
    clips: Path
    optical_flow: Path
    maps: MapFolders

    def files(self, clip: str) -> dict[Path, arrays.Clip]:
        """All files of a clip, by their folders."""
        found = {"frames": self.clips, "optical_flow": self.optical_flow, **{name: path for name, path in vars(self.maps).items() if path}}
        return {path / clip: arrays.reading(layout.arrays(path / clip, modality)) for modality, path in found.items()}


def _included(clips: Path, split: str, exclude: list[str]) -> pd.DataFrame:
    unknown = sorted(set(exclude) - set(manifest.clips(clips)["clip"]))
    if unknown:
        raise InputError(f"dataset.exclude: there is no clip {unknown[0]}")
    rows = manifest.clips(clips, split)
    rows = rows[~rows["clip"].isin(exclude)].drop(columns=["key", "item_key"]).reset_index(drop=True)
    if rows.empty:
        raise InputError(
            f"dataset: there are no {split} clips: both splits are needed (see the source's test_... settings and dataset.exclude)"
        )
    return rows


def _used(clips: pd.DataFrame, maps: MapFolders, min_frames: int) -> tuple[list[dict[Hashable, Any]], list[dict[str, Any]]]:
    """Clips with the part of each that is used (`start`, `num_frames`), and those that are left out. One without a gap is used whole."""
    rows, left_out = [], []
    for clip in clips.to_dict("records"):
        num_frames, part = clip["num_frames"], usable(maps.of(clip["clip"]), clip["num_frames"])
        if len(part) < min(min_frames, num_frames):
            reason = f"no face or person is seen in more than {len(part)} frames in a row; dataset.min_frames is {min_frames}"
            left_out.append({"clip": clip["clip"], "split": clip["split"], "num_frames": num_frames, "reason": reason})
        else:
            rows.append({**clip, "start": part.start, "num_frames": len(part)})
    return rows, left_out


def _described(clip: Mapping[Hashable, Any], folders: Folders, kind: MapKind) -> dict[str, Any]:
    """Checks that the files of one clip fit together; counts its labels."""
    name, frames = clip["clip"], range(clip["start"], clip["start"] + clip["num_frames"])
    files = folders.files(name)
    shape = files[folders.clips / name]["rgb"].shape[:3]
    for folder, file in files.items():
        for array in file.names():
            found = file[array].shape[:1] if array in POINTS else file[array].shape[:3]
            if found != shape[: len(found)]:
                raise InputError(f"{folder}: {array} has shape {found}, the clip's frames have {shape}")
    if (found_kind := MapKind.of(folders.maps.of(name))) != kind:
        raise InputError(f"{folders.clips / name}: its maps are {found_kind}, the first clip's are {kind}: all must be of one kind")
    confidence = _mean_confidence(files[folders.optical_flow / name], frames)
    if kind.palette is None or folders.maps.segmentation is None:
        return {"confidence": confidence}
    labelled = folders.maps.segmentation / name
    return {"confidence": confidence, "pixels": _counted(files[labelled]["label"], frames, kind.palette, labelled)}


def _counted(label: arrays.ArrayView, frames: range, palette: Palette, where: Path) -> np.ndarray:
    """Pixels of each id."""
    pixels = sum((np.bincount(label[t].ravel(), minlength=256) for t in frames), np.zeros(256, np.int64))
    unknown = sorted(set(np.flatnonzero(pixels).tolist()) - set(palette.names()) - {palettes.VOID})
    if unknown:
        raise InputError(f"{where}: label id {unknown[0]} is not in palette {palette.name}")
    return pixels


def _mean_confidence(optical_flow: arrays.Clip, frames: range) -> float:
    """0..1, at the smallest stride, without the first frames, which have no flow."""
    stride = min(optical_flow.attributes["strides"])
    confidence = optical_flow[f"confidence_{stride}"]
    means = [confidence[t].mean() / 255 for t in frames[stride:]]
    return round(float(np.mean(means)), 4) if means else 0.0


def _class_shares(pixels: np.ndarray, palette: Palette) -> pd.DataFrame:
    names = {**palette.names(), palettes.VOID: "void"}
    shares = pixels[list(names)] / pixels.sum()
    return pd.DataFrame({"id": list(names), "class": list(names.values()), "share": shares})
