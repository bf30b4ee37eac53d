"""Source -> clips: frames in one size, cut into training clips of N frames and whole test clips, with the truth beside them.

Written for each clip: frames.zip, and where the source knows it segmentation.zip, instances.zip, optical_flow.zip, edges.zip (landmarks),
pose.zip. A clip that does not show what its source is for is left out, and listed with the reason.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float32

from pipeline import arrays, layout, params
from pipeline.errors import InputError
from pipeline.sources import Box, Footage, Item, SourceFrame, open_item

COLUMNS = ["clip", "split", "sequence", "first_frame", "frames_per_second", "num_frames", "labelled", "height", "width"]


@dataclass(frozen=True)
class Cut:
    """Frames first .. end - 1 of a sequence become one clip."""

    split: str
    first: int
    end: int


def run_item(item: Item, root: Path, out: Path, p: params.Clips, made_by: dict[str, Any]) -> None:
    footage = open_item(item, root)
    shown, left_out = _shown(plan_cuts(footage, p, item.name), footage, item.name)
    rows, frames = [], enumerate(footage.frames)
    for t, frame in frames:
        if t in shown:
            cut, boxes = shown[t]
            about = _about(cut, footage, item.name)
            clip = _cropped(_until(frame, frames, cut), boxes, p.crop, item.name)
            labelled = _write_clip(clip, out / about["clip"], footage, p, {**made_by, **about, "source_kind": item.kind})
            rows.append({**about, "num_frames": cut.end - cut.first, "labelled": labelled, "height": p.height, "width": p.width})
    pd.DataFrame(rows, columns=COLUMNS).to_csv(layout.clips_table(out), index=False)
    if left_out:
        pd.DataFrame(left_out).to_csv(layout.clips_left_out(out), index=False)


def _about(cut: Cut, footage: Footage, sequence: str) -> dict[str, Any]:
    return {
        "clip": f"{sequence}_{cut.first:06d}",
        "split": cut.split,
        "sequence": sequence,
        "first_frame": cut.first,
        "frames_per_second": footage.frames_per_second,
    }


def _shown(cuts: list[Cut], footage: Footage, name: str) -> tuple[dict[int, tuple[Cut, list[Box] | None]], list[dict[str, Any]]]:
    """By its first frame, each clip and what its frames show (None = all that `clips` leaves); and those that are left out."""
    shown, left_out = {}, []
    for cut in cuts:
        try:
            shown[cut.first] = cut, footage.crop(range(cut.first, cut.end)) if footage.crop else None
        except InputError as reason:
            about = _about(cut, footage, name)
            left_out.append({"clip": about["clip"], "split": cut.split, "num_frames": cut.end - cut.first, "reason": str(reason)})
    return shown, left_out


def plan_cuts(footage: Footage, p: params.Clips, name: str) -> list[Cut]:
    """Training clips of equal length up to `test_from`, then test clips, each within one shot.

    Dropped are the tail of a training shot that fills no clip, and test shots that are shorter than a training clip.
    """
    if footage.num_frames < 1:
        raise InputError(f"{name}: has no frames")
    before, after, step = range(footage.test_from), range(footage.test_from, footage.num_frames), p.stride or p.frames
    shots, test_shots = _shots(footage, before), _shots(footage, after)
    train = [Cut("train", t, t + p.frames) for shot in shots for t in range(shot.start, shot.stop - p.frames + 1, step)]
    test = [Cut("test", shot.start, shot.stop) for shot in test_shots if len(shot) >= p.frames or not footage.shots]
    if before and not train:
        raise InputError(f"{name}: has {_longest(shots, footage)} for training, a clip needs clips.frames = {p.frames}")
    if after and not test:
        raise InputError(f"{name}: has {_longest(test_shots, footage)} for testing, that is shorter than clips.frames = {p.frames}")
    return train + test


def _shots(footage: Footage, frames: range) -> list[range]:
    """Of some of the frames."""
    starts = [frames.start, *(t for t in footage.shots if t in frames and t > frames.start)]
    return [range(start, stop) for start, stop in zip(starts, [*starts[1:], frames.stop], strict=True) if stop > start]


def _longest(shots: list[range], footage: Footage) -> str:
    count = max(map(len, shots))
    return f"at most {count} frames between changes of scene" if footage.shots else f"{count} frames"


def _until(first: SourceFrame, rest: Iterator[tuple[int, SourceFrame]], cut: Cut) -> Iterator[SourceFrame]:
    yield first
    for _ in range(cut.first + 1, cut.end):
        yield next(rest)[1]


def _cropped(frames: Iterator[SourceFrame], boxes: list[Box] | None, central: list[int] | None, name: str) -> Iterator[SourceFrame]:
    if boxes is None:
        return (cropped(frame, _central(frame, central, name)) for frame in frames)
    return (cropped(frame, box) for frame, box in zip(frames, boxes, strict=True))


def _write_clip(frames: Iterator[SourceFrame], folder: Path, footage: Footage, p: params.Clips, attributes: dict[str, Any]) -> int:
    """Returns how many of the frames have labels."""
    folder.mkdir()
    labels = {**attributes, "labelled_frames": [], "palette": footage.palette.as_attributes() if footage.palette else None}
    truth = _Truth(
        folder,
        {
            "segmentation": labels,
            "instances": {**attributes, "linked": footage.instances_linked, "labelled_frames": [], "objects": {}},
            "optical_flow": {**attributes, "strides": []},
            "edges": attributes,
            "pose": attributes,
        },
    )
    with truth.files, arrays.writing(layout.arrays(folder, "frames"), attributes) as writer:
        for t, source_frame in enumerate(frames):
            frame = fit(source_frame, p.width, p.height)
            writer.append("rgb", frame.rgb)
            truth.append(t, frame)
        truth.append_keypoints()
    return len(labels["labelled_frames"])


class _Truth:
    """Files beside the frames, each begun with the first frame that has such truth."""

    def __init__(self, folder: Path, attributes: dict[str, dict[str, Any]]) -> None:
        self.folder, self.attributes = folder, attributes
        self.files = ExitStack()
        self._writers: dict[str, arrays.Writer] = {}
        self._keypoints: list[np.ndarray | None] = []

    def append(self, t: int, frame: SourceFrame) -> None:
        if self.attributes["segmentation"]["palette"] is not None:
            self._append_label(t, frame)
        if frame.instance is not None or "instances" in self._writers:
            self._append_instance(t, frame)
        for stride, optical_flow in frame.optical_flow.items():
            self._append_optical_flow(t, stride, optical_flow, frame)
        if frame.landmarks is not None or "edges" in self._writers:
            self._append_from_first(t, "edges", "landmarks", frame.landmarks, np.full((68, 2), np.nan, np.float32))
        if frame.iuv is not None or "pose" in self._writers:
            self._append_from_first(t, "pose", "iuv", frame.iuv, np.zeros((*frame.rgb.shape[:2], 3), np.uint8))
        self._keypoints.append(frame.keypoints)

    def append_keypoints(self) -> None:
        """Of all frames, at the end: only then it is known how many people a frame shows at most. Slots without a person are 0."""
        known = [people for people in self._keypoints if people is not None]
        if known:
            slots = max(1, *map(len, known))
            for people in self._keypoints:
                padded = np.zeros((slots, *known[0].shape[1:]), np.float32)
                padded[: 0 if people is None else len(people)] = 0 if people is None else people
                self._writer("pose").append("keypoints", padded)

    def _writer(self, modality: str) -> arrays.Writer:
        if modality not in self._writers:
            opened = arrays.writing(layout.arrays(self.folder, modality), self.attributes[modality])
            self._writers[modality] = self.files.enter_context(opened)
        return self._writers[modality]

    def _append_label(self, t: int, frame: SourceFrame) -> None:
        unlabelled = np.full(frame.rgb.shape[:2], 255, np.uint8)
        self._writer("segmentation").append("label", unlabelled if frame.label is None else frame.label)
        if frame.label is not None:
            self.attributes["segmentation"]["labelled_frames"].append(t)

    def _append_instance(self, t: int, frame: SourceFrame) -> None:
        """0 everywhere in frames without instances, also in those before the first that has some."""
        self._append_from_first(t, "instances", "instance", frame.instance, np.zeros(frame.rgb.shape[:2], np.uint16))
        if frame.instance is not None:
            self.attributes["instances"]["labelled_frames"].append(t)
            self._note_objects(frame)

    def _append_from_first(self, t: int, modality: str, name: str, value: np.ndarray | None, nothing: np.ndarray) -> None:
        """`nothing` in frames without it, also in those before the first that has some."""
        for _ in range(0 if modality in self._writers else t):
            self._writer(modality).append(name, nothing)
        self._writer(modality).append(name, nothing if value is None else value)

    def _note_objects(self, frame: SourceFrame) -> None:
        assert frame.instance is not None and frame.label is not None
        objects = self.attributes["instances"]["objects"]
        ids, first = np.unique(frame.instance, return_index=True)
        for id_, position in zip(ids.tolist(), first, strict=True):
            if id_ and str(id_) not in objects:
                objects[str(id_)] = {"class": int(frame.label.flat[position]), "score": 1.0}

    def _append_optical_flow(self, t: int, stride: int, optical_flow: np.ndarray, frame: SourceFrame) -> None:
        strides = self.attributes["optical_flow"]["strides"]
        if stride not in strides:
            strides.append(stride)
        known = t >= stride  # the first frames of a clip have no flow out of it
        writer = self._writer("optical_flow")
        writer.append(f"optical_flow_{stride}", (optical_flow * known).astype(np.float16))
        writer.append(f"confidence_{stride}", (frame.visible[stride] * (255 * known)).astype(np.uint8))


def _central(frame: SourceFrame, size: list[int] | None, name: str) -> Box:
    height, width = frame.rgb.shape[:2]
    if size is None:
        return Box(0, 0, width, height)
    if size[0] > width or size[1] > height:
        raise InputError(f"{name}: clips.crop is {size[0]}x{size[1]}, its frames are {width}x{height}: that much at most")
    return Box((width - size[0]) // 2, (height - size[1]) // 2, *size)


def cropped(frame: SourceFrame, box: Box) -> SourceFrame:
    """A part of a frame and of its truth. What comes from outside the part is not seen in the frame before."""
    if frame.rgb.shape[:2] == (box.height, box.width):
        return frame
    part = (slice(box.top, box.top + box.height), slice(box.left, box.left + box.width))
    return SourceFrame(
        rgb=frame.rgb[part],
        label=None if frame.label is None else frame.label[part],
        instance=None if frame.instance is None else frame.instance[part],
        optical_flow={k: f[part] for k, f in frame.optical_flow.items()},
        visible={k: v[part] & _leads_inside(frame.optical_flow[k][part]) for k, v in frame.visible.items()},
        landmarks=None if frame.landmarks is None else frame.landmarks - np.array([box.left, box.top], np.float32),
        keypoints=None if frame.keypoints is None else _moved(frame.keypoints, frame.keypoints[..., :2] - (box.left, box.top)),
        iuv=None if frame.iuv is None else frame.iuv[part],
    )


def _moved(keypoints: Float32[np.ndarray, "person 137 3"], to: Float[np.ndarray, "person 137 2"]) -> Float32[np.ndarray, "person 137 3"]:
    """The found points at other places, which may be outside the picture; the others stay 0."""
    score = keypoints[..., 2:]
    return np.concatenate([np.where(score > 0, to, 0), score], axis=-1).astype(np.float32)


def _leads_inside(optical_flow: Float32[np.ndarray, "h w 2"]) -> Bool[np.ndarray, "h w"]:
    height, width = optical_flow.shape[:2]
    y, x = np.mgrid[:height, :width]
    x, y = x + optical_flow[..., 0], y + optical_flow[..., 1]
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def fit(frame: SourceFrame, width: int, height: int) -> SourceFrame:
    """Scales a frame and its truth to cover `width` x `height` and crops centrally; flow scales with its axis.

    Points stay where they are in the picture: the middles of pixels are whole numbers.
    """
    h, w = frame.rgb.shape[:2]
    if (h, w) == (height, width):
        return frame
    scale = max(width / w, height / h)
    size = (max(width, round(w * scale)), max(height, round(h * scale)))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2

    def fitted(image: np.ndarray, interpolation: int) -> np.ndarray:
        return np.ascontiguousarray(cv2.resize(image, size, interpolation=interpolation)[top : top + height, left : left + width])

    def fitted_points(points: np.ndarray) -> np.ndarray:
        moved: np.ndarray = (points + 0.5) * ratio - 0.5 - (left, top)
        return moved.astype(np.float32)

    ratio = np.array([size[0] / w, size[1] / h], np.float32)
    return SourceFrame(
        rgb=fitted(frame.rgb, cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC),
        label=None if frame.label is None else fitted(frame.label, cv2.INTER_NEAREST_EXACT),
        instance=None if frame.instance is None else fitted(frame.instance, cv2.INTER_NEAREST_EXACT),
        optical_flow={k: fitted(f, cv2.INTER_NEAREST_EXACT) * ratio for k, f in frame.optical_flow.items()},
        visible={k: fitted(v.astype(np.uint8), cv2.INTER_NEAREST_EXACT).astype(bool) for k, v in frame.visible.items()},
        landmarks=None if frame.landmarks is None else fitted_points(frame.landmarks),
        keypoints=None if frame.keypoints is None else _moved(frame.keypoints, fitted_points(frame.keypoints[..., :2])),
        iuv=None if frame.iuv is None else fitted(frame.iuv, cv2.INTER_NEAREST_EXACT),
    )
