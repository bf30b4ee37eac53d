"""The layers that every generator is made of (pix2pixHD, Wang et al. 2018; kept by vid2vid)."""

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Norm = Literal["instance", "batch"]


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """`instance` has no weights and no running statistics, so training equals inference; `batch` is what published weights use."""
    return InstanceNorm() if norm == "instance" else nn.BatchNorm2d(channels)


class InstanceNorm(nn.Module):
    """Each channel of each image to mean 0 and variance 1."""

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        if x.shape[0] == 1:  # the same numbers, but F.instance_norm would copy channels_last to contiguous at every layer
            return F.batch_norm(x, None, None, training=True)
        return F.instance_norm(x)


class ResidualBlock(nn.Module):
    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            norm_layer(norm, channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            norm_layer(norm, channels),
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        change: Tensor = self.layers(x)
        return x + change


def encoder(channels: int, *, width: int, downsamplings: int, blocks: int, norm: Norm) -> nn.Sequential:
    """`channels` at full size -> `width * 2**downsamplings` at `1 / 2**downsamplings` of it."""
    layers = [*_convolution7(channels, width), norm_layer(norm, width), nn.ReLU(inplace=True)]
    for level in range(downsamplings):
        inner = width * 2**level
        layers += [nn.Conv2d(inner, 2 * inner, 3, stride=2, padding=1), norm_layer(norm, 2 * inner), nn.ReLU(inplace=True)]
    layers += [ResidualBlock(width * 2**downsamplings, norm) for _ in range(blocks)]
    return nn.Sequential(*layers)


def decoder(*, width: int, upsamplings: int, blocks: int, norm: Norm) -> nn.Sequential:
    """The way back: `width * 2**upsamplings` channels -> `width` at `2**upsamplings` times the size."""
    layers: list[nn.Module] = [ResidualBlock(width * 2**upsamplings, norm) for _ in range(blocks)]
    for level in reversed(range(upsamplings)):
        outer = width * 2**level
        layers += [
            nn.ConvTranspose2d(2 * outer, outer, 3, stride=2, padding=1, output_padding=1),
            norm_layer(norm, outer),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def head(width: int, channels: int, *activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(*_convolution7(width, channels), *activation)


def _convolution7(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.ReflectionPad2d(3), nn.Conv2d(inputs, outputs, 7)]


def initialize(network: nn.Module) -> None:
    """Convolutions N(0, 0.02), batch norm's scales N(1, 0.02), as in pix2pixHD; biases 0, so that optical flow starts near 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
            nn.init.normal_(layer.weight, float(isinstance(layer, nn.BatchNorm2d)), 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
