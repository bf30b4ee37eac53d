"""That each benchmark still runs and prints its rows, at a tiny size; what it measures is for benchmarks/README.md."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

TINY = {
    "scan": ["--files", "60", "--rounds", "1"],
    "importing": ["--frames", "4", "--source-size", "64x32", "--size", "32x16", "--rounds", "1"],
    "windows": ["--sizes", "32x16", "--windows", "2", "--rounds", "1"],
    "training_step": ["--size", "64x32", "--steps", "1", "--rounds", "1"],
    "synthesis": ["--size", "64x32", "--frames", "5", "--batch", "2", "--rounds", "1"],
    "multiply_adds": ["--cases", "sample-street, 256x128"],
    "extraction_memory": [
        *("--size", "64x32", "--frames", "2", "--architecture", "deeplabv3_mobilenet_v3_large"),
        *("--cases", "batches of 1", "batches of 1 in bfloat16"),
    ],
    "street_world": ["--size", "32x16", "--frames", "2", "--clips", "1", "--rounds", "1"],
    "extraction_speed": [
        *("--backends", "edges canny", "optical_flow opencv_dis medium", "--sizes", "32x32", "--frames", "3", "--rounds", "1"),
        *("--memory-size", "32x32", "--memory-frames", "2", "4", "--worker-clips", "2"),
    ],
    "orchestration": ["--clips", "4", "--rounds", "1"],
    "repro": ["--clips", "14", "--rounds", "1"],
}
MARKS = {"orchestration": pytest.mark.server, "repro": pytest.mark.slow}


def test_every_script_is_run_here() -> None:
    scripts = {path.stem for path in (REPOSITORY / "benchmarks").glob("*.py") if 'if __name__ == "__main__"' in path.read_text()}
    assert scripts - {"tiny_stage", "many_clips", "ablations", "drift"} == set(TINY)  # of the last two: test_ablations.py


@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, ())) for name in TINY])
def test_a_benchmark_prints_a_table(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *TINY[name]],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    header, line, *rows = done.stdout.splitlines()
    assert header.startswith("| what | measured |") and set(line) == {"|", "-"}
    assert len([row for row in rows if re.fullmatch(r"\|( [^|]* \|){5}", row)]) >= 2, done.stdout


def test_the_table_of_back_ends_against_truth_is_one_command(shared_data):
    command = [sys.executable, "-m", "benchmarks.extraction", "pose", "--data", str(shared_data)]
    done = subprocess.run(command, cwd=REPOSITORY, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    header, _, *rows = done.stdout.splitlines()
    assert header == "| modality | back-end | data | measure | value | beside |"
    round_trips = [row for row in rows if "read and written again" in row]
    assert len(round_trips) == 3 and all("| 0 |" in row for row in round_trips), done.stdout
