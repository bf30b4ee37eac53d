"""The stages that compute maps: frames a second against a plain loop of the same network over frames in memory, memory, two workers.

The loop has the frames decoded, keeps nothing and writes nothing; it has the same batches and, like a worker, one thread. Weights are
random where the network is the same for any.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from benchmarks.measure import Seconds, in_turns, ratio, row, show, walls
from pipeline import (
    arrays,
    edges,
    extractors,
    instances,
    layout,
    optical_flow,
    palettes,
    params,
    provenance,
    runner,
    segmentation,
    street_world,
)
from pipeline.extractors.edges import Draw
from pipeline.extractors.instances import Find
from pipeline.extractors.optical_flow import Measure
from pipeline.extractors.segmentation import Labels
from pipeline.params_file import load
from pipeline.plan import Job

PARAMS = Path(__file__).parents[1] / "params.yaml"
PALETTE = palettes.load("sample_street")


@dataclass(frozen=True)
class Place:
    """One clip with all truth, and where a stage writes."""

    clip: Path
    out: Path
    device: str

    @property
    def rgb(self) -> np.ndarray:
        frames: np.ndarray = arrays.reading(layout.arrays(self.clip, "frames"))["rgb"][:]
        return frames


@dataclass(frozen=True)
class Sides:
    stage: Callable[[], object]
    """The stage itself."""
    plain: Callable[[], object]
    also: dict[str, Callable[[], object]]
    """More to set the stage against: the loop with some of what the stage does beside the network."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.extraction_speed", description=__doc__)
    parser.add_argument("--backends", nargs="*", choices=[*BACKENDS, []], default=list(BACKENDS))
    parser.add_argument("--sizes", nargs="+", default=["256x128", "512x256"], help="WIDTHxHEIGHT")
    parser.add_argument("--frames", type=int, default=24, help="of a clip")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--memory-frames", nargs="*", type=int, default=[60, 1200], help="of a clip whose memory is measured")
    parser.add_argument("--memory-size", default="2048x1024")
    parser.add_argument("--worker-clips", type=int, default=16, help="that one worker and two share; 0 = none")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    if asked.memory_of:
        peak_of_one(Path(asked.memory_of))
        return
    rows: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for size in asked.sizes if asked.backends else []:
            place = clip_of(Path(folder) / size, size, asked.frames, asked.device)
            for name in asked.backends:
                rows += compare(f"{name}, {size}, {asked.frames} frames", BACKENDS[name](place), asked.rounds)
        if asked.memory_frames:
            rows += memory(Path(folder), asked.memory_size, asked.memory_frames)
        if asked.worker_clips:
            place = clip_of(Path(folder) / "workers", asked.sizes[-1], asked.frames, asked.device)
            rows += workers(
                place, asked.worker_clips, asked.rounds, f"{asked.worker_clips} clips of {asked.frames} frames, {asked.sizes[-1]}"
            )
    show(rows)


def compare(what: str, sides: Sides, rounds: int) -> list[str]:
    everything = {"stage": sides.stage, "plain loop": sides.plain, **sides.also}
    for work in everything.values():
        work()  # loads and warms up
    taken = in_turns(everything, rounds)
    stage = taken.pop("stage")
    aims = {"plain loop": "0.95"}
    return [
        row(
            what,
            walls(stage),
            f"{name}: {walls(other)}",
            f"{1 / ratio(stage, other):.2f}, CPU {cpu(other) / cpu(stage):.2f}",
            aims.get(name, ""),
        )
        for name, other in taken.items()
    ]


def cpu(taken: list[Seconds]) -> float:
    """Seconds of all threads: says what an added worker would find, and counts what others do on the machine less."""
    return statistics.median(t.cpu for t in taken)


