"""Stored arrays <-> what the networks see. The one place where frames and maps become floats, and maps pictures again."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.maps import foreground_mask, label_maps, one_hot
from pipeline.maps import ClipMaps, MapKind, Numbers
from pipeline.palettes import VOID


def frames_to_tensor(rgb: UInt8[np.ndarray, "*t h w 3"]) -> Float[Tensor, "*t 3 h w"]:
    """0..255 -> -1..1"""
    return torch.from_numpy(rgb).movedim(-1, -3).float() / 127.5 - 1


def tensor_to_frames(image: Float[Tensor, "*t 3 h w"]) -> UInt8[np.ndarray, "*t h w 3"]:
    """-1..1 -> 0..255, rounded and clamped."""
    return ((image.detach().float().cpu() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).movedim(-3, -1).contiguous().numpy()


def maps_to_tensor(maps: ClipMaps, frames: Numbers) -> Float[Tensor, "t c h w"]:
    """One-hot labels and the instances' edges, edges in 0..1, poses in 0..1: what there is, in this order; c = maps.kind.channels."""
    parts = []
    if maps.kind.palette:
        parts.append(_labels_to_tensor(maps, frames, maps.kind.palette.num_labels))
    if maps.kind.edges:
        parts.append(_channels_to_tensor(maps.edges(frames)))
    if maps.kind.pose:
        parts.append(_channels_to_tensor(maps.poses(frames)))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-3)


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


def _labels_to_tensor(maps: ClipMaps, frames: Numbers, num_labels: int) -> Tensor:
    label = torch.from_numpy(maps.labels(frames))
    if not maps.kind.instances:
        return one_hot(label, num_labels)
    return label_maps(label, torch.from_numpy(maps.instances(frames).astype(np.int32)), num_labels=num_labels)


def _channels_to_tensor(stored: UInt8[np.ndarray, "t h w c"]) -> Float[Tensor, "t c h w"]:
    """0..255 -> 0..1"""
    return torch.from_numpy(stored).movedim(-1, -3).float() / 255


def _channels_of(maps: Float[np.ndarray, "c h w"]) -> UInt8[np.ndarray, "h w c"]:
    """0..1 -> 0..255"""
    return np.round(maps * 255).astype(np.uint8).transpose(1, 2, 0)
