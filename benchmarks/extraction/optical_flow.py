"""End-point error in pixels, mean over the pixels whose truth is known, beside that of no motion.

RubberWhale's and FlyingChairs' truth runs from the first frame to the second; the street's from a frame to the one k frames earlier,
and counts where that one shows the same point.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from benchmarks.extraction import Row
from pipeline.extractors.optical_flow import Measure, opencv_dis, ptlflow, torchvision_raft
from pipeline.optical_flow import at_size, scaled
from pipeline.street_world import render

STRIDES = (1, 3, 9)
SIZES = ((256, 128), (512, 256))
WORLDS = 2
FRAMES = 12
"""Of each world; those that have an earlier one at each stride are measured."""


@dataclass(frozen=True)
class Pair:
    source: UInt8[np.ndarray, "h w 3"]
    target: UInt8[np.ndarray, "h w 3"]
    truth: Float32[np.ndarray, "h w 2"]
    known: Bool[np.ndarray, "h w"]


Motion = Callable[[Pair], Float32[np.ndarray, "h w 2"]]


def rows(data: Path) -> list[Row]:
    return list(_rows(data))


def _rows(data: Path) -> Iterator[Row]:
    scenes = {"RubberWhale": [[rubber_whale(data)]], "FlyingChairs": [[flying_chairs(data)]]}
    for width, height in SIZES:
        strides = ", ".join(map(str, STRIDES))
        scenes[f"street {width}x{height}, strides {strides}"] = [street(width, height, stride) for stride in STRIDES]
    for scene, groups in scenes.items():
        still = [end_point_error(lambda pair: np.zeros_like(pair.truth), pairs) for pairs in groups]
        for name, motion in backends(data).items():
            found = [end_point_error(motion, pairs) for pairs in groups]
            yield Row("optical_flow", name, scene, "end-point error, px, lower is better", _text(found), f"no motion {_text(still)}")


def backends(data: Path) -> dict[str, Motion]:
    weights = str(data / "weights" / "raft-small.pth")
    medium, raft = opencv_dis.build("medium"), torchvision_raft.build("raft_small", "cpu", weights)
    return {
        "opencv_dis ultrafast": partial(_motion, opencv_dis.build("ultrafast")),
        "opencv_dis fast": partial(_motion, opencv_dis.build("fast")),
        "opencv_dis medium": partial(_motion, medium),
        "opencv_dis medium, scale 0.5": partial(_motion, medium, scale=0.5),
        "opencv_dis medium, scale 2": partial(_motion, medium, scale=2.0),
        "ptlflow raft_small": partial(_motion, ptlflow.build("raft_small", "cpu", weights)),
        "torchvision_raft raft_small": partial(_motion, raft),
        "torchvision_raft raft_small, scale 0.5": partial(_motion, raft, scale=0.5),
        "torchvision_raft raft_small, scale 2": partial(_motion, raft, scale=2.0),
        "torchvision_raft raft_small, bfloat16": partial(
            _motion, torchvision_raft.build("raft_small", "cpu", weights, precision="bfloat16")
        ),
    }


def _motion(measure: Measure, pair: Pair, scale: float = 1.0) -> Float32[np.ndarray, "h w 2"]:
    return at_size(measure(scaled(pair.source, scale)[None], scaled(pair.target, scale)[None])[0], *pair.source.shape[:2])


def end_point_error(motion: Motion, pairs: list[Pair]) -> float:
    """Mean of the pairs' means."""
    distances = [np.linalg.norm(motion(pair) - pair.truth, axis=-1)[pair.known].mean() for pair in pairs]
    return float(np.mean(distances))


def rubber_whale(data: Path) -> Pair:
    folder = data / "flow_gt" / "middlebury_rubberwhale"
    return _measured_truth(folder / "frame10.png", folder / "frame11.png", folder / "flow10.flo")


def flying_chairs(data: Path) -> Pair:
    first = data / "flow_gt" / "flyingchairs" / "0000001-img0.ppm"
    return _measured_truth(first, first.with_name("0000001-img1.ppm"), first.with_name("0000001-gt.flo"))


def street(width: int, height: int, stride: int) -> list[Pair]:
    pairs = []
    for seed in range(WORLDS):
        frames = list(render(seed=seed, num_frames=FRAMES, width=width, height=height, strides=[stride], approach=False))
        for t in range(max(STRIDES), FRAMES):
            frame, earlier = frames[t], frames[t - stride]
            pairs.append(Pair(frame.rgb, earlier.rgb, frame.optical_flow[stride], frame.visible[stride]))
    return pairs


def _measured_truth(first: Path, second: Path, truth: Path) -> Pair:
    flow = cv2.readOpticalFlow(str(truth))
    known: np.ndarray = np.abs(flow).max(axis=-1) < 1e9  # Middlebury's sign of unknown
    return Pair(_rgb(first), _rgb(second), flow, known)


def _rgb(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    picture = cv2.imread(str(path))
    assert picture is not None, path
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _text(values: list[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)
