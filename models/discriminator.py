"""The multi-scale PatchGAN of pix2pixHD, which judges images (with their maps) and video (frames with their optical flow)."""

from itertools import pairwise
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from models.blocks import Norm, initialize, norm_layer
from models.checkpointing import recomputed, refuse_batch_norm
from models.maps import pyramid

MAX_FIRST_WIDTH = 64
MAX_WIDTH = 512

DiscriminatorFeatures = list[list[Float[Tensor, "b _ _ _"]]]
"""By scale, finest first, then by layer; the last layer is the patches' score."""


class PatchDiscriminator(nn.Module):
    """`layers` convolutions of stride 2 and two of stride 1; each sees a larger patch than the last."""

    def __init__(self, channels: int, *, width: int, layers: int, norm: Norm) -> None:
        super().__init__()
        widths = [min(width * 2**layer, MAX_WIDTH) for layer in range(layers + 1)]
        strides = [2] * (layers - 1) + [1]
        self.layers = nn.ModuleList([nn.Sequential(_convolution4(channels, width, stride=2), nn.LeakyReLU(0.2, inplace=True))])
        for (inner, outer), stride in zip(pairwise(widths), strides, strict=True):
            convolution = _convolution4(inner, outer, stride=stride)
            self.layers.append(nn.Sequential(convolution, norm_layer(norm, outer), nn.LeakyReLU(0.2, inplace=True)))
        self.layers.append(nn.Sequential(_convolution4(widths[-1], 1, stride=1)))

    def forward(self, x: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        features = []
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return features


class Discriminator(nn.Module):
    """One PatchGAN a scale. `width` is that of the finest; coarser ones are twice as wide each, up to 64."""

    def __init__(
        self, *, channels: int, scales: int, width: int = 64, layers: int = 3, norm: Norm = "instance", checkpointing: bool = False
    ) -> None:
        """`checkpointing`: what lies between an image and its features is computed again in the backward pass."""
        super().__init__()
        if checkpointing:
            refuse_batch_norm(norm)
        self.checkpointing = checkpointing
        widths = [min(width * 2**scale, MAX_FIRST_WIDTH) for scale in range(scales)]
        self.scales = nn.ModuleList([PatchDiscriminator(channels, width=w, layers=layers, norm=norm) for w in widths])
        initialize(self)

    def compile(self, *arguments: Any, **keywords: Any) -> None:
        """Each scale by itself: in some phases of a training the finest are left out."""
        for scale in self.scales:
            scale.compile(*arguments, **keywords)

    def forward(self, x: Float[Tensor, "b c h w"], *, without_finest: int = 0) -> DiscriminatorFeatures:
        """`without_finest`: so many scales are left out, for images that are smaller by as many halvings."""
        networks = self.scales[without_finest:]
        levels = zip(networks, pyramid(x, len(networks)), strict=True)
        return [recomputed(network, level) if self.checkpointing else network(level) for network, level in levels]


def _convolution4(inputs: int, outputs: int, *, stride: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 4, stride=stride, padding=2)
