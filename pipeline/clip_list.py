"""data/<dataset>.clips.csv: every clip with its split. For people: kept in git, so that a diff shows what a change of settings did."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import layout, manifest
from pipeline.errors import InputError

COLUMNS = ["clip", "split", "sequence", "first_frame", "num_frames", "seconds", "frames_per_second", "width", "height", "labelled"]


def write(dataset: str) -> None:
    """From what the stage `clips` made."""
    rows = manifest.read(layout.stage(dataset, "clips"))
    rows["seconds"] = [seconds(row) for row in rows.to_dict("records")]
    rows.to_csv(layout.clip_list(dataset), columns=COLUMNS, index=False, lineterminator="\n")


def seconds(clip: Mapping[Any, Any]) -> float:
    return round(clip["num_frames"] / float(Fraction(clip["frames_per_second"])), 3)


def per_split(clips: pd.DataFrame) -> pd.DataFrame:
    """Rows train, test; columns clips, frames, seconds, sizes, labelled (frames)."""
    sizes = clips["width"].astype(str) + "x" + clips["height"].astype(str)
    groups = clips.assign(sizes=sizes).groupby("split")
    rows = pd.DataFrame(
        {
            "clips": groups.size(),
            "frames": groups["num_frames"].sum(),
            "seconds": groups["seconds"].sum().round(1),
            "sizes": groups["sizes"].agg(lambda column: ", ".join(sorted(set(column)))),
            "labelled": groups["labelled"].sum(),
        }
    )
    return rows.reindex([split for split in ("train", "test") if split in rows.index])


def described(dataset: str) -> str:
    """What `python -m pipeline describe` prints. InputError where the stage `clips` has not run."""
    if not layout.clip_list(dataset).is_file():
        raise InputError(f"{layout.clip_list(dataset)} is missing: `dvc repro clips@{dataset}` makes it")
    folder = layout.stage(dataset, "dataset")
    parts = [f"{dataset}, by {layout.clip_list(dataset)}:", per_split(manifest.table(layout.clip_list(dataset))).to_string()]
    tables = {split: layout.class_table(folder, split) for split in ("train", "test")}
    if all(table.is_file() for table in tables.values()):
        parts += [
            "",
            "Share of each class in the pixels of the clips that are used:",
            _shares(tables).to_string(na_rep="", float_format="%.4f"),
        ]
    quality = layout.page(layout.stage(dataset, "quality_page"))
    if quality.is_file():
        parts += ["", f"What the maps are worth, clip by clip: {quality}"]
    return "\n".join(parts)


def _shares(tables: Mapping[str, Path]) -> pd.DataFrame:
    read = {split: pd.read_csv(table, dtype={"class": str}).set_index("class")["share"] for split, table in tables.items()}
    shares = pd.DataFrame(read)
    return shares[shares.max(axis="columns") > 0].sort_values("train", ascending=False)
