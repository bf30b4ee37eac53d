"""Peak memory of the stage `segmentation` with a real network on one clip of large frames, in a process of its own."""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.measure import row, show
from pipeline import arrays, layout, palettes, params, segmentation
from pipeline.deeplabv3 import Segmenter

CASES: dict[str, dict[str, Any]] = {
    "batches of 1": {"batch_size": 1, "options": {}},
    "batches of 4": {"batch_size": 4, "options": {}},
    "batches of 1 in tiles of 640, overlap 256": {"batch_size": 1, "options": {"tile": 640, "overlap": 256}},
    "batches of 1 in bfloat16": {"batch_size": 1, "options": {"precision": "bfloat16"}},
}
"""Values of `segmentation`."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.extraction_memory", description=__doc__)
    parser.add_argument("--size", default="2048x1024")
    parser.add_argument("--frames", type=int, default=20, help="of the clip that the networks see")
    parser.add_argument("--architecture", default="deeplabv3_resnet101")
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--job", nargs=2, metavar=("FOLDER", "VALUES"), help="what a process of its own does")
    asked = parser.parse_args()
    if asked.job:
        print(peak(Path(asked.job[0]), json.loads(asked.job[1])))
        return
    with tempfile.TemporaryDirectory() as folder:
        show(_rows(Path(folder), asked))


def _rows(root: Path, asked: argparse.Namespace) -> list[str]:
    width, height = map(int, asked.size.split("x"))
    _write_model(root, asked.architecture)
    write_clip(root / "clip", asked.frames, width, height)
    return [
        row(
            f"peak memory: {asked.architecture} on {asked.frames} frames of {asked.size}, {name}",
            f"{_in_its_own_process(root, CASES[name]):.2f} GB",
            aim="6 GB",
        )
        for name in asked.cases
    ]


def _write_model(root: Path, architecture: str) -> None:
    """Random weights: memory does not depend on them."""
    Segmenter.untrained(architecture, palettes.load("cityscapes"), 1.0, "cpu").save(layout.segmentation_checkpoint(root))


def write_clip(folder: Path, frames: int, width: int, height: int) -> None:
    """Coarse noise that moves: small on disk."""
    folder.mkdir(exist_ok=True)
    coarse = np.random.default_rng(0).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3)).astype(np.uint8)
    picture = coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    with arrays.writing(layout.arrays(folder, "frames"), {}) as writer:
        for t in range(frames):
            writer.append("rgb", np.roll(picture, t, axis=1))


def _in_its_own_process(root: Path, values: dict[str, Any]) -> float:
    command = [sys.executable, "-m", "benchmarks.extraction_memory", "--job", str(root), json.dumps(values)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def peak(root: Path, values: dict[str, Any]) -> float:
    """GB of this process, imports included, once the stage has done the clip."""
    torch.set_num_threads(1)  # as in a worker
    out = root / "out"
    out.mkdir(exist_ok=True)
    p = params.Segmentation.model_validate({"backend": "deeplabv3", "weights_from": "any", **values})
    segmentation.run_clip(root / "clip", root, out, p, {}, "cpu")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()
