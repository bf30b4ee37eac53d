"""pix2pixHD behind the call of the video generator: every frame from its own maps alone."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from models.blocks import Norm
from models.checkpointing import recomputed, refuse_batch_norm
from models.image_generator import GlobalImageGenerator, LocalImageGenerator
from models.padding import padded
from models.video_generator import Generated, State


class FrameByFrame(nn.Module):
    """Takes no past frames, knows no foreground, warps nothing: what is drawn is the frame, the mask 1 and the optical flow 0."""

    past_frames = 0
    foreground = False
    each_alone = True

    def __init__(
        self,
        *,
        map_channels: int,
        width: int,
        downsamplings: int,
        blocks: int,
        local_blocks: int,
        norm: Norm = "instance",
        checkpointing: bool = False,
    ) -> None:
        """`width` is the global generator's at its full resolution. `local_blocks` 0: it makes the frames; else a local one does, half as
        wide, and the global one sees half the size. `checkpointing` as for a `VideoGenerator`, of all frames together.
        """
        super().__init__()
        if checkpointing:
            refuse_batch_norm(norm)
        self.checkpointing = checkpointing
        self.multiple = 2 ** (downsamplings + (1 if local_blocks else 0))
        self.network: nn.Module = (
            LocalImageGenerator(
                map_channels=map_channels,
                width=width // 2,
                downsamplings=downsamplings,
                blocks=blocks,
                local_blocks=local_blocks,
                norm=norm,
            )
            if local_blocks
            else GlobalImageGenerator(map_channels=map_channels, width=width, downsamplings=downsamplings, blocks=blocks, norm=norm)
        )

    def forward(
        self,
        maps: Float[Tensor, "b t c h w"],
        foreground: Float[Tensor, "b t 1 h w"] | None = None,
        past: Float[Tensor, "b past 3 h w"] | State | None = None,
        *,
        gradient_frames: int = 1,
        only_finest: bool = False,
        scales: int | None = None,
    ) -> Generated:
        """One frame for each of `maps`, all as one batch. The other arguments are the video generator's and change nothing here."""
        height, width = maps.shape[-2:]
        batch = padded(maps, self.multiple).flatten(0, 1)  # b*t c h w
        image = recomputed(self.network, batch) if self.checkpointing else self.network(batch)
        frames = rearrange(image[..., :height, :width], "(b t) c h w -> b t c h w", t=maps.shape[1])
        return Generated(frames, frames, torch.zeros_like(frames[:, :, :2]), torch.ones_like(frames[:, :, :1]), State(None))
