"""Training windows: which frames a step sees, read from the clips' files.

Every window is a function of (seed, step) alone, so a training that goes on after a stop sees what it would have seen. Frames are left
as bytes: `pipeline.batch` makes floats of them on the device that trains.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float16, Int16, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from models.discriminator_input import temporal_groups
from pipeline import arrays, augmentation, layout, params
from pipeline.augmentation import Change
from pipeline.errors import InputError
from pipeline.face_centre import face_centres
from pipeline.maps import ClipMaps, MapFolders, MapKind
from pipeline.pose_map import NOTHING, Dropped
from pipeline.schedule import Schedule, Step
from pipeline.tensors import StoredMaps, maps_as_stored

GROUP = 3
"""Frames that a video discriminator sees at once."""


@dataclass(frozen=True)
class Folders:
    clips: Path
    optical_flow: Path
    maps: MapFolders


@dataclass
class Window:
    """The `t` frames that a step generates and the ones before them, as stored; without the axis `b` while it is put together."""

    maps: StoredMaps
    """Of `past_frames` and t frames; before a video its first frame's are repeated."""
    before: UInt8[Tensor, "*b before h w 3"]
    """Real frames, as many as there are of those that the generator or a video discriminator may look back to."""
    real: UInt8[Tensor, "*b t h w 3"]
    optical_flow: Float16[Tensor, "*b t h w 2"]
    """Pixels, to the frame before."""
    confidence: UInt8[Tensor, "*b t h w"]
    """0 in the first frame of a video that starts from nothing."""
    groups: "dict[int, Groups]"
    """By stride; of those that have any."""
    faces: Int16[Tensor, "*b t 2"]
    """(x, y) of the main person's face in each of the t frames; negative where none is seen, or nobody asked."""

    def pin_memory(self) -> "Window":
        return self.each(lambda x: x.pin_memory())

    def each(self, change: Callable[[Tensor], Tensor]) -> "Window":
        return self.with_tensors(map(change, self.tensors()))

    def tensors(self) -> list[Tensor]:
        flows = [group.optical_flow for group in self.groups.values()]
        return [*self.maps.tensors(), *(getattr(self, name) for name in OF_FRAMES), *flows]

    def with_tensors(self, tensors: Iterable[Tensor]) -> "Window":
        """Others in their places."""
        rest = iter(tensors)
        maps = self.maps.with_tensors(islice(rest, len(self.maps.tensors())))
        of_frames: dict[str, Any] = {name: next(rest) for name in OF_FRAMES}
        groups = {stride: replace(group, optical_flow=flow) for (stride, group), flow in zip(self.groups.items(), rest, strict=True)}
        return Window(maps=maps, groups=groups, **of_frames)


OF_FRAMES = ("before", "real", "optical_flow", "confidence", "faces")
"""A window's own tensors."""


@dataclass(frozen=True)
class Groups:
    """What the video discriminator of one stride sees."""

    frames: Sequence[tuple[int, ...]]
    """Numbers of frames, counted from the window's first: negative ones were made in the steps before."""
    optical_flow: Float16[Tensor, "*b groups two h w 2"]
    """From each of a group's frames but the first to the one before it in the group."""


@dataclass(frozen=True)
class Footage:
    """What a sequence shows: its frame n is the clip's `start` + n * `spacing`, none before n = `least`, all changed alike."""

    clip: str
    start: int
    spacing: int
    least: int
    change: Change
    dropped: Dropped
    """What poses lack."""

    def frames(self, first: int, end: int) -> list[int]:
        return [self.start + max(n, self.least) * self.spacing for n in range(first, end)]


