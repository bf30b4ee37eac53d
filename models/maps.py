"""From labels and instances to the maps that the networks see, at every scale."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer, UInt8
from torch import Tensor


def one_hot(label: UInt8[Tensor, "*batch h w"], num_labels: int) -> Float[Tensor, "*batch {num_labels} h w"]:
    """One channel a label. Void (255), like every id from `num_labels` on, is all zero."""
    maps = torch.empty(*label.shape[:-2], num_labels, *label.shape[-2:], device=label.device)
    return put_one_hot(label, maps)


def instance_edges(instance: Integer[Tensor, "*batch h w"]) -> Float[Tensor, "*batch 1 h w"]:
    """1 where any of the four neighbours belongs to another instance."""
    across = instance[..., :, 1:] != instance[..., :, :-1]
    down = instance[..., 1:, :] != instance[..., :-1, :]
    edge = F.pad(across, (1, 0)) | F.pad(across, (0, 1)) | F.pad(down, (0, 0, 1, 0)) | F.pad(down, (0, 0, 0, 1))
    return edge.unsqueeze(-3).float()


def label_maps(
    label: UInt8[Tensor, "*batch h w"], instance: Integer[Tensor, "*batch h w"], *, num_labels: int
) -> Float[Tensor, "*batch {num_labels}+1 h w"]:
    """The maps of a street scene: one-hot labels, then the instances' edges."""
    maps = torch.empty(*label.shape[:-2], num_labels + 1, *label.shape[-2:], device=label.device)
    put_one_hot(label, maps[..., :num_labels, :, :])
    maps[..., num_labels:, :, :] = instance_edges(instance)
    return maps


def put_one_hot(label: Tensor, maps: Tensor) -> Tensor:
    """Compares straight into the maps: most of a training window's bytes are these, each pass over them costs as much as decoding."""
    ids = torch.arange(maps.shape[-3], dtype=torch.uint8, device=label.device)
    return torch.eq(label.unsqueeze(-3), ids[:, None, None], out=maps)


def foreground_mask(maps: Float[Tensor, "*batch c h w"], foreground_labels: Sequence[int]) -> Float[Tensor, "*batch 1 h w"]:
    """M: 1 on the foreground's labels; soft where the maps are. `maps` start with the one-hot labels."""
    return maps[..., list(foreground_labels), :, :].sum(dim=-3, keepdim=True).clamp(0, 1)


def pyramid(x: Float[Tensor, "*batch c h w"], num_scales: int) -> list[Float[Tensor, "*batch c _ _"]]:
    """`x` and its halvings, finest first. One-hot maps become soft."""
    levels = [x]
    for _ in range(num_scales - 1):
        levels.append(halved(levels[-1]))
    return levels


def halved(x: Float[Tensor, "*batch c h w"]) -> Float[Tensor, "*batch c _ _"]:
    """Half the size, odd sizes rounded up; the border does not darken, as padding is not counted."""
    half = F.avg_pool2d(x.flatten(0, -4), 3, stride=2, padding=1, count_include_pad=False)
    return half.reshape(*x.shape[:-2], *half.shape[-2:])
