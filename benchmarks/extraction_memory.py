"""Peak memory of a stage that works on one clip, in a process of its own: a real network on large frames; a long clip, a short one."""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import row, show
from pipeline import arrays, layout, palettes, params

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
    parser.add_argument("--long", nargs=2, type=int, default=[60, 1200], help="frames of the two clips that the cheap back-end sees")
    parser.add_argument("--job", nargs=3, metavar=("STAGE", "FOLDER", "VALUES"), help="what a process of its own does")
    asked = parser.parse_args()
    if asked.job:
        print(peak(asked.job[0], Path(asked.job[1]), json.loads(asked.job[2])))
        return
    with tempfile.TemporaryDirectory() as folder:
        show(_rows(Path(folder), asked))


def _rows(root: Path, asked: argparse.Namespace) -> list[str]:
    size, found = asked.size, []
    width, height = map(int, size.split("x"))
    if asked.cases:
        _write_model(root, asked.architecture)
        write_clip(root / "clip", asked.frames, width, height)
    for name in asked.cases:
        taken = _in_its_own_process("segmentation", root, CASES[name])
        found.append(row(f"peak memory: {asked.architecture} on {asked.frames} frames of {size}, {name}", f"{taken:.2f} GB", aim="6 GB"))
    short, long = (_canny(root, frames, width, height) for frames in asked.long)
    what = f"peak memory: edges (canny) on {asked.long[1]} frames of {size}, against {asked.long[0]}"
    return [*found, row(what, f"{long:.3f} GB", f"{short:.3f} GB", f"{long / short:.3f}", "1.05")]


def _canny(root: Path, frames: int, width: int, height: int) -> float:
    write_clip(root / "clip", frames, width, height)
    return _in_its_own_process("edges", root, {"options": {}})


def _write_model(root: Path, architecture: str) -> None:
    """Random weights: memory does not depend on them."""
    from pipeline.deeplabv3 import Segmenter  # imports torch, which the cheap back-end does without

    Segmenter.untrained(architecture, palettes.load("cityscapes"), 1.0, "cpu").save(layout.segmentation_checkpoint(root))


def write_clip(folder: Path, frames: int, width: int, height: int) -> None:
    """Coarse noise that moves: small on disk."""
    folder.mkdir(exist_ok=True)
    coarse = np.random.default_rng(0).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3)).astype(np.uint8)
    picture = coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    with arrays.writing(layout.arrays(folder, "frames"), {}) as writer:
        for t in range(frames):
            writer.append("rgb", np.roll(picture, t, axis=1))


def _in_its_own_process(stage: str, root: Path, values: dict[str, Any]) -> float:
    command = [sys.executable, "-m", "benchmarks.extraction_memory", "--job", stage, str(root), json.dumps(values)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def peak(stage: str, root: Path, values: dict[str, Any]) -> float:
    """GB of this process, imports included, once the stage has done the clip."""
    out = root / "out"
    out.mkdir(exist_ok=True)
    if stage == "segmentation":
        import torch

        from pipeline import segmentation

        torch.set_num_threads(1)  # as in a worker
        p = params.Segmentation.model_validate({"backend": "deeplabv3", "weights_from": "any", **values})
        segmentation.run_clip(root / "clip", root, out, p, {}, "cpu")
    else:
        from pipeline import edges

        gaps = {"backend": "canny", "carry": 0, "missing": "refuse", "smooth": 0.0}
        edges.run_clip(root / "clip", out, params.Edges.model_validate({**gaps, **values}), {}, "cpu")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()
