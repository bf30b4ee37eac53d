"""A window as the networks see it: bytes become floats on the device that trains, at the size that the step's scales make."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int16, UInt8
from torch import Tensor

from models.discriminator_input import Spot
from models.maps import halved
from models.video_generator import State
from pipeline.maps import MapKind
from pipeline.schedule import Step
from pipeline.tensors import foreground_of
from pipeline.windows import Window


@dataclass(frozen=True)
class VideoGroups:
    frames: Sequence[tuple[int, ...]]
    """Numbers of frames, counted from the window's first: negative ones were made in the steps before."""
    optical_flow: Float[Tensor, "b groups two 2 h w"]


@dataclass(frozen=True)
class Batch:
    """`t` frames to generate, and the ones before them."""

    maps: Float[Tensor, "b past_and_t c h w"]
    foreground: Float[Tensor, "b past_and_t 1 h w"] | None
    before: Float[Tensor, "b before 3 h w"]
    """Real frames before the window, in [-1, 1]: none where it begins a video from nothing."""
    real: Float[Tensor, "b t 3 h w"]
    optical_flow: Float[Tensor, "b t 2 h w"]
    """Pixels, to the frame before."""
    confidence: Float[Tensor, "b t 1 h w"]
    """1 or 0; 0 in the first frame of a video that starts from nothing."""
    groups: dict[int, VideoGroups]
    """By the stride of the video discriminator that sees them."""
    faces: Sequence[Spot]
    """Of the main person, in those of the b * t real frames that show one."""

    @classmethod
    def of(cls, window: Window, kind: MapKind, device: torch.device, halvings: int) -> "Batch":
        faces = _spots(window.faces, halvings)  # read here: on a GPU that would wait for all before
        window = window.each(lambda x: x.to(device, non_blocking=True))
        maps = _halved(window.maps.channels(), halvings)
        sure = _halved((window.confidence >= 128).float().unsqueeze(-3), halvings)
        return cls(
            maps,
            foreground_of(maps, kind),
            _halved(_floats(window.before), halvings),
            _halved(_floats(window.real), halvings),
            _halved_flow(window.optical_flow, halvings),
            (sure >= 0.5).float(),
            {stride: VideoGroups(group.frames, _halved_flow(group.optical_flow, halvings)) for stride, group in window.groups.items()},
            faces,
        )

    def within(self) -> dict[int, VideoGroups]:
        """The groups that need no frames made before: all, but in the middle of a sequence whose last step failed."""
        kept = {stride: [n for n, group in enumerate(groups.frames) if group[0] >= 0] for stride, groups in self.groups.items()}
        return {
            stride: VideoGroups([self.groups[stride].frames[n] for n in numbers], self.groups[stride].optical_flow[:, numbers])
            for stride, numbers in kept.items()
            if numbers
        }

    def past(self, past_frames: int) -> Float[Tensor, "b past 3 h w"] | None:
        """What a sequence starts from; None = nothing."""
        return self.before[:, -past_frames:] if 0 < past_frames <= self.before.shape[1] else None


@dataclass(frozen=True)
class Carried:
    """What a step leaves to the next one of its sequence, cut off from its gradients."""

    state: State
    fakes: Float[Tensor, "b earlier 3 h w"]
    """The last frames made, as far back as the video discriminators look."""


@dataclass(frozen=True)
class StepInput:
    """What a step works on."""

    step: Step
    batch: Batch
    carried: Carried | None
    """None where a sequence begins, or begins anew after a step that failed."""

    def past(self, past_frames: int) -> State | Float[Tensor, "b past 3 h w"] | None:
        """What the generator goes on from; None = nothing."""
        return self.carried.state if self.carried else self.batch.past(past_frames)

    def groups(self) -> dict[int, VideoGroups]:
        return self.batch.groups if self.carried else self.batch.within()

    def made(self, images: Float[Tensor, "b t 3 h w"]) -> Float[Tensor, "b earlier_and_t 3 h w"]:
        """With the frames made before them."""
        return torch.cat([self.carried.fakes, images], dim=1) if self.carried else images

    def filmed(self) -> Float[Tensor, "b before_and_t 3 h w"]:
        """The real frames, with those before them."""
        return torch.cat([self.batch.before, self.batch.real], dim=1)


def _floats(rgb: UInt8[Tensor, "b t h w 3"]) -> Float[Tensor, "b t 3 h w"]:
    """0..255 -> -1..1"""
    return rearrange(rgb, "b t h w c -> b t c h w").float() / 127.5 - 1


def _spots(faces: Int16[Tensor, "b t 2"], halvings: int) -> list[Spot]:
    """Pixel n of a halved frame has pixel 2n in its middle."""
    times = 2**halvings
    return [Spot(number, int(x // times), int(y // times)) for number, (x, y) in enumerate(faces.flatten(0, 1).tolist()) if min(x, y) >= 0]


def _halved(x: Float[Tensor, "*b c h w"], times: int) -> Float[Tensor, "*b c _ _"]:
    for _ in range(times):
        x = halved(x) if x.numel() else x[..., ::2, ::2]  # pooling refuses no frames at all
    return x


def _halved_flow(stored: Tensor, times: int) -> Float[Tensor, "*b 2 _ _"]:
    """Pixels of the smaller frame."""
    return _halved(stored.movedim(-1, -3).float(), times) / 2**times
