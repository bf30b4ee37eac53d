"""Whether a long video gets worse as it goes on: one clip of the street world, synthesized from labels alone, by parts of 100 frames.

vid2vid makes each frame from the ones it made before, so errors may add up; the same generator per frame cannot drift. Writes drift.csv and
drift.png. With the folder of `benchmarks.ablations` (--keep, equal --size and --steps) nothing is trained again.
"""

import argparse
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot

from benchmarks.measure import machine
from benchmarks.variants import BEFORE, Settings, Variant, make, project
from pipeline import arrays, layout, params, video_network
from pipeline.index import read_index
from pipeline.metrics.frechet_distance import frechet_distance
from pipeline.metrics.image import gradient_energy
from pipeline.metrics.kernel_distance import kernel_distance
from pipeline.metrics.video_features import WindowFeatures
from pipeline.metrics.warping_error import warping_error
from pipeline.params_file import load
from pipeline.video_network import VideoNetwork

PART = 100
METHODS = {"synthesize": "vid2vid", "synthesize_per_frame": "per frame"}
MEASURES = ("video FID", "kernel video distance", "warping error", "gradient energy")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("--steps", type=int, default=180)
    parser.add_argument("--size", default="128x64", help="WIDTHxHEIGHT")
    parser.add_argument("--frames", type=int, default=900)
    parser.add_argument("--keep", type=Path, help="folder of the project, which is left there; what it has is used again")
    parser.add_argument("--out", type=Path, required=True, help="folder of the table and the plot")
    asked = parser.parse_args()
    width, height = map(int, asked.size.split("x"))
    out = asked.out.resolve()
    variants = [Variant("full", per_frame=True), Variant("drift", per_frame=True, long_frames=asked.frames)]
    with (
        tempfile.TemporaryDirectory() as folder,
        project((asked.keep or Path(folder)).resolve(), Settings(width, height, asked.steps, data=None), variants),
    ):
        torch.set_num_threads(1)
        make(variants[0].dataset("street"), ("clips", "segmentation_model"))
        dataset = variants[1].dataset("street")
        make(dataset, (*BEFORE, "train", "train_per_frame", "train_image_generator", *METHODS))
        table = measured(dataset, load(layout.PARAMS).section(params.Evaluate, dataset))
    out.mkdir(exist_ok=True)
    table.to_csv(out / "drift.csv", index=False, float_format="%.6g", lineterminator="\n")
    plot(table, out / "drift.png")
    print(f"{table.to_string(index=False)}\n\n{machine()}")


def measured(dataset: str, p: params.Evaluate) -> pd.DataFrame:
    """A row for each part of the longest test clip and method."""
    network = video_network.load(p.video_network, "cpu")
    test = read_index(layout.stage(dataset, "dataset"), "test")
    clip = str(test.sort_values("num_frames")["clip"].iloc[-1])
    real = arrays.reading(layout.arrays(layout.stage(dataset, "clips") / clip, "frames"))
    flow = arrays.reading(layout.arrays(layout.stage(dataset, "optical_flow") / clip, "optical_flow"))
    fakes = {stage: arrays.reading(layout.arrays(layout.stage(dataset, stage) / clip, "frames")) for stage in METHODS}
    rows = []
    for first in range(0, len(real["rgb"]), PART):
        frames = range(first, min(first + PART, len(real["rgb"])))
        features = _features(real, frames, network, p.video_network)
        for stage, fake in fakes.items():
            values = _values(fake, real, flow, frames, features, _features(fake, frames, network, p.video_network))
            rows.append({"first_frame": first, "method": METHODS[stage], **dict(zip(MEASURES, values, strict=True))})
    return pd.DataFrame(rows)


def _values(
    fake: arrays.Clip, real: arrays.Clip, flow: arrays.Clip, frames: range, of_real: np.ndarray, of_fake: np.ndarray
) -> tuple[float, ...]:
    """In the order of MEASURES."""
    energies = [(gradient_energy(fake["rgb"][t]), gradient_energy(real["rgb"][t])) for t in frames]
    of_part, of_real_part = np.mean(energies, axis=0)
    errors = _warping_errors(fake, flow, frames)
    return frechet_distance(of_real, of_fake), kernel_distance(of_real, of_fake), float(np.mean(list(errors))), of_part / of_real_part


def _warping_errors(fake: arrays.Clip, flow: arrays.Clip, frames: range) -> Iterator[float]:
    for t in islice(frames, 0 if frames.start else 1, None):
        error = warping_error(
            fake["rgb"][t], fake["rgb"][t - 1], optical_flow=flow["optical_flow_1"][t], confidence=flow["confidence_1"][t]
        )
        if error is not None:
            yield error


def _features(video: arrays.Clip, frames: range, network: VideoNetwork, p: params.VideoNetwork) -> np.ndarray:
    windows = WindowFeatures(network.prepare, network.features, length=p.window_frames, stride=p.window_stride)
    for t in frames:
        windows.see(video["rgb"][t])
    return np.stack(windows.features)


def plot(table: pd.DataFrame, path: Path) -> None:
    matplotlib.use("agg")
    figure, axes = pyplot.subplots(2, 2, figsize=(7, 4.2), sharex=True, layout="constrained")
    for measure, axis in zip(MEASURES, axes.flat, strict=True):
        for method, rows in table.groupby("method", sort=False):
            axis.plot(rows["first_frame"] + PART / 2, rows[measure], marker=".", label=method)
        axis.set(title=measure, ylim=(0, None))
    for axis in axes[1]:
        axis.set_xlabel("frame")
    axes[0, 0].legend()
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
