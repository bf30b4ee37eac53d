"""manifest.csv: what a stage made, with the key of each part. Keys chain through it from stage to stage."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
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
    with _problems(path):
        rows = pd.read_csv(path, dtype=TYPES, keep_default_na=False)
        if "clip" not in rows:
            raise KeyError("clip")
        return rows


def text_rows(path: Path) -> list[dict[str, str]]:
    """The same as plain text: pandas takes 3 ms for a table of one clip, and there may be thousands."""
    with _problems(path), path.open(newline="", encoding="utf-8") as file:
        return [{"clip": row["clip"], **row} for row in csv.DictReader(file)]


def left_out(clips_folder: Path) -> list[dict[str, str]]:
    """Clips that the stage `clips` did not make: columns item_key, clip, split, num_frames, reason."""
    path = layout.left_out(clips_folder)
    return text_rows(path) if path.is_file() else []


@contextmanager
def _problems(path: Path) -> Iterator[None]:
    """What a damaged file makes its readers raise, in one sentence."""
    try:
        yield
    except KeyError as error:
        raise InputError(f"{path}: has no column {error.args[0]}; make it again") from None
    except (ValueError, OSError, csv.Error) as error:
        if is_machine_fault(error):
            raise
        raise InputError(f"{path}: is no readable table ({one_line(error)}); make it again") from None


def keys(folder: Path) -> dict[str, str]:
    rows = read(folder)
    return dict(zip(rows["clip"], rows["key"], strict=True))


def clips(clips_folder: Path, split: str | None = None) -> pd.DataFrame:
    """The clips of a data set, or of one split, in their order."""
    rows = read(clips_folder)
    return rows if split is None else rows[rows["split"] == split]
