"""What has to be done before a `dvc repro`: scan the raw files, and give the store what DVC fetched."""

from pathlib import Path

import pandas as pd

from pipeline import layout, scan, store_care
from pipeline.params_file import load


def run(dataset: str) -> pd.DataFrame:
    """Returns the table of raw files. InputError where params.yaml or the raw folder is wrong."""
    all_params = load(layout.PARAMS)
    all_params.require(dataset)
    path = getattr(all_params.source(dataset), "path", None)
    store_care.adopt(dataset)
    return scan.run(dataset, Path(path).expanduser() if path else None)
