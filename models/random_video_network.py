"""A video network with fixed random weights: features to compare videos by where no trained network is at hand.

Random convolutions see colour, edges, texture and motion, but no meaning.
"""

from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2
"""Of the leaky ReLU below 0."""

DETAIL = 4.0
"""Gain of the filters that see change alone: from one pixel to the next, or one frame, a video changes little."""

FLAT = 0.01
"""Deviations far below this one count as none."""


class RandomVideoNetwork(nn.Module):
    """Frames in [-1, 1] -> of each layer and channel, mean and logarithm of the deviation over space and time.

    The first quarter of the first layer's filters sees colours, the others only how they change. By the logarithm, detail and motion
    count in proportion: a dark or smooth video's as much as another one's.
    """

    def __init__(self, *, widths: tuple[int, ...], seed: int) -> None:
        """Channels of each layer. Every layer halves height and width; all but the first also the number of frames, rounded up."""
        super().__init__()
        strides = [(1, 2, 2), *[(2, 2, 2)] * (len(widths) - 1)]
        self.layers = nn.ModuleList(
            nn.Conv3d(inner, outer, 3, stride=stride, padding=1, padding_mode="replicate", bias=False)
            for (inner, outer), stride in zip(pairwise((3, *widths)), strides, strict=True)
        )
        weights = draw_weights((3, *widths), seed)
        self.load_state_dict({f"layers.{n}.weight": torch.from_numpy(weight) for n, weight in enumerate(weights)})
        self.requires_grad_(False)

    def forward(self, video: Float[Tensor, "b 3 t h w"]) -> Float[Tensor, "b d"]:
        pooled = []
        for layer in self.layers:
            video = F.leaky_relu(layer(video), SLOPE)
            deviation, mean = torch.std_mean(video, dim=(2, 3, 4), correction=0)  # b c
            pooled += [mean, (deviation + FLAT).log()]
        return torch.cat(pooled, dim=1)


def draw_weights(channels: tuple[int, ...], seed: int) -> list[Float[np.ndarray, "_ _ 3 3 3"]]:
    """From NumPy's Philox, layer by layer; scaled after He et al. 2015, so that no layer shrinks or swells what it is given."""
    random = np.random.Generator(np.random.Philox(seed))
    weights = []
    for inner, outer in pairwise(channels):
        deviation = np.sqrt(2 / (1 + SLOPE**2) / (27 * inner))
        weights.append(deviation * random.standard_normal((outer, inner, 3, 3, 3)))
    change = weights[0][len(weights[0]) // 4 :]
    change -= change.mean(axis=(2, 3, 4), keepdims=True)
    change *= DETAIL
    return [weight.astype(np.float32) for weight in weights]
