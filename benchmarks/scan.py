"""Scanning a raw folder: the first time (every file is read and hashed) and again (stat alone), against walking it and nothing else."""

import argparse
import os
import subprocess
import tempfile
from contextlib import chdir
from pathlib import Path

from benchmarks.measure import in_turns, python, ratio, row, seconds_of, show, walls
from pipeline import scan

FILES_IN_A_FOLDER = 30


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scan", description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        raw = Path("raw")
        write(raw, asked.files)
        first = seconds_of(lambda: scan.run("many", raw))
        taken = in_turns(
            {
                "again": lambda: scan.run("many", raw),
                "walk": lambda: walk(raw),
                "find": lambda: subprocess.run(["find", "raw", "-type", "f", "-size", "+0"], stdout=subprocess.DEVNULL, check=True),
            },
            asked.rounds,
        )
        start = [seconds_of(lambda: python(Path(__file__).parents[1], "pipeline", "--help")) for _ in range(asked.rounds)]
    again, walked = taken["again"], taken["walk"]
    against = f"os.walk and stat: {walls(walked)}; find: {walls(taken['find'])}"
    show(
        [
            row(
                f"first scan of {asked.files:,} files of 100 bytes, just written",
                walls([first]),
                against,
                f"{ratio([first], walked):.1f} x",
            ),
            row("second scan", walls(again), against, f"{ratio(again, walked):.1f} x", "5 s"),
            row("`python -m pipeline` starting, beside either", walls(start)),
        ]
    )


def write(raw: Path, files: int) -> None:
    for number in range(files):
        path = raw / f"{number // FILES_IN_A_FOLDER:05d}" / f"{number:06d}.png"
        if number % FILES_IN_A_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(f"{number:0100d}".encode())


def walk(raw: Path) -> None:
    for folder, _, names in os.walk(raw):
        for name in names:
            os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118 - the least that can be done


if __name__ == "__main__":
    main()