class Windows(Dataset[Window]):
    """`windows[number]` is what the step of this number sees: its whole batch, or the share of one of several processes."""

    def __init__(
        self,
        folders: Folders,
        index: pd.DataFrame,
        kind: MapKind,
        p: params.Train,
        *,
        past_frames: int,
        strides: Sequence[int],
        finds_faces: bool = False,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        """`index` has the clips to draw from, and the part of each that is used; each frame is as likely as any other to begin a sequence.
        `strides` are those of the video discriminators; `finds_faces`: windows say where faces are, by the poses of the maps."""
        self.folders, self.kind = folders, kind
        self.past_frames, self.strides, self.finds_faces = past_frames, strides, finds_faces
        self.start_from_nothing, self.seed, self.batch_size = p.start_from_nothing, p.seed, p.batch_size
        self.mine = range(process * p.batch_size // processes, (process + 1) * p.batch_size // processes)
        self.clips: list[str] = index["clip"].tolist()
        self.used_from: list[int] = index["start"].tolist()
        self.num_frames = index["num_frames"].to_numpy()
        self.sizes: list[tuple[int, int]] = list(zip(index["height"].tolist(), index["width"].tolist(), strict=True))
        self.augmentation = p.augmentation
        longest_window, apart = max(phase.window_frames for phase in p.phases()), min(p.augmentation.spacing)
        if len(self.clips) == 0 or self.num_frames.min() <= (longest_window + past_frames - 1) * apart:
            shortest = self.num_frames.min() if len(index) else 0
            raise InputError(
                f"train.window_frames {longest_window} and generator.past_frames {past_frames} do not fit into the training clips: "
                f"there are {len(index)}, the shortest with {shortest} frames"
            )
        self.half_have = int(np.sort(self.num_frames)[len(self.clips) // 2])
        self.schedule = Schedule(p.phases(), most_frames=(self.half_have - 1) // apart + 1 - past_frames)

    def __getitem__(self, number: int) -> Window:
        step = self.schedule[number]
        random = np.random.Generator(np.random.Philox(key=[self.seed, step.begins]))
        from_nothing = random.random() < self.start_from_nothing
        footage = [self._sequence(random, step, from_nothing) for _ in range(self.batch_size)]
        return stacked([self._window(footage[n], step, from_nothing=from_nothing, strides=self.strides) for n in self.mine])

    def beginning(self, clip: int, most_frames: int, *, from_nothing: bool) -> Window:
        """The first frames of a clip, by its number, as they are, with a batch of one; a video that starts from nothing, or goes on from
        the clip's first real frames. There are no groups for video discriminators."""
        apart = min(self.augmentation.spacing)
        past = 0 if from_nothing else self.past_frames
        frames = min((int(self.num_frames[clip]) - 1) // apart + 1 - past, most_frames)
        step = Step(1, 1, scales=1, only_finest=False, learning_rate=0.0, window_frames=frames, sequence_frames=frames)
        start = self.used_from[clip] + past * apart
        footage = Footage(self.clips[clip], start, apart, -past, augmentation.nothing(*self.sizes[clip]), NOTHING)
        return stacked([self._window(footage, step, from_nothing=from_nothing, strides=[])])

    def _sequence(self, random: np.random.Generator, step: Step, from_nothing: bool) -> Footage:
        needed, p = self.past_frames + step.sequence_frames, self.augmentation
        apart = augmentation.spacing(random, p, self.half_have, needed)
        starts = np.maximum(self.num_frames - (needed - 1) * apart, 0)
        ends = starts.cumsum()
        position = int(random.integers(ends[-1]))
        number = int(np.searchsorted(ends, position, side="right"))
        start = self.used_from[number] + position - int(ends[number] - starts[number]) + self.past_frames * apart
        change, dropped = augmentation.drawn(random, p, *self.sizes[number]), augmentation.dropped_parts(random, p)
        return Footage(self.clips[number], start, apart, 0 if from_nothing else -self.past_frames, change, dropped)

    def _window(self, footage: Footage, step: Step, *, from_nothing: bool, strides: Sequence[int]) -> Window:
        first, end = step.first_frame, step.first_frame + step.window_frames
        reach = max(self.past_frames, min(first, max(strides, default=0) * (GROUP - 1)))
        before = min(reach, first - footage.least)
        frames = arrays.reading(layout.arrays(self.folders.clips / footage.clip, "frames"))
        rgb = footage.change.rgb(frames["rgb"].take(footage.frames(first - before, end)))
        moved = _Flow(arrays.reading(layout.arrays(self.folders.optical_flow / footage.clip, "optical_flow")), footage)
        optical_flow = moved.optical_flow(range(first, end), 1)
        confidence = moved.confidence(range(first, end), optical_flow)
        if from_nothing and first == 0:
            confidence[0] = 0
        groups = {stride: moved.groups(stride, first, end) for stride in strides}
        return Window(
            self._maps(footage, footage.frames(first - self.past_frames, end)),
            torch.from_numpy(rgb[:before]),
            torch.from_numpy(rgb[before:]),
            torch.from_numpy(optical_flow),
            torch.from_numpy(confidence),
            {stride: group for stride, group in groups.items() if group},
            self._faces(footage, footage.frames(first, end)),
        )

    def _maps(self, footage: Footage, frames: list[int]) -> StoredMaps:
        maps, kind, change = ClipMaps(self.folders.maps.of(footage.clip), self.kind), self.kind, footage.change
        return maps_as_stored(
            kind,
            label=change.label(maps.labels(frames)) if kind.palette else None,
            instance=change.instance(maps.instances(frames)) if kind.instances else None,
            edge=change.edge(maps.edges(frames)) if kind.edges else None,
            pose=change.pose(maps.poses(frames, footage.dropped)) if kind.pose else None,
        )

    def _faces(self, footage: Footage, frames: list[int]) -> Int16[Tensor, "t 2"]:
        """Also of a pose that is shown without its face: the frame has it."""
        if not self.finds_faces:
            return torch.full((len(frames), 2), -1, dtype=torch.int16)
        pose = self.folders.maps.of(footage.clip).files()["pose"]
        places = footage.change.points(face_centres(pose, frames))
        return torch.from_numpy(np.where(np.isnan(places), -1, np.rint(places)).astype(np.int16))


class _Flow:
    """The optical flow of one sequence; each frame's is decoded once."""

    def __init__(self, stored: arrays.Clip, footage: Footage) -> None:
        self._stored, self._footage = stored, footage
        self._read: dict[tuple[int, int], Float16[np.ndarray, "h w 2"]] = {}

    def optical_flow(self, frames: Sequence[int], stride: int) -> Float16[np.ndarray, "t h w 2"]:
        return np.stack([self._of(t, stride) for t in frames])

    def confidence(self, frames: Sequence[int], changed: Float16[np.ndarray, "t h w 2"]) -> UInt8[np.ndarray, "t h w"]:
        stored = self._stored[f"confidence_{self._footage.spacing}"].take(self._footage.frames(frames[0], frames[-1] + 1))
        return self._footage.change.confidence(stored, changed)

    def groups(self, stride: int, first: int, end: int) -> Groups | None:
        history = min(first, stride * (GROUP - 1))
        counted = temporal_groups(history + end - first, stride, frames=GROUP)
        groups = [tuple(n - history for n in group) for group in counted]  # from the window's first frame
        if not groups:
            return None
        flows = np.stack([self.optical_flow([first + n for n in group[1:]], stride) for group in groups])
        return Groups(groups, torch.from_numpy(flows))

    def _of(self, t: int, stride: int) -> Float16[np.ndarray, "h w 2"]:
        if (t, stride) not in self._read:
            stored = self._stored[f"optical_flow_{stride * self._footage.spacing}"].take(self._footage.frames(t, t + 1))
            self._read[t, stride] = self._footage.change.optical_flow(stored)[0].astype(np.float16, copy=False)
        return self._read[t, stride]


def stacked(windows: list[Window]) -> Window:
    """Windows without a batch axis as one batch; of a single one nothing is copied."""
    if len(windows) == 1:
        return windows[0].each(lambda x: x.unsqueeze(0))
    alike = zip(*(window.tensors() for window in windows), strict=True)
    return windows[0].with_tensors(torch.stack(tensors) for tensors in alike)
