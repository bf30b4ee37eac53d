"""Training windows: which frames step n sees, read from the clips' files.

Every window is a function of (seed, step) alone, so a training that goes on after a kill sees what it would have seen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from pipeline import arrays, layout
from pipeline.errors import InputError
from pipeline.maps import ClipMaps, MapFolders, MapKind
from pipeline.tensors import foreground_of, frames_to_tensor, maps_to_tensor, optical_flow_to_tensor


@dataclass(frozen=True)
class Folders:
    clips: Path
    optical_flow: Path
    maps: MapFolders


@dataclass
class Batch:
    """`t` generated frames and the `past` ones before them; without the axis `b` while it is put together."""

    maps: Float[Tensor, "*b past_and_t c h w"]
    foreground: Float[Tensor, "*b past_and_t 1 h w"] | None
    past: Float[Tensor, "*b past 3 h w"] | None
    """Real frames in [-1, 1]; None: the video starts with this window."""
    real: Float[Tensor, "*b t 3 h w"]
    optical_flow: Float[Tensor, "*b t 2 h w"]
    """Pixels, to the frame before."""
    confidence: Float[Tensor, "*b t 1 h w"]
    """1 or 0; 0 in the first frame of a window that starts from nothing."""

    def to(self, device: str) -> "Batch":
        return self._each(lambda x: x.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        return self._each(lambda x: x.pin_memory())

    @staticmethod
    def stacked(windows: "list[Batch]") -> "Batch":
        """Windows without a batch axis, all from nothing or none, as one batch; of a single one nothing is copied."""
        return windows[0]._each(torch.stack, *windows) if len(windows) > 1 else windows[0]._each(lambda x: x.unsqueeze(0))

    def _each(self, change: Callable[..., Tensor], *windows: "Batch") -> "Batch":
        """Changes every tensor, or what the windows have in its place; what is None stays so."""
        values: dict[str, Any] = {}
        for name, x in vars(self).items():
            values[name] = None if x is None else change([vars(window)[name] for window in windows] if windows else x)
        return Batch(**values)


class Windows(Dataset[Batch]):
    """`windows[step]` is the whole batch of a step."""

    def __init__(
        self,
        folders: Folders,
        index: pd.DataFrame,
        kind: MapKind,
        *,
        frames: int,
        past_frames: int,
        batch_size: int,
        start_from_nothing: float,
        seed: int,
    ) -> None:
        """`index` has the clips to draw from, and the part of each that is used; each frame is as likely as any other to begin a window."""
        self.folders, self.kind = folders, kind
        self.frames, self.past_frames, self.batch_size = frames, past_frames, batch_size
        self.start_from_nothing, self.seed = start_from_nothing, seed
        self.clips: list[str] = index["clip"].tolist()
        self.used_from: list[int] = index["start"].tolist()
        self.starts = index["num_frames"].to_numpy() - frames - past_frames + 1
        if len(self.clips) == 0 or self.starts.min() < 1:
            shortest = index["num_frames"].min() if len(index) else 0
            raise InputError(
                f"train.window_frames {frames} and generator.past_frames {past_frames} do not fit into the training clips: "
                f"there are {len(index)}, the shortest with {shortest} frames"
            )

    def __getitem__(self, step: int) -> Batch:
        random = np.random.Generator(np.random.Philox(key=[self.seed, step]))
        from_nothing = random.random() < self.start_from_nothing
        positions = random.integers(self.starts.sum(), size=self.batch_size)
        parts = [self._window(*self._clip_and_start(position), from_nothing) for position in positions.tolist()]
        return Batch.stacked(parts)

    def _clip_and_start(self, position: int) -> tuple[str, int]:
        ends = self.starts.cumsum()
        number = int(np.searchsorted(ends, position, side="right"))
        return self.clips[number], self.used_from[number] + int(position - (ends[number] - self.starts[number]))

    def _window(self, clip: str, start: int, from_nothing: bool) -> Batch:
        """One window without the batch axis; its first frame is `start` + past_frames."""
        first, end = start + self.past_frames, start + self.past_frames + self.frames
        shown = np.maximum(np.arange(start, end), first if from_nothing else 0)  # before a video, its first frame's maps are repeated
        maps = maps_to_tensor(ClipMaps(self.folders.maps.of(clip), self.kind), shown.tolist())
        offset = int(shown[0])
        frames = arrays.reading(layout.arrays(self.folders.clips / clip, "frames"))
        rgb = frames_to_tensor(np.asarray(frames["rgb"][offset:end]))
        moved = arrays.reading(layout.arrays(self.folders.optical_flow / clip, "optical_flow"))
        optical_flow, confidence = optical_flow_to_tensor(
            np.asarray(moved["optical_flow_1"][first:end]), np.asarray(moved["confidence_1"][first:end])
        )
        if from_nothing:
            confidence[0] = 0
        past = None if from_nothing else rgb[: self.past_frames]
        return Batch(maps, foreground_of(maps, self.kind), past, rgb[first - offset :], optical_flow, confidence)
