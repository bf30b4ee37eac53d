"""`python -m benchmarks.extraction [MODALITY ...] --data FOLDER` prints the table of docs/models.md."""

import argparse
import importlib
from pathlib import Path

from benchmarks.extraction import Row

MODALITIES = ("segmentation", "instances", "optical_flow", "pose", "edges")


def main() -> None:
    parser = argparse.ArgumentParser(description="How near each back-end comes to the truth.")
    parser.add_argument("modality", nargs="*", choices=[*MODALITIES, []], default=[], help="all of them where none is named")
    parser.add_argument("--data", type=Path, required=True, help="folder with the real clips, frames, truths and small weights")
    arguments = parser.parse_args()
    print("| modality | back-end | data | measure | value | beside |\n|---|---|---|---|---|---|")
    for modality in arguments.modality or MODALITIES:
        for row in rows(modality, arguments.data):
            print("| " + " | ".join(vars(row).values()) + " |", flush=True)


def rows(modality: str, data: Path) -> list[Row]:
    found: list[Row] = importlib.import_module(f"benchmarks.extraction.{modality}").rows(data)
    return found


if __name__ == "__main__":
    main()
