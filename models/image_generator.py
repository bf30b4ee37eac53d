"""pix2pixHD's generators: maps -> one image, with no past (Wang et al., CVPR 2018). For a first frame, or as a baseline."""

from jaxtyping import Float
from torch import Tensor, nn

from models.blocks import Norm, decoder, encoder, head, initialize
from models.maps import halved


class GlobalImageGenerator(nn.Module):
    """Height and width divide by `2**downsamplings`."""

    def __init__(self, *, map_channels: int, width: int, downsamplings: int, blocks: int, norm: Norm = "instance") -> None:
        super().__init__()
        trunk = _trunk(map_channels, width=width, downsamplings=downsamplings, blocks=blocks, norm=norm)
        self.layers = nn.Sequential(*trunk, *head(width, 3, nn.Tanh()))
        initialize(self)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 h w"]:
        image: Tensor = self.layers(maps).float()
        return image


class LocalImageGenerator(nn.Module):
    """A global generator, twice as wide, on the halved maps; its features are enhanced at full size, at `width`.

    Height and width divide by `2**(downsamplings + 1)`.
    """

    def __init__(
        self, *, map_channels: int, width: int, downsamplings: int, blocks: int, local_blocks: int, norm: Norm = "instance"
    ) -> None:
        super().__init__()
        self.trunk = _trunk(map_channels, width=2 * width, downsamplings=downsamplings, blocks=blocks, norm=norm)
        self.stem = encoder(map_channels, width=width, downsamplings=1, blocks=0, norm=norm)
        self.layers = nn.Sequential(*decoder(width=width, upsamplings=1, blocks=local_blocks, norm=norm), *head(width, 3, nn.Tanh()))
        initialize(self)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 h w"]:
        image: Tensor = self.layers(self.stem(maps) + self.trunk(halved(maps))).float()
        return image


def _trunk(map_channels: int, *, width: int, downsamplings: int, blocks: int, norm: Norm) -> nn.Sequential:
    return nn.Sequential(
        *encoder(map_channels, width=width, downsamplings=downsamplings, blocks=blocks, norm=norm),
        *decoder(width=width, upsamplings=downsamplings, blocks=0, norm=norm),
    )
