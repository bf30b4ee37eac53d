"""`python -m flows.make DATASET`: what `make demo` calls. Scans, runs `dvc repro` up to the report, and says where that lies."""

import argparse
import subprocess
import sys
from pathlib import Path

from flows import environment
from flows.dvc_project import DVC
from pipeline import layout, new_dataset, prepare
from pipeline.errors import InputError
from pipeline.params_file import load


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m flows.make", description="The whole journey of one data set.")
    parser.add_argument("dataset")
    parser.add_argument("--path", help="folder of the raw files: adds the data set from the catalog if it is not there yet")
    asked = parser.parse_args()
    try:
        if asked.path is not None and asked.dataset not in load(layout.PARAMS).datasets():
            new_dataset.run(asked.dataset, Path(asked.path), like=asked.dataset)
        prepare.run(asked.dataset)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    status = subprocess.run([*DVC, "repro", f"report@{asked.dataset}"], env=environment.for_tools()).returncode
    if status == 0:
        print(f"\nopen {layout.page(layout.stage(asked.dataset, 'report'))}")
    return status


if __name__ == "__main__":
    sys.exit(main())
