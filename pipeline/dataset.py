"""clips, segmentation, instances, optical_flow -> dataset: for each split one checked table of clips, and class shares."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import arrays, layout, manifest, palettes, params
from pipeline.errors import InputError
from pipeline.index import write_index
from pipeline.palettes import Palette


def run_split(split: str, clips: Path, segmentation: Path, instances: Path, optical_flow: Path, out: Path, p: params.Dataset) -> None:
    rows = _included(clips, split, p.exclude)
    folders = {"frames": clips, "segmentation": segmentation, "instances": instances, "optical_flow": optical_flow}
    palette = _palette_of(segmentation / rows["clip"].iloc[0])
    described = [_described(clip, folders, palette) for clip in rows.to_dict("records")]
    rows["confidence"] = [clip["confidence"] for clip in described]
    write_index(out, split, rows)
    _class_shares(np.sum([clip["pixels"] for clip in described], axis=0), palette).to_csv(
        layout.class_table(out, split), index=False, float_format="%.6f", lineterminator="\n"
    )


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


def _palette_of(segmentation: Path) -> Palette:
    return palettes.from_attributes(arrays.reading(layout.arrays(segmentation, "segmentation")).attributes["palette"])


def _described(clip: Mapping[Hashable, Any], folders: dict[str, Path], palette: Palette) -> dict[str, Any]:
    """Checks that the files of one clip fit together; counts its labels."""
    name = clip["clip"]
    files = {modality: arrays.reading(layout.arrays(folder / name, modality)) for modality, folder in folders.items()}
    shape = (clip["num_frames"], clip["height"], clip["width"])
    for modality, file in files.items():
        for array in file.names():
            if file[array].shape[:3] != shape:
                raise InputError(f"{folders[modality] / name}: {array} has shape {file[array].shape[:3]}, the clip's frames have {shape}")
    if _palette_of(folders["segmentation"] / name) != palette:
        raise InputError(f"{folders['segmentation'] / name}: another palette than the first clip's {palette.name}")
    pixels = sum((np.bincount(label.ravel(), minlength=256) for label in files["segmentation"].frames("label")), np.zeros(256, np.int64))
    unknown = sorted(set(np.flatnonzero(pixels).tolist()) - set(palette.names()) - {palettes.VOID})
    if unknown:
        raise InputError(f"{folders['segmentation'] / name}: label id {unknown[0]} is not in palette {palette.name}")
    return {"pixels": pixels, "confidence": _mean_confidence(files["optical_flow"])}


def _mean_confidence(optical_flow: arrays.Clip) -> float:
    """0..1, at the smallest stride, without the first frames, which have no flow."""
    stride = min(optical_flow.attributes["strides"])
    confidences = [frame.mean() / 255 for frame in optical_flow.frames(f"confidence_{stride}")][stride:]
    return round(float(np.mean(confidences)), 4) if confidences else 0.0


def _class_shares(pixels: np.ndarray, palette: Palette) -> pd.DataFrame:
    names = {**palette.names(), palettes.VOID: "void"}
    shares = pixels[list(names)] / pixels.sum()
    return pd.DataFrame({"id": list(names), "class": list(names.values()), "share": shares})
