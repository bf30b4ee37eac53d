"""Stored arrays <-> what the networks see. The one place where frames become floats and labels become maps."""

import numpy as np
import torch
from jaxtyping import Float, UInt8, UInt16
from torch import Tensor

from models.maps import foreground_mask, label_maps
from pipeline.palettes import Palette


def frames_to_tensor(rgb: UInt8[np.ndarray, "*t h w 3"]) -> Float[Tensor, "*t 3 h w"]:
    """0..255 -> -1..1"""
    return torch.from_numpy(rgb).movedim(-1, -3).float() / 127.5 - 1


def tensor_to_frames(image: Float[Tensor, "*t 3 h w"]) -> UInt8[np.ndarray, "*t h w 3"]:
    """-1..1 -> 0..255, rounded and clamped."""
    return ((image.detach().float().cpu() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).movedim(-3, -1).contiguous().numpy()


def maps_to_tensor(
    label: UInt8[np.ndarray, "*t h w"], instance: UInt16[np.ndarray, "*t h w"], palette: Palette
) -> Float[Tensor, "*t c h w"]:
    """One-hot labels and instance edges; c = palette.num_labels + 1."""
    return label_maps(torch.from_numpy(label), torch.from_numpy(instance.astype(np.int32)), num_labels=palette.num_labels)


def foreground_of(maps: Float[Tensor, "*t c h w"], palette: Palette) -> Float[Tensor, "*t 1 h w"] | None:
    """1 on the palette's foreground classes; None if it has none."""
    return foreground_mask(maps, palette.foreground) if palette.foreground else None


def optical_flow_to_tensor(optical_flow: np.ndarray, confidence: UInt8[np.ndarray, "t h w"]) -> tuple[Tensor, Tensor]:
    """Pixels as `t 2 h w`; confidence as the reference's binary mask, `t 1 h w`."""
    return torch.from_numpy(optical_flow.astype(np.float32)).movedim(-1, -3), torch.from_numpy(confidence >= 128).float().unsqueeze(-3)
