"""What the networks see of a clip: of label maps, edges and poses those that the data set has, in this order, as channels.

The one truth about it: whatever trains, synthesizes or shows maps asks here. tensors.py makes floats of what is read here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8, UInt16

from pipeline import arrays, layout, palettes, pose_map
from pipeline.palettes import Palette

Numbers = Sequence[int]
"""Of frames, in any order; one that is repeated is decoded once."""

FACE_CHANNELS = 15
"""An edge map and 14 distance maps."""


@dataclass(frozen=True)
class MapFolders:
    """Of the whole data set, or of one clip; None for what the data set does not have."""

    segmentation: Path | None
    instances: Path | None
    edges: Path | None
    pose: Path | None

    def of(self, clip: str) -> "MapFolders":
        return MapFolders(**{name: folder and folder / clip for name, folder in vars(self).items()})

    def files(self) -> dict[str, arrays.Clip]:
        """Of one clip, by modality."""
        return {name: arrays.reading(layout.arrays(folder, name)) for name, folder in vars(self).items() if folder}


@dataclass(frozen=True)
class MapKind:
    """Which channels maps have, in their order: what a generator was trained on, and all that it can be given."""

    palette: Palette | None
    """One channel for each label id; None = no label maps."""
    instances: bool
    """One channel with the instances' edges."""
    edges: int
    pose: int

    @classmethod
    def of(cls, clip: MapFolders) -> "MapKind":
        """As the clip's files say."""
        files = clip.files()
        return cls(
            palettes.from_attributes(files["segmentation"].attributes["palette"]) if "segmentation" in files else None,
            "instances" in files,
            files["edges"]["edge"].shape[-1] if "edges" in files else 0,
            pose_map.channels(files["pose"]) if "pose" in files else 0,
        )

    @classmethod
    def from_attributes(cls, attributes: dict[str, Any]) -> "MapKind":
        """The inverse of `as_attributes`, after a round through JSON."""
        palette = attributes["palette"]
        return cls(**{**attributes, "palette": palette and palettes.from_attributes(palette)})

    def as_attributes(self) -> dict[str, Any]:
        return {**vars(self), "palette": self.palette and self.palette.as_attributes()}

    @property
    def num_labels(self) -> int:
        return self.palette.num_labels if self.palette else 0

    @property
    def channels(self) -> int:
        return self.num_labels + self.instances + self.edges + self.pose

    def names(self) -> list[str]:
        """What a person calls them."""
        edges = "face sketches" if self.edges == FACE_CHANNELS else "edges"
        named = {"label maps": self.num_labels, edges: self.edges, "poses": self.pose}
        return [name for name, channels in named.items() if channels]

    def __str__(self) -> str:
        labels = f"labels of palette {self.palette.name} {'with' if self.instances else 'without'} instances" if self.palette else ""
        counted = (f"{self.edges} edge channels" if self.edges else "", f"{self.pose} pose channels" if self.pose else "")
        return " and ".join(part for part in (labels, *counted) if part) or "nothing"

    def drawn(
        self,
        label: UInt8[np.ndarray, "h w"] | None,
        edge: UInt8[np.ndarray, "h w _"] | None,
        pose: UInt8[np.ndarray, "h w _"] | None,
    ) -> UInt8[np.ndarray, "h w 3"]:
        """A frame's maps for people: labels in their colours, over them the pose, over that the first edge channel in white."""
        size = next(part.shape[:2] for part in (label, edge, pose) if part is not None)
        picture: np.ndarray = self.palette.paint(label) if self.palette and label is not None else np.zeros((*size, 3), np.uint8)
        for first in range(0, pose.shape[-1] if pose is not None else 0, 3):
            rgb = pose[..., first : first + 3]  # type: ignore[index]
            picture = np.where(rgb.any(axis=-1, keepdims=True), rgb, picture)
        return picture if edge is None else np.where(edge[..., :1] > 0, edge[..., :1], picture)


class ClipMaps:
    """The maps of one clip, read as they are asked for."""

    def __init__(self, clip: MapFolders, kind: MapKind) -> None:
        self.kind, self._files = kind, clip.files()

    def __len__(self) -> int:
        file = next(iter(self._files.values()))
        return len(file[file.names()[0]])

    def labels(self, frames: Numbers) -> UInt8[np.ndarray, "t h w"]:
        return self._stored("segmentation", "label", frames)

    def instances(self, frames: Numbers) -> UInt16[np.ndarray, "t h w"]:
        return self._stored("instances", "instance", frames)

    def edges(self, frames: Numbers) -> UInt8[np.ndarray, "t h w channel"]:
        return self._stored("edges", "edge", frames)

    def poses(self, frames: Numbers, dropped: pose_map.Dropped = pose_map.NOTHING) -> UInt8[np.ndarray, "t h w channel"]:
        drawn = {t: pose_map.pose_map(self._files["pose"], t, dropped) for t in sorted(set(frames))}
        return np.stack([drawn[t] for t in frames])

    def picture(self, t: int) -> UInt8[np.ndarray, "h w 3"]:
        """As `MapKind.drawn` draws all that there is."""
        label = self.labels([t])[0] if self.kind.palette else None
        edge = self.edges([t])[0] if self.kind.edges else None
        return self.kind.drawn(label, edge, self.poses([t])[0] if self.kind.pose else None)

    def _stored(self, modality: str, array: str, frames: Numbers) -> np.ndarray:
        return self._files[modality][array].take(frames)


def usable(clip: MapFolders, num_frames: int) -> range:
    """The longest run of the clip's frames in which no face or person is missing; of equal ones the first."""
    missing = {t for file in clip.files().values() for t in file.attributes.get("missing", [])}
    return max((range(before + 1, after) for before, after in pairwise([-1, *sorted(missing), num_frames])), key=len)
