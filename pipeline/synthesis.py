"""Maps -> frames, one after another: videos of any length in constant memory, several of one size side by side as one batch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.video_generator import State
from pipeline import arrays
from pipeline.checkpoint import TrainedGenerator, TrainedImageGenerator
from pipeline.errors import InputError
from pipeline.maps import ClipMaps, MapKind
from pipeline.overlap import ahead
from pipeline.tensors import StoredMaps, concatenated, foreground_of, frames_to_tensor, maps_to_tensor, stored_maps, tensor_to_frames

FirstFrames = Callable[[int], UInt8[np.ndarray, "t h w 3"]]
"""The first so many frames of a video, or all of a shorter one."""


@dataclass(frozen=True)
class Video:
    """What a video is made from: these frames' maps."""

    maps: ClipMaps
    used: range
    first: FirstFrames | None
    """What it begins with; None: with what the generator makes from nothing."""

    def __len__(self) -> int:
        return len(self.used)


@dataclass(frozen=True)
class Made:
    """The next frame of each video that has one, and what the frame after it builds on."""

    rgb: UInt8[np.ndarray, "b h w 3"]
    state: State

    def of(self, number: int) -> "Made":
        """Of one of the videos alone."""
        alone = slice(number, number + 1)
        return Made(self.rgb[alone], State(self.state.past and tuple(frames[alone] for frames in self.state.past)))


class Synthesis:
    """Videos of one size, the longest first; all of them begin from nothing, or none does."""

    def __init__(self, generator: TrainedGenerator, videos: Sequence[Video], device: str) -> None:
        self._generator, self._network, self._videos, self._device = generator, generator.network, videos, device

    def frames(self, done: int, state: State | None) -> Iterator[Made]:
        """From frame number `done` on, counted from 0; `state` is what the frame before it left, None before the first."""
        given = self._network.past_frames if self._videos[0].first else 0
        if done < given:
            first = [video.first(given) for video in self._videos if video.first]
            state = self._start([frames for frames in first if len(frames) == given])
            for t in range(done, given):
                if there := [frames[t] for frames in first if t < len(frames)]:
                    yield Made(np.stack(there), state)
        yield from self._made(max(done, given), state or self._network.start(None))

    def _start(self, first: list[UInt8[np.ndarray, "t h w 3"]]) -> State:
        return self._network.start(frames_to_tensor(np.stack(first)).to(self._device) if first else None)

    @torch.inference_mode()
    def _made(self, done: int, state: State) -> Iterator[Made]:
        """A generator that makes each frame alone sees, as in its training, the frame's own maps in place of earlier ones."""
        past, alone = self._network.past_frames, self._network.each_alone
        numbers = range(done, len(self._videos[0]))
        if not numbers:
            return
        window = [self._channels(maps) for maps in self._maps(max(t, 0) for t in range(done - past, done))]  # of each: b c h w
        for maps in ahead(self._maps(numbers)):
            now = self._channels(maps)
            going_on = len(now)  # videos end at different times
            window = [now] * (past + 1) if alone else [*(of_frame[:going_on] for of_frame in window[-past:]), now]
            foreground = foreground_of(now, self._generator.kind) if self._network.foreground else None
            frame, state = self._network.step(torch.stack(window, dim=1), foreground, _moved(state, self._device, going_on))
            yield Made(tensor_to_frames(frame.image), state)

    def _channels(self, maps: StoredMaps) -> Float[Tensor, "b c h w"]:
        return maps.each(lambda stored: stored.to(self._device)).channels()

    def _maps(self, numbers: Iterable[int]) -> Iterator[StoredMaps]:
        """Before a video, its first frame's are repeated."""
        for t in numbers:
            yield concatenated([stored_maps(video.maps, [video.used[t]]) for video in self._videos if t < len(video)])


def _moved(state: State, device: str, videos: int) -> State:
    """Of the first so many videos."""
    return State(None if state.past is None else tuple(past[:videos].to(device) for past in state.past))


def given_by(rgb: arrays.ArrayView, used: range) -> FirstFrames:
    """Real ones, from a file of all frames that there are maps of."""
    return lambda count: rgb[used.start : used[:count].stop]


def drawn_by(generator: TrainedImageGenerator, maps: ClipMaps, used: range, device: str) -> FirstFrames:
    """Each from its own maps."""

    @torch.inference_mode()
    def first(count: int) -> UInt8[np.ndarray, "t h w 3"]:
        shown = maps_to_tensor(maps, used[:count]).to(device)
        return tensor_to_frames(generator.network(shown[None]).image[0])

    return first


def require_kind(found: MapKind, trained_on: MapKind, where: str, what: str = "the generator") -> None:
    if found != trained_on:
        raise InputError(f"{where}: its maps are {found}; {what} was trained on {trained_on}, and can be given nothing else")
