"""`python -m flows.make DATASET`: what `make demo` calls. Scans, runs `dvc repro` up to the report, and says where that lies."""

import argparse
import subprocess
import sys
from pathlib import Path

from flows import environment
from flows.dvc_project import DVC
from pipeline import layout, new_dataset, params, prepare
from pipeline.errors import InputError
from pipeline.params_file import load


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m flows.make", description="The whole journey of one data set.")
    parser.add_argument("dataset")
    parser.add_argument("--path", help="folder of the raw files: adds the data set from the catalog if it is not there yet")
    asked = parser.parse_args()
    try:
        if asked.path is not None:
            _add(asked.dataset, Path(asked.path))
        all_params = load(layout.PARAMS)
        all_params.require(asked.dataset)
        for dataset in {asked.dataset, all_params.section(params.Segmentation, asked.dataset).weights_from}:
            prepare.run(dataset)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    status = subprocess.run([*DVC, "repro", f"report@{asked.dataset}"], env=environment.for_tools()).returncode
    if status == 0:
        print(f"\nopen {layout.page(layout.stage(asked.dataset, 'report'))}")
    return status


def _add(dataset: str, path: Path) -> None:
    """From the catalog, if it is not there yet; from another folder than before is refused."""
    all_params = load(layout.PARAMS)
    if dataset not in all_params.datasets():
        new_dataset.run(dataset, path, like=dataset)
    elif (known := getattr(all_params.source(dataset), "path", None)) != str(path.expanduser().resolve()):
        raise InputError(f"{layout.PARAMS}: datasets.{dataset}.source.path is {known}, not {path}: change it there")


if __name__ == "__main__":
    sys.exit(main())
