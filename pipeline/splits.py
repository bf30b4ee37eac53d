"""A table of which sequences are for training and which for testing, written by hand or by a program: `source.splits`."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from pipeline import params
from pipeline.errors import InputError, is_machine_fault, one_line

SPLITS = ("train", "test", "none")


def read(source: params.Videos | params.Frames | params.FaceForensics, sequences: Collection[str]) -> dict[str, str]:
    """Sequence -> train, test or none. InputError for a table that names others, twice, or another split."""
    assert source.splits
    path = Path(source.path).expanduser() / source.splits
    rows = _rows(path)
    wrong = rows[~rows["split"].isin(SPLITS)]
    if not wrong.empty:
        first = wrong.iloc[0]
        raise InputError(f"{path}: the split of {first['sequence']} is {first['split']!r}; there are {', '.join(SPLITS)}")
    if twice := rows["sequence"][rows["sequence"].duplicated()].tolist():
        raise InputError(f"{path}: {twice[0]} stands there twice")
    if unknown := sorted(set(rows["sequence"]) - set(sequences)):
        raise InputError(f"{path}: there is no {unknown[0]} in {source.path}; there are {', '.join(sorted(sequences)[:10]) or 'none'}")
    return dict(zip(rows["sequence"], rows["split"], strict=True))


def problem(source: params.Videos | params.Frames | params.FaceForensics, sequence: str, split: str | None) -> str:
    """Of a sequence that the table forgot: it fails by itself, the others go on."""
    return f"has no row in {source.splits}: give it the split train, test or none" if source.splits and split is None else ""


def _rows(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"source.splits: there is no {path}; a table with columns sequence, split is needed")
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, usecols=["sequence", "split"])
    except Exception as error:
        if is_machine_fault(error):
            raise
        raise InputError(f"{path}: is no table with columns sequence, split ({one_line(error)})") from None
