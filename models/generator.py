"""One scale of the generator: maps and past frames -> the next frame (vid2vid, section 3)."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models import blend as blends
from models.blend import Blend
from models.blocks import Norm, decoder, encoder, head, initialize
from models.warp import warp

FLOW_PIXELS = 20.0
"""What 1 means to the coarsest flow head, in pixels of its own scale (reference); twice that at each finer scale."""

MaskKind = Literal["soft", "binary"]


@dataclass(frozen=True)
class Frame:
    """`raw` is drawn anew; `image` takes from it the share `mask`, and the rest from the previous frame, warped.

    `optical_flow` leads from this frame to the previous one, in pixels. Where nothing is warped it is 0 and the mask 1.
    """

    image: Float[Tensor, "b 3 h w"]
    raw: Float[Tensor, "b 3 h w"]
    optical_flow: Float[Tensor, "b 2 h w"]
    mask: Float[Tensor, "b 1 h w"]


@dataclass(frozen=True)
class Features:
    """What each head sees, and a finer generator builds on; None where there is no such branch."""

    image: Float[Tensor, "b _ h w"]
    motion: Float[Tensor, "b _ h w"] | None
    foreground: Float[Tensor, "b _ h w"] | None


class MotionBranch(nn.Module):
    """W and M of the paper: optical flow, and the mask of what cannot be warped."""

    def __init__(self, decoder: nn.Sequential, *, width: int, pixels: float, mask: MaskKind) -> None:
        super().__init__()
        self.decoder = decoder
        self.flow_head = head(width, 2)
        self.mask_head = head(width, 1, nn.Sigmoid())
        self.pixels = pixels
        self.mask = mask

    def forward(
        self, encoded: Float[Tensor, "b _ _ _"]
    ) -> tuple[Float[Tensor, "b _ h w"], Float[Tensor, "b 2 h w"], Float[Tensor, "b 1 h w"]]:
        features = self.decoder(encoded)
        with torch.autocast(encoded.device.type, enabled=False):  # bfloat16 would round 20 px to 1/8
            optical_flow = self.flow_head(features.float()) * self.pixels
        soft = self.mask_head(features).float()
        return features, optical_flow, soft if self.mask == "soft" else binary(soft)


class ForegroundBranch(nn.Module):
    """H_F of the paper: draws the foreground from the maps alone, never from the past."""

    def __init__(self, encoder: nn.Sequential, decoder: nn.Sequential, *, width: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.head = head(width, 3, nn.Tanh())

    def forward(
        self, maps: Float[Tensor, "b maps h w"], coarser: Float[Tensor, "b _ _ _"] | None
    ) -> tuple[Float[Tensor, "b _ h w"], Float[Tensor, "b 3 h w"]]:
        features = self.decoder(_sum(self.encoder(maps), coarser))
        return features, self.head(features).float()


class Generator(nn.Module):
    """F of the paper at one scale; `build_generator` builds its parts."""

    def __init__(
        self,
        *,
        maps_encoder: nn.Sequential,
        past_encoder: nn.Sequential,
        decoder: nn.Sequential,
        width: int,
        motion: MotionBranch | None,
        foreground: ForegroundBranch | None,
        blend: Blend,
        skips_empty_past: bool,
    ) -> None:
        """`skips_empty_past`: where there is no previous frame, what the past's encoder makes of zeros is left out. Its features would be
        constant, and an instance norm divides a constant's rounding errors by almost nothing: noise, other on each machine."""
        super().__init__()
        self.skips_empty_past = skips_empty_past
        self.maps_encoder = maps_encoder
        self.past_encoder = past_encoder
        self.decoder = decoder
        self.head = head(width, 3, nn.Tanh())
        self.motion = motion
        self.foreground = foreground
        self.blend = {"foreground_last": blends.foreground_last, "paper": blends.paper}[blend]
        initialize(self)

    def forward(
        self,
        maps: Float[Tensor, "b maps h w"],
        past: Float[Tensor, "b past h w"],
        *,
        foreground_mask: Float[Tensor, "b 1 h w"] | None,
        previous: Float[Tensor, "b 3 h w"] | None,
        coarser: Features | None = None,
    ) -> tuple[Frame, Features]:
        """`maps` and `past` are stacked oldest first; `previous` is the frame to warp, None if there is none yet."""
        encoded = self.maps_encoder(maps)
        if previous is not None or not self.skips_empty_past:
            encoded = encoded + self.past_encoder(past)
        image_features = self.decoder(_sum(encoded, coarser.image if coarser else None))
        background = self.head(image_features).float()
        foreground_features, foreground = None, None
        if self.foreground is not None:
            foreground_features, foreground = self.foreground(maps, coarser.foreground if coarser else None)
        raw = blends.cover(background, foreground, foreground_mask)
        if self.motion is None or previous is None:
            frame = Frame(raw, raw, torch.zeros_like(raw[:, :2]), torch.ones_like(raw[:, :1]))
            return frame, Features(image_features, None, foreground_features)

        motion_features, optical_flow, mask = self.motion(_sum(encoded, coarser.motion if coarser else None))
        image = self.blend(
            warped=warp(previous, optical_flow),
            mask=mask,
            background=background,
            foreground=foreground,
            foreground_mask=foreground_mask,
        )
        return Frame(image, raw, optical_flow, mask), Features(image_features, motion_features, foreground_features)


