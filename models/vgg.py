"""The five layers of VGG19 that the perceptual term compares."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.checkpointing import recomputed

LAYERS = (1, 6, 11, 20, 29)
"""relu1_1, relu2_1, relu3_1, relu4_1, relu5_1 in torchvision's `vgg19().features`."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
"""Of colours in [0, 1]."""


class VggFeatures(nn.Module):
    """`features` are torchvision's, with weights, made outside. They are frozen here.

    They see frames in [-1, 1] as they are, as in the reference; with `imagenet_norm`, as VGG19 was trained. `checkpointing`: what lies
    between an image and its features is computed again in the backward pass.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: nn.Sequential, *, imagenet_norm: bool = False, checkpointing: bool = False) -> None:
        super().__init__()
        self.imagenet_norm, self.checkpointing = imagenet_norm, checkpointing
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(IMAGENET_DEVIATION).view(3, 1, 1), persistent=False)
        bounds = zip((0, *(layer + 1 for layer in LAYERS[:-1])), LAYERS, strict=True)
        self.slices = nn.ModuleList([features[first : last + 1] for first, last in bounds])
        self.requires_grad_(False)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        if self.imagenet_norm:
            image = ((image + 1) / 2 - self.mean) / self.deviation
        layers = []
        for part in self.slices:
            image = recomputed(part, image) if self.checkpointing and image.requires_grad else part(image)
            layers.append(image)
        return layers