def clip_of(folder: Path, size: str, num_frames: int, device: str) -> Place:
    """The street world with its labels and its own optical flow to the frame before."""
    width, height = map(int, size.split("x"))
    clip, out = folder / "clip", folder / "out"
    clip.mkdir(parents=True)
    out.mkdir()
    drawn = list(street_world.render(seed=0, num_frames=num_frames, width=width, height=height, strides=[1], approach=False))
    with arrays.writing(layout.arrays(clip, "frames"), {}) as writer:
        for frame in drawn:
            writer.append("rgb", frame.rgb)
    about = {"palette": PALETTE.as_attributes(), "labelled_frames": list(range(num_frames))}
    with arrays.writing(layout.arrays(clip, "segmentation"), about) as writer:
        for frame in drawn:
            writer.append("label", frame.label)
    with arrays.writing(layout.arrays(clip, "optical_flow"), {"strides": [1]}) as writer:
        for frame in drawn:
            writer.append("optical_flow_1", frame.optical_flow[1].astype(np.float16))
            writer.append("confidence_1", (255 * frame.visible[1]).astype(np.uint8))
    return Place(clip, out, device)


def section(cls: Any, **changes: Any) -> Any:
    """As params.yaml has it, but for the changes."""
    return load(PARAMS).section(cls, "sample-street").model_copy(update=changes)


def deeplabv3(architecture: str, place: Place) -> Sides:
    import torch  # seconds, which neither the worker processes nor those of the memory need to spend

    from pipeline.deeplabv3 import Segmenter

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = place.out / architecture
    model.mkdir()
    Segmenter.untrained(architecture, PALETTE, 1.0, "cpu").save(layout.segmentation_checkpoint(model))
    p = section(params.Segmentation, backend="deeplabv3", options={})
    labels = cast(Labels, extractors.load(p, clips=place.clip, model=model, device=place.device))
    rgb = place.rgb

    def plain() -> None:
        for t in range(0, len(rgb), p.batch_size):
            labels(rgb[t : t + p.batch_size], range(t, min(t + p.batch_size, len(rgb))))

    return Sides(partial(segmentation.run_clip, place.clip, model, place.out, p, {}, place.device), plain, {})


def flow(backend: str, options: dict[str, Any], place: Place) -> Sides:
    p = section(params.OpticalFlow, backend=backend, options=options, strides=[1])
    measure = cast(Measure, extractors.load(p, clips=place.clip, device=place.device))
    rgb = place.rgb

    def plain() -> None:
        """Both ways, each frame prepared once."""
        prepared = [measure.prepare(frame) for frame in rgb]
        for frame, earlier in zip(prepared[1:], prepared, strict=False):
            measure.between([frame, earlier], [earlier, frame])

    def with_confidence() -> None:
        for by_stride in optical_flow.measured(measure, iter(rgb), [1], p):
            for motion in by_stride.values():
                if isinstance(motion, optical_flow.BothWays):
                    optical_flow.judged(motion, p)

    stage = partial(optical_flow.run_clip, place.clip, place.out, p, {}, place.device)
    return Sides(stage, plain, {"the same loop with confidence": with_confidence})


def canny(place: Place) -> Sides:
    p = section(params.Edges, backend="canny", options={})
    draw = cast(Draw, extractors.load(p, clips=place.clip, device=place.device))
    rgb = place.rgb

    def plain() -> None:
        for t in range(0, len(rgb), edges.BATCH):
            draw(rgb[t : t + edges.BATCH])

    return Sides(partial(edges.run_clip, place.clip, place.out, p, {}, place.device), plain, {})


def components(place: Place) -> Sides:
    p = section(params.Instances, backend="components", options={})
    find = cast(Find, extractors.load(p, clips=place.clip, palette=PALETTE, min_pixels=p.min_pixels, device=place.device))
    rgb, labels = place.rgb, arrays.reading(layout.arrays(place.clip, "segmentation"))["label"][:]

    def plain() -> None:
        for first in range(0, len(rgb), p.batch_size):
            some = slice(first, min(first + p.batch_size, len(rgb)))
            find(rgb[some], labels[some], range(some.start, some.stop))

    return Sides(partial(instances.run_clip, place.clip, place.clip, place.clip, place.out, p, {}, place.device), plain, {})


