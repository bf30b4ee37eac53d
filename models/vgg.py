"""The five layers of VGG19 that the perceptual term compares."""

from jaxtyping import Float
from torch import Tensor, nn

LAYERS = (1, 6, 11, 20, 29)
"""relu1_1, relu2_1, relu3_1, relu4_1, relu5_1 in torchvision's `vgg19().features`."""


class VggFeatures(nn.Module):
    """`features` are torchvision's, with weights, made outside. They are frozen here."""

    def __init__(self, features: nn.Sequential) -> None:
        super().__init__()
        bounds = zip((0, *(layer + 1 for layer in LAYERS[:-1])), LAYERS, strict=True)
        self.slices = nn.ModuleList([features[first : last + 1] for first, last in bounds])
        self.requires_grad_(False)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        layers = []
        for part in self.slices:
            image = part(image)
            layers.append(image)
        return layers
