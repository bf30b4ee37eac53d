"""The checked table of a split's clips (<split>.parquet), as the stage `dataset` writes it."""

from pathlib import Path

import pandas as pd

from pipeline import layout
from pipeline.errors import InputError, is_machine_fault, one_line


def write_index(dataset: Path, split: str, rows: pd.DataFrame) -> None:
    rows.to_parquet(layout.index(dataset, split), index=False)


def read_index(dataset: Path, split: str) -> pd.DataFrame:
    """One row a clip, in their order: clip, split, sequence, first_frame, start, num_frames, height, width, confidence.

    Of the clip, `num_frames` frames from `start` on are used. `first_frame` is the clip's own in its sequence.
    """
    path = layout.index(dataset, split)
    try:
        return pd.read_parquet(path)
    except Exception as error:  # of a damaged file, Arrow raises anything
        if is_machine_fault(error):
            raise
        raise InputError(f"{path}: is no readable table ({one_line(error)})") from None
