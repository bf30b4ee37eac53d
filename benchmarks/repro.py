"""A second `dvc repro` and `dvc status` where nothing is out of date, at the size of Cityscapes and with ten clips; then one clip more.

3,475 clips of five array files each (frames, true labels, labels, instances, optical flow), 500 of them synthesized twice, 104,250
raw files. See many_clips.py for what is real in it. Making the project takes a quarter of an hour or more.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path

from benchmarks import many_clips
from benchmarks.many_clips import DATASET
from benchmarks.measure import Seconds, in_turns, python, ratio, row, seconds_of, show, walls

FEW = 10
COMMANDS = {
    f"`python -m pipeline scan {DATASET}`": ("pipeline", "scan", DATASET),
    f"`dvc status --with-deps report@{DATASET}`": ("dvc", "status", "--with-deps", f"report@{DATASET}"),
    f"second `dvc repro report@{DATASET}`": ("dvc", "repro", f"report@{DATASET}"),
}
UP_TO_DATE = "Data and pipelines are up to date"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.repro", description=__doc__)
    parser.add_argument("--clips", type=int, default=3475)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="folder to make the projects in and leave there; made ones are used again")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        projects = {clips: (asked.keep or Path(folder)).resolve() / str(clips) for clips in (asked.clips, FEW)}
        for clips, root in projects.items():
            if not root.is_dir():
                many_clips.create(root, clips)
        show([*nothing_to_do(projects, asked.clips, asked.rounds), one_more(projects, asked.clips)])


def nothing_to_do(projects: dict[int, Path], many: int, rounds: int) -> list[str]:
    rows = []
    for name, command in COMMANDS.items():
        for root in projects.values():
            printed = python(root, *command)
            assert command[0] == "pipeline" or UP_TO_DATE in printed, printed
        sides = {str(clips): partial(python, root, *command) for clips, root in projects.items()}
        taken = in_turns(sides, rounds)
        rows.append(_row(f"{name}, {many:,} clips", taken[str(many)], taken[str(FEW)], "10 s"))
    return rows


def one_more(projects: dict[int, Path], many: int) -> str:
    """A new test sequence, from the scan to the index of the data set."""
    taken = {}
    for clips, root in projects.items():
        number = sum(1 for _ in (root / "raw" / "frames").iterdir())
        many_clips.add_test_sequence(root, number)
        taken[clips] = [seconds_of(partial(_bring_up_to_date, root))]
    return _row(f"one clip more, scan and `dvc repro dataset@{DATASET}`, {many:,} clips", taken[many], taken[FEW], "")


def _bring_up_to_date(root: Path) -> None:
    python(root, "pipeline", "scan", DATASET)
    printed = python(root, "dvc", "repro", f"dataset@{DATASET}")
    for stage in many_clips.COMPUTED:
        assert f"{stage}@{DATASET}: 1 computed" in printed, printed


def _row(what: str, many: list[Seconds], few: list[Seconds], aim: str) -> str:
    return row(what, walls(many), f"{FEW} clips: {walls(few)}", f"{ratio(many, few):.1f} x", aim)


if __name__ == "__main__":
    main()
