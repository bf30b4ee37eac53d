"""Frames of the built-in street world a second, on one core, with labels, instances, true optical flow and visibility.

Against what a filmed street costs that has labels: the same frames, labels and instances decoded from PNG files, and the optical flow
measured by OpenCV's DIS from each frame to the earlier one and back, as the stage does for its confidence. A slower world would make the
first stage of the demo the slowest. Both sides begin anew with each clip: building the world counts.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.measure import Seconds, in_turns, row, show, spread
from pipeline.extractors.optical_flow import opencv_dis
from pipeline.street_world import RenderedFrame, render

AIM = 20
STRIDES = ((1, 3), (1, 3, 9))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.street_world", description=__doc__)
    parser.add_argument("--size", default="256x128", help="WIDTHxHEIGHT")
    parser.add_argument("--frames", type=int, default=16, help="of a clip")
    parser.add_argument("--clips", type=int, default=4, help="in each round")
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    width, height = map(int, asked.size.split("x"))
    rows: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(asked.clips):
            _write_png(_rendered(seed, asked.frames, width, height, ()), Path(folder) / f"{seed}")
        for strides in STRIDES:
            sides = {
                "rendered": partial(_render_all, asked.clips, asked.frames, width, height, strides),
                "files": partial(_read_and_measure_all, Path(folder), strides),
            }
            taken = in_turns(sides, asked.rounds)
            rows += _rows(f"{asked.size}, strides {', '.join(map(str, strides))}", taken, asked.clips * asked.frames)
    show(rows)


def _rows(what: str, taken: dict[str, list[Seconds]], num_frames: int) -> list[str]:
    rows = []
    for unit, name in (("second", "wall"), ("CPU second", "cpu")):
        rates = {side: [num_frames / getattr(seconds, name) for seconds in of_side] for side, of_side in taken.items()}
        times = statistics.median(rates["rendered"]) / statistics.median(rates["files"])
        measured, against = (spread(rates[side], "frames") for side in ("rendered", "files"))
        rows.append(row(f"{what}: a {unit}", measured, f"PNG and DIS: {against}", f"{times:.2f} x", f"{AIM} frames"))
    return rows


def _rendered(seed: int, num_frames: int, width: int, height: int, strides: Sequence[int]) -> list[RenderedFrame]:
    return list(render(seed=seed, num_frames=num_frames, width=width, height=height, strides=strides, approach=False))


def _render_all(num_clips: int, num_frames: int, width: int, height: int, strides: Sequence[int]) -> None:
    for seed in range(num_clips):
        _rendered(seed, num_frames, width, height, strides)


def _write_png(frames: list[RenderedFrame], folder: Path) -> None:
    folder.mkdir()
    for t, frame in enumerate(frames):
        for name, picture in (("rgb", frame.rgb[..., ::-1]), ("label", frame.label), ("instance", frame.instance)):
            cv2.imwrite(str(folder / f"{t:03d}.{name}.png"), picture)


def _read_and_measure_all(root: Path, strides: Sequence[int]) -> None:
    measure = opencv_dis.build(preset="medium")
    for folder in sorted(root.iterdir()):
        frames, _, _ = ([_read(path) for path in sorted(folder.glob(f"*.{name}.png"))] for name in ("rgb", "label", "instance"))
        for stride in strides:
            for earlier, later in zip(frames, frames[stride:], strict=False):
                measure(later[None], earlier[None])
                measure(earlier[None], later[None])


def _read(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None, path
    return picture[..., ::-1] if picture.ndim == 3 else picture


if __name__ == "__main__":
    main()
