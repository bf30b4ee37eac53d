"""manifest.csv: what a stage made, with the key of each part. Keys chain through it from stage to stage."""

from pathlib import Path

import pandas as pd

from pipeline import layout
from pipeline.errors import InputError, is_machine_fault, one_line

TYPES = {"clip": str, "key": str, "item_key": str, "split": str, "sequence": str}

WHOLE = "*"
"""The `clip` of a result that belongs to the whole data set; that of one split has the split's name."""


def write(folder: Path, rows: pd.DataFrame) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows.to_csv(layout.manifest(folder), index=False, lineterminator="\n")


def read(folder: Path) -> pd.DataFrame:
    """Columns clip, key; of `clips` also item_key, split, sequence, first_frame, frames_per_second, num_frames, labelled, height, width."""
    path = layout.manifest(folder)
    if not path.is_file():
        raise InputError(f"{path} is missing: the stage {folder.name} has not run; `dvc repro` runs stages in order")
    return table(path)


def table(path: Path) -> pd.DataFrame:
    """A table of clips with these columns or some of them. InputError for a file that is none."""
    try:
        rows = pd.read_csv(path, dtype=TYPES, keep_default_na=False)
    except (ValueError, OSError) as error:  # what pandas raises about a damaged file
        if is_machine_fault(error):
            raise
        raise InputError(f"{path}: is no readable table ({one_line(error)}); make it again") from None
    if missing := [name for name in ("clip",) if name not in rows]:
        raise InputError(f"{path}: has no column {missing[0]}; make it again")
    return rows


def keys(folder: Path) -> dict[str, str]:
    rows = read(folder)
    return dict(zip(rows["clip"], rows["key"], strict=True))


def clips(clips_folder: Path, split: str | None = None) -> pd.DataFrame:
    """The clips of a data set, or of one split, in their order."""
    rows = read(clips_folder)
    return rows if split is None else rows[rows["split"] == split]
