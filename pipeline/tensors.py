"""Stored arrays <-> what the networks see. The one place where frames and maps become floats, and maps pictures again."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8, UInt16
from torch import Tensor

from models.maps import foreground_mask, instance_edges, put_one_hot
from pipeline.maps import ClipMaps, MapKind, Numbers
from pipeline.palettes import VOID


def frames_to_tensor(rgb: UInt8[np.ndarray, "*t h w 3"]) -> Float[Tensor, "*t 3 h w"]:
    """0..255 -> -1..1"""
    return torch.from_numpy(rgb).movedim(-1, -3).float() / 127.5 - 1


def tensor_to_frames(image: Float[Tensor, "*t 3 h w"]) -> UInt8[np.ndarray, "*t h w 3"]:
    """-1..1 -> 0..255, rounded and clamped."""
    return ((image.detach().float().cpu() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).movedim(-3, -1).contiguous().numpy()


@dataclass(frozen=True)
class StoredMaps:
    """Maps as bytes, a thirtieth of what they are as floats: made where frames are read, and turned into floats where they are used."""

    num_labels: int
    label: UInt8[Tensor, "*t h w"] | None
    instance_edge: UInt8[Tensor, "*t 1 h w"] | None
    """0 or 1."""
    edge: UInt8[Tensor, "*t edges h w"] | None
    pose: UInt8[Tensor, "*t poses h w"] | None

    def channels(self) -> Float[Tensor, "*t c h w"]:
        """One-hot labels and the instances' edges, edges in 0..1, poses in 0..1: what there is, in this order."""
        counts = [self.num_labels, *(0 if part is None else part.shape[-3] for part in (self.instance_edge, self.edge, self.pose))]
        shape, device = next((part.shape, part.device) for part in self._parts() if part is not None)
        batch = shape[:-2] if self.label is not None else shape[:-3]
        maps = torch.empty(*batch, sum(counts), *shape[-2:], device=device)
        one_hots, instance_edge, edge, pose = torch.split(maps, counts, dim=-3)
        if self.label is not None:
            put_one_hot(self.label, one_hots)
        for part, stored, largest in ((instance_edge, self.instance_edge, 1), (edge, self.edge, 255), (pose, self.pose, 255)):
            if stored is not None:
                torch.div(stored, largest, out=part)
        return maps

    def tensors(self) -> list[Tensor]:
        """The parts that there are."""
        return [part for part in self._parts() if part is not None]

    def with_tensors(self, tensors: Iterable[Tensor]) -> "StoredMaps":
        """Others in their places."""
        rest = iter(tensors)
        return StoredMaps(self.num_labels, *(None if part is None else next(rest) for part in self._parts()))

    def each(self, change: Callable[[Tensor], Tensor]) -> "StoredMaps":
        return self.with_tensors(map(change, self.tensors()))

    def _parts(self) -> list[Tensor | None]:
        return [getattr(self, name) for name in PARTS]


PARTS = ("label", "instance_edge", "edge", "pose")


def stored_maps(maps: ClipMaps, frames: Numbers) -> StoredMaps:
    """Of so many frames of a clip: t of them."""
    kind = maps.kind
    return maps_as_stored(
        kind,
        label=maps.labels(frames) if kind.palette else None,
        instance=maps.instances(frames) if kind.instances else None,
        edge=maps.edges(frames) if kind.edges else None,
        pose=maps.poses(frames) if kind.pose else None,
    )


def maps_as_stored(
    kind: MapKind,
    *,
    label: UInt8[np.ndarray, "t h w"] | None,
    instance: UInt16[np.ndarray, "t h w"] | None,
    edge: UInt8[np.ndarray, "t h w edges"] | None,
    pose: UInt8[np.ndarray, "t h w poses"] | None,
) -> StoredMaps:
    return StoredMaps(
        kind.num_labels,
        None if label is None else torch.from_numpy(label),
        None if instance is None else instance_edges(torch.from_numpy(instance.astype(np.int32))).to(torch.uint8),
        None if edge is None else _channels_first(edge),
        None if pose is None else _channels_first(pose),
    )


def maps_to_tensor(maps: ClipMaps, frames: Numbers) -> Float[Tensor, "t c h w"]:
    """As `StoredMaps.channels`; c = maps.kind.channels."""
    return stored_maps(maps, frames).channels()


def concatenated(maps: Sequence[StoredMaps]) -> StoredMaps:
    """Along the first axis; all have the same parts."""
    alike = zip(*(of_one.tensors() for of_one in maps), strict=True)
    return maps[0].with_tensors(torch.cat(tensors) for tensors in alike)


def foreground_of(maps: Float[Tensor, "*t c h w"], kind: MapKind) -> Float[Tensor, "*t 1 h w"] | None:
    """1 on the palette's foreground classes; None where there are no labels, or none of them is foreground."""
    return foreground_mask(maps, kind.palette.foreground) if kind.palette and kind.palette.foreground else None


def maps_to_picture(maps: Float[Tensor, "c h w"], kind: MapKind) -> UInt8[np.ndarray, "h w 3"]:
    """As `ClipMaps.picture` shows the frame."""
    counts = [kind.num_labels, int(kind.instances), kind.edges, kind.pose]
    labels, _, edge, pose = np.split(maps.detach().float().cpu().numpy(), np.cumsum(counts)[:-1])
    label = np.where(labels.max(axis=0) > 0, labels.argmax(axis=0), VOID).astype(np.uint8) if kind.palette else None
    return kind.drawn(label, _channels_of(edge) if kind.edges else None, _channels_of(pose) if kind.pose else None)


def optical_flow_to_tensor(optical_flow: np.ndarray, confidence: UInt8[np.ndarray, "t h w"]) -> tuple[Tensor, Tensor]:
    """Pixels as `t 2 h w`; confidence as the reference's binary mask, `t 1 h w`."""
    return torch.from_numpy(optical_flow.astype(np.float32)).movedim(-1, -3), torch.from_numpy(confidence >= 128).float().unsqueeze(-3)


def _channels_first(stored: UInt8[np.ndarray, "t h w c"]) -> UInt8[Tensor, "t c h w"]:
    return torch.from_numpy(stored).movedim(-1, -3).contiguous()


def _channels_of(maps: Float[np.ndarray, "c h w"]) -> UInt8[np.ndarray, "h w c"]:
    """0..1 -> 0..255"""
    return np.round(maps * 255).astype(np.uint8).transpose(1, 2, 0)
