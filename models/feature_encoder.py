"""E of the paper: what an instance looks like, in a few numbers, so that one may choose (multimodal synthesis; pix2pixHD)."""

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from models.blocks import Norm, decoder, encoder, head, initialize


class FeatureEncoder(nn.Module):
    """Height and width divide by `2**downsamplings`."""

    def __init__(self, *, features: int = 3, width: int, downsamplings: int, norm: Norm = "instance") -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *encoder(3, width=width, downsamplings=downsamplings, blocks=0, norm=norm),
            *decoder(width=width, upsamplings=downsamplings, blocks=0, norm=norm),
            *head(width, features, nn.Tanh()),
        )
        initialize(self)

    def forward(self, image: Float[Tensor, "b 3 h w"], instance: Integer[Tensor, "b h w"]) -> Float[Tensor, "b features h w"]:
        """Every pixel of an instance has the mean of the instance's features."""
        return instance_means(self.layers(image).float(), instance)


def instance_means(features: Float[Tensor, "b c h w"], instance: Integer[Tensor, "b h w"]) -> Float[Tensor, "b c h w"]:
    """The mean over each instance of each image, at each of its pixels."""
    first_ids = torch.arange(len(instance), device=instance.device) * (instance.max().long() + 1)
    ids = instance.long() + first_ids[:, None, None]
    index, counts = torch.unique(ids, return_inverse=True, return_counts=True)[1:]
    pixels = features.permute(0, 2, 3, 1)  # b h w c
    sums = pixels.new_zeros(len(counts), features.shape[1]).index_add(0, index.flatten(), pixels.flatten(0, 2))
    means: Tensor = sums / counts[:, None]
    return means[index].permute(0, 3, 1, 2)
