"""The recurrent generator: maps -> video, coarse to fine, each frame from the ones made before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from models.blend import Blend
from models.blocks import Norm
from models.checkpointing import recomputed, refuse_batch_norm
from models.generator import Frame, MaskKind, build_generator
from models.maps import pyramid
from models.padding import padded


@dataclass(frozen=True)
class State:
    """What the next frame builds on: the last frames of each scale's own, finest first, padded; None before the first frame."""

    past: tuple[Float[Tensor, "b past 3 _ _"], ...] | None

    def detached(self) -> "State":
        return State(None if self.past is None else tuple(frames.detach() for frames in self.past))


@dataclass(frozen=True)
class Generated:
    """What `Frame` says of one frame, for a video; `state` continues it."""

    image: Float[Tensor, "b t 3 h w"]
    raw: Float[Tensor, "b t 3 h w"]
    optical_flow: Float[Tensor, "b t 2 h w"]
    mask: Float[Tensor, "b t 1 h w"]
    state: State


class VideoGenerator(nn.Module):
    """`scales[0]` is the coarsest: its weights keep their names when a finer scale is added."""

    def __init__(
        self,
        *,
        map_channels: int,
        width: int,
        downsamplings: int,
        blocks: int,
        fine_blocks: int,
        scales: int,
        past_frames: int,
        foreground: bool,
        warping: bool,
        norm: Norm = "instance",
        blend: Blend = "foreground_last",
        mask: MaskKind = "soft",
        skips_empty_past: bool = True,
        each_alone: bool = False,
        checkpointing: bool = False,
    ) -> None:
        """`map_channels` are one frame's; `width` is the coarsest scale's and halves at each finer one.

        `skips_empty_past`: False for published weights, which begin with zeros for a past (see Generator).
        `each_alone`: every frame is made as if it were a video's first, from its own maps alone (the per-frame baseline).
        `checkpointing`: each scale of each frame is computed again in the backward pass, so that only one of them holds what it computes
        on the way. It changes nothing else, and is no part of what a generator is.
        """
        super().__init__()
        assert not (each_alone and warping), "what is made without the past has nothing to warp"
        if checkpointing:
            refuse_batch_norm(norm)
        self.past_frames = past_frames
        self.foreground = foreground
        self.each_alone = each_alone
        self.checkpointing = checkpointing
        self.downsamplings = downsamplings
        self.scales = nn.ModuleList(
            build_generator(
                scale=scale,
                map_channels=map_channels,
                past_frames=past_frames,
                width=width // 2**scale,
                downsamplings=downsamplings,
                blocks=blocks if scale == 0 else fine_blocks,
                foreground=foreground,
                warping=warping,
                norm=norm,
                blend=blend,
                mask=mask,
                skips_empty_past=skips_empty_past,
            )
            for scale in range(scales)
        )

    def forward(
        self,
        maps: Float[Tensor, "b past_and_t c h w"],
        foreground: Float[Tensor, "b past_and_t 1 h w"] | None,
        past: Float[Tensor, "b past 3 h w"] | State | None,
        *,
        gradient_frames: int = 1,
        only_finest: bool = False,
        scales: int | None = None,
    ) -> Generated:
        """One frame for each of `maps` but the first `past_frames`, which lie before the video (frame 0's, repeated, if there is none).

        `foreground` is M, None without a foreground branch. `past`: the frames before the video, the state that another part of it
        left, or None to start from nothing. Gradients reach back over `gradient_frames` frames. `scales`: how many there are, the
        coarsest first, for frames of the size that the last of these makes; with `only_finest`, the coarser ones get no gradient.
        """
        self._check_foreground(foreground)
        scales = scales or len(self.scales)
        if self.each_alone:
            return self._each_alone(maps[:, self.past_frames :], None if foreground is None else foreground[:, self.past_frames :], scales)
        state = past if isinstance(past, State) else self.start(past, scales)
        map_levels, foreground_levels = self._levels(maps, scales), self._levels(foreground, scales)
        frames = []
        for first in range(maps.shape[1] - self.past_frames):
            if first % gradient_frames == 0:
                state = state.detached()
            last = first + self.past_frames
            window = [level[:, first : last + 1] for level in map_levels]
            now = [level[:, last] for level in foreground_levels]
            frame, state = self._next(window, now, state=state, only_finest=only_finest)
            frames.append(_cropped(frame, maps.shape[-2:]))
        return _video(frames, state)

    def compile(self, *arguments: Any, **keywords: Any) -> None:
        """Each scale by itself: the whole would be unrolled over a window's frames, and compiled anew for each number of them."""
        for scale in self.scales:
            scale.compile(*arguments, **keywords)

    def start(self, past: Float[Tensor, "b past 3 h w"] | None, scales: int | None = None) -> State:
        """The state before a video's first frame; None = there is nothing before it."""
        return State(None if past is None else tuple(self._levels(past, scales or len(self.scales))))

    def step(
        self,
        maps: Float[Tensor, "b past_and_1 c h w"],
        foreground: Float[Tensor, "b 1 h w"] | None,
        state: State,
    ) -> tuple[Frame, State]:
        """The next frame, as `forward` makes it, for videos of any length; `maps` are its own and the `past_frames` before it."""
        self._check_foreground(foreground)
        scales = len(self.scales)
        now = [level[:, 0] for level in self._levels(None if foreground is None else foreground[:, None], scales)]
        frame, state = self._next(self._levels(maps, scales), now, state=state, only_finest=False)
        return _cropped(frame, maps.shape[-2:]), self.start(None) if self.each_alone else state

    def _each_alone(self, maps: Float[Tensor, "b t c h w"], foreground: Float[Tensor, "b t 1 h w"] | None, scales: int) -> Generated:
        """All frames at once, as one batch."""
        windows = repeat(maps, "b t c h w -> (b t) window c h w", window=self.past_frames + 1)
        now = [level[:, 0] for level in self._levels(None if foreground is None else foreground.flatten(0, 1)[:, None], scales)]
        frame, _ = self._next(self._levels(windows, scales), now, state=self.start(None), only_finest=False)
        frame = _cropped(frame, maps.shape[-2:])
        image, raw, optical_flow, mask = (rearrange(x, "(b t) c h w -> b t c h w", b=maps.shape[0]) for x in _parts(frame))
        return Generated(image, raw, optical_flow, mask, self.start(None))

    def _next(self, maps: list[Tensor], foreground: list[Tensor], *, state: State, only_finest: bool) -> tuple[Frame, State]:
        """One frame, coarse to fine. `maps` (b window c h w) and `foreground` (b 1 h w) by scale, finest first; sizes divide."""
        past = state.past or [level.new_zeros(level.shape[0], self.past_frames, 3, *level.shape[-2:]) for level in maps]
        features = None
        images: list[Tensor] = []
        for scale, level in enumerate(reversed(range(len(maps)))):
            with torch.set_grad_enabled(torch.is_grad_enabled() and not (only_finest and level > 0)):
                generator = partial(recomputed, self.scales[scale]) if self.checkpointing else self.scales[scale]
                frame, features = generator(
                    maps[level].flatten(1, 2),
                    past[level].flatten(1, 2),
                    foreground_mask=foreground[level] if foreground else None,
                    previous=past[level][:, -1] if state.past else None,
                    coarser=features,
                )
            images.insert(0, frame.image)
        kept = tuple(torch.cat([p[:, 1:], image[:, None]], dim=1) for p, image in zip(past, images, strict=True))
        return frame, State(kept)

    def _check_foreground(self, foreground: Tensor | None) -> None:
        if self.foreground and foreground is None:
            raise ValueError("foreground is None, but this generator draws a foreground: it needs the mask that says where")
        if not self.foreground and foreground is not None:
            raise ValueError("a foreground mask was given, but this generator draws none: foreground must be None")

    def _levels(self, x: Float[Tensor, "b t c h w"] | None, scales: int) -> list[Tensor]:
        """Padded and pooled, finest first."""
        return [] if x is None else pyramid(padded(x, 2 ** (self.downsamplings + scales - 1)), scales)


def _cropped(frame: Frame, size: Sequence[int]) -> Frame:
    height, width = size
    return Frame(*(x[..., :height, :width] for x in _parts(frame)))


def _parts(frame: Frame) -> tuple[Tensor, ...]:
    return frame.image, frame.raw, frame.optical_flow, frame.mask


def _video(frames: Sequence[Frame], state: State) -> Generated:
    image, raw, optical_flow, mask = (torch.stack(parts, dim=1) for parts in zip(*map(_parts, frames), strict=True))
    return Generated(image, raw, optical_flow, mask, state)