def raft_small(place: Place) -> Sides:
    """Its weights do not change its speed."""
    import torch
    from torchvision.models.optical_flow import raft_small as network

    torch.set_num_threads(1)
    torch.manual_seed(0)
    weights = place.out / "raft_small.pth"
    torch.save(network(weights=None).state_dict(), weights)
    return flow("torchvision_raft", {"model": "raft_small", "weights": str(weights)}, place)


BACKENDS: dict[str, Callable[[Place], Sides]] = {
    "edges canny": canny,
    "instances components": components,
    "optical_flow opencv_dis medium": partial(flow, "opencv_dis", {"preset": "medium"}),
    "optical_flow torchvision_raft raft_small": raft_small,
    "segmentation deeplabv3_mobilenet_v3_large": partial(deeplabv3, "deeplabv3_mobilenet_v3_large"),
    "segmentation deeplabv3_resnet50": partial(deeplabv3, "deeplabv3_resnet50"),
}


def workers(place: Place, num_clips: int, rounds: int, what: str) -> list[str]:
    """Two processes with a thread each against this one, through the runner; the time they take to start counts."""
    p = section(params.OpticalFlow, backend="opencv_dis", options={"preset": "medium"}, strides=[1])
    number = count()

    def run(workers: int) -> None:
        for outcome in runner.local(workers)([job(place, p, next(number)) for _ in range(num_clips)]):
            assert outcome.state == "computed", outcome

    taken = in_turns({"two": partial(run, 2), "one": partial(run, 1)}, rounds)
    name = f"two workers, optical_flow opencv_dis medium, {what}"
    return [row(name, walls(taken["two"]), f"one worker: {walls(taken['one'])}", f"{1 / ratio(taken['two'], taken['one']):.2f}", "1.8")]


def job(place: Place, p: params.OpticalFlow, number: int) -> Job:
    """Each into an entry of its own, of the same clip."""
    made_by = {"libraries": provenance.library_versions(["pipeline.optical_flow", "pipeline.extractors.optical_flow.opencv_dis"])}
    store = str(place.out / "store")
    return Job("optical_flow", f"clip{number}", f"{number:064x}", store, {"clips": place.clip}, {"p": p}, made_by, "cpu", 1, "")


def memory(folder: Path, size: str, lengths: list[int]) -> list[str]:
    """Of a fresh process for each length, edges by canny: what decodes, computes and writes frames, and keeps none."""
    peaks = []
    for num_frames in lengths:
        clip = folder / f"memory-{num_frames}"
        clip.mkdir()
        width, height = map(int, size.split("x"))
        _write_repeated(clip, width, height, num_frames)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.extraction_speed", "--memory-of", str(clip)], text=True, capture_output=True, check=True
        )
        peaks.append(int(done.stdout) / 1024)
        for file in clip.iterdir():
            file.unlink()
    shortest, *longer = zip(lengths, peaks, strict=True)
    return [
        row(
            f"peak memory of edges canny, {size}, {num_frames} frames",
            f"{peak:.0f} MB",
            f"{shortest[0]} frames: {shortest[1]:.0f} MB",
            f"{peak / shortest[1]:.3f}",
            "1.05",
        )
        for num_frames, peak in longer
    ]


def _write_repeated(clip: Path, width: int, height: int, num_frames: int) -> None:
    """Four smooth pictures in turn: quick to compress."""
    small = np.random.default_rng(0).integers(0, 256, (4, 4, 8, 3)).astype(np.uint8)
    pictures = [cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST) for picture in small]
    with arrays.writing(layout.arrays(clip, "frames"), {}) as writer:
        for t in range(num_frames):
            writer.append("rgb", pictures[t % 4])


def peak_of_one(clip: Path) -> None:
    """Prints this process's high-water mark in KiB after the stage."""
    edges.run_clip(clip, clip, section(params.Edges, backend="canny", options={}), {}, "cpu")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    main()
