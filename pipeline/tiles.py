"""A picture through a network in overlapping tiles: less memory, and the result is put together as if it had been whole."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Tiles:
    side: int
    """Pixels that the network sees at once, in each direction."""
    overlap: int
    """Pixels that neighbours share: each keeps what lies on its side of the middle, so every kept pixel saw half of them around it."""


@dataclass(frozen=True)
class Span:
    """One tile along one direction, in pixels: what it sees, and which part of that is kept."""

    start: int
    stop: int
    keep_from: int
    keep_to: int


def features(
    network: Callable[[Tensor], Tensor], image: Float[Tensor, "b c h w"], tiles: Tiles, stride: int
) -> Float[Tensor, "b features height width"]:
    """Of a network with one output for each `stride` pixels. Equal to the whole's where half of the overlap covers what it can see."""
    rows, columns = (spans(length, tiles, stride) for length in image.shape[-2:])
    strips = (torch.cat([_kept(network, image, row, column, stride) for column in columns], dim=-1) for row in rows)
    return torch.cat(list(strips), dim=-2)


def spans(length: int, tiles: Tiles, stride: int) -> list[Span]:
    """All begin at multiples of the stride, as the whole's outputs do; all but the only one are as long as one another, but for that."""
    if length <= tiles.side:
        return [Span(0, length, 0, length)]
    side = _multiple(tiles.side, stride)
    step = max(stride, _multiple(side - tiles.overlap, stride))  # neighbours share as much as was asked for, or more
    last = -(-(length - side) // stride) * stride  # the first multiple from which a tile reaches the end
    starts = [*range(0, last, step), last]
    stops = [min(start + side, length) for start in starts]
    middles = [_multiple((start + stop) // 2, stride) for start, stop in zip(starts[1:], stops[:-1], strict=True)]
    return [Span(*span) for span in zip(starts, stops, [0, *middles], [*middles, length], strict=True)]


def _kept(network: Callable[[Tensor], Tensor], image: Tensor, row: Span, column: Span, stride: int) -> Tensor:
    found = network(image[..., row.start : row.stop, column.start : column.stop])
    top, left = (row.keep_from - row.start) // stride, (column.keep_from - column.start) // stride
    height, width = (-(-(span.keep_to - span.keep_from) // stride) for span in (row, column))
    return found[..., top : top + height, left : left + width].clone()  # a view would keep the whole tile in memory


def _multiple(length: int, stride: int) -> int:
    """Rounded down."""
    return length // stride * stride