def build_generator(
    *,
    scale: int,
    map_channels: int,
    past_frames: int,
    width: int,
    downsamplings: int,
    blocks: int,
    foreground: bool,
    warping: bool,
    norm: Norm = "instance",
    blend: Blend = "foreground_last",
    mask: MaskKind = "soft",
    skips_empty_past: bool = True,
) -> Generator:
    """The generator of one scale; 0 is the coarsest.

    `map_channels` are one frame's. `width` and `blocks` are this scale's, `downsamplings` the coarsest's: a finer scale goes down once,
    to the size of the coarser one's features, adds them, and only then has its blocks. The coarsest has half of its blocks before maps
    and past are added, and half after, for image and motion each.
    """
    levels, before = (downsamplings, blocks - blocks // 2) if scale == 0 else (1, 0)
    foreground_before = blocks if scale == 0 else 0
    foreground_width = width // 2 if downsamplings > 2 else width  # the reference spares its largest networks

    def down(channels: int, *, width: int, blocks: int) -> nn.Sequential:
        return encoder(channels, width=width, downsamplings=levels, blocks=blocks, norm=norm)

    def up(*, width: int, blocks: int) -> nn.Sequential:
        return decoder(width=width, upsamplings=levels, blocks=blocks, norm=norm)

    def motion_branch() -> MotionBranch:
        return MotionBranch(up(width=width, blocks=blocks - before), width=width, pixels=FLOW_PIXELS * 2**scale, mask=mask)

    def foreground_branch() -> ForegroundBranch:
        return ForegroundBranch(
            down(map_channels * (past_frames + 1), width=foreground_width, blocks=foreground_before),
            up(width=foreground_width, blocks=blocks - foreground_before),
            width=foreground_width,
        )

    return Generator(
        maps_encoder=down(map_channels * (past_frames + 1), width=width, blocks=before),
        past_encoder=down(3 * past_frames, width=width, blocks=before),
        decoder=up(width=width, blocks=blocks - before),
        width=width,
        motion=motion_branch() if warping else None,
        foreground=foreground_branch() if foreground else None,
        blend=blend,
        skips_empty_past=skips_empty_past,
    )


def binary(mask: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
    """0 or 1, whichever is nearer; gradients pass as if nothing had been rounded, since those of rounding are 0."""
    return mask.round().detach() + (mask - mask.detach())


def _sum(features: Float[Tensor, "b c h w"], coarser: Float[Tensor, "b c h w"] | None) -> Float[Tensor, "b c h w"]:
    return features if coarser is None else features + coarser
