"""Poses: formats read and written again, and people who cross. Networks are not scored: their trained weights are not at hand."""

import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.extraction import Row
from pipeline import pose_formats
from pipeline.linking import Seen, tracks

CLIPS, FRAMES, WIDTH, HEIGHT = 50, 60, 512, 512


def rows(data: Path) -> list[Row]:
    return [*round_trips(data / "frames"), *linking()]


def round_trips(folder: Path) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        again = Path(name)
        openpose = folder / "openpose_ref/test_keypoints.json"
        pose_formats.write_openpose(again / "a.json", pose_formats.read_openpose(openpose))
        equal = json.loads((again / "a.json").read_text()) == json.loads(openpose.read_text())
        iuv = pose_formats.read_iuv(folder / "densepose_ref/demo_im_IUV.png")
        pose_formats.write_iuv(again / "a.png", iuv)
        pixels = int((pose_formats.read_iuv(again / "a.png") != iuv).any(axis=-1).sum())
    points = _coco(folder / "coco/test_coco_wholebody.json")
    measure = "read and written again: {} that differ"
    return [
        Row("pose", "given", "OpenPose 1.3 JSON, 3 people", measure.format("files"), str(int(not equal)), ""),
        Row("pose", "given", "DensePose IUV image", measure.format("pixels"), str(pixels), ""),
        Row("pose", "given", "COCO-WholeBody, 14 people", measure.format("points"), str(points), ""),
    ]


def _coco(path: Path) -> int:
    wrong = 0
    for annotation in json.loads(path.read_text())["annotations"]:
        for name, points in pose_formats.to_coco(pose_formats.from_coco(annotation)).items():
            wanted, again = (np.array(values, np.float32).reshape(-1, 3) for values in (annotation[name], points))
            found = wanted[:, 2] > 0
            wrong += int((again[found] != wanted[found]).any(axis=1).sum() + again[~found].any(axis=1).sum())
    return wrong


def linking() -> list[Row]:
    """Of people who walk through each other; truth is known."""
    found = []
    for name, hidden in (("seen in all frames", 0.0), ("each hidden in a tenth of the frames", 0.1)):
        clips = [_walkers(seed, hidden) for seed in range(CLIPS)]
        ours = sum(_switches(truth, _tracked(frames)) for frames, truth in clips)
        order = sum(_switches(truth, [list(range(len(people))) for people in frames]) for frames, truth in clips)
        data = f"synthetic: {CLIPS} clips of {FRAMES} frames, 3 people who cross, {name}"
        found.append(Row("pose", "linking", data, "changes of identity (less is better)", str(ours), f"by order from the left: {order}"))
    return found


def _walkers(seed: int, hidden: float) -> tuple[list[list[Seen]], list[list[int]]]:
    """Each with a form, speed and jitter of its own; a frame lists them from the left."""
    random = np.random.default_rng(seed)
    size = random.uniform(80, 160, 3)
    start = np.stack([random.uniform(60, WIDTH - 60, 3), random.uniform(200, 312, 3)], axis=1)
    end = np.stack([WIDTH - start[:, 0], start[:, 1]], axis=1)
    form = random.uniform(-0.5, 0.5, (3, 25, 2)) * np.stack([size / 2, size], axis=1)[:, None]
    frames, truth = [], []
    for t in range(FRAMES):
        where = start + (end - start) * t / (FRAMES - 1)
        points = where[:, None] + form + random.normal(0, 2, form.shape)
        people = [(n, _seen(points[n])) for n in range(3) if random.uniform() >= hidden]
        people.sort(key=lambda numbered: float(numbered[1].box[0]))
        frames.append([person for _, person in people])
        truth.append([n for n, _ in people])
    return frames, truth


def _seen(points: np.ndarray) -> Seen:
    keypoints = np.zeros((137, 3), np.float32)
    keypoints[:25] = np.concatenate([points, np.full((25, 1), 0.9)], axis=1)
    return Seen(keypoints, np.concatenate([points.min(axis=0), points.max(axis=0)]))


def _tracked(frames: list[list[Seen]]) -> list[list[int]]:
    numbers = [[-1] * len(people) for people in frames]
    for n, track in enumerate(tracks(frames)):
        for t, (number, _) in track.seen.items():
            numbers[t][number] = n
    return numbers


def _switches(truth: list[list[int]], found: list[list[int]]) -> int:
    """How often a true person's number is not that of the frame where it was seen before."""
    last: dict[int, int] = {}
    count = 0
    for true, numbers in zip(truth, found, strict=True):
        for person, number in zip(true, numbers, strict=True):
            count += last.get(person, number) != number
            last[person] = number
    return count
