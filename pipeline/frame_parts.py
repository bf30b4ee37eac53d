"""A long video while it is made: its frames in parts, array files of so many each, and what the next part's first frame builds on.

A kill costs the part that was being made. Parts are joined as they are stored, into the file that a run without a stop gives.
"""

import os
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from models.video_generator import State
from pipeline import arrays, layout
from pipeline.checkpoint import read_state, replace_at_once
from pipeline.overlap import behind
from pipeline.synthesis import Made


class FrameParts:
    def __init__(self, work: Path, part_frames: int) -> None:
        self._work, self._part_frames = work, part_frames
        self.done = 0
        """Frames that need not be made again."""
        self.state: State | None = None
        """What the next frame builds on; None before the first."""
        if layout.unfinished_video(work).is_file():
            saved = read_state(layout.unfinished_video(work))
            self.done, self.state = saved["done"], State(None if saved["past"] is None else tuple(saved["past"]))

    def frames(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """Those that are done."""
        for part in self._parts():
            yield from arrays.opened(part).frames("rgb")

    def kept(self, made: Iterator[Made]) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """The frames of one video that is made, each on its way to the disk."""
        for one in made:
            part = layout.frames_part(self._work, self._number_of_parts())
            unfinished, done, state = part.with_suffix(".unfinished"), self.done, one.state
            with arrays.writing(unfinished, {}) as writer, behind(writer.append) as append:
                for following in chain([one], islice(made, self._part_frames - 1)):
                    append("rgb", following.rgb[0])
                    done, state = done + 1, following.state
                    yield following.rgb[0]
            _settle(unfinished, part)
            self._save(done, state)

    def join(self, path: Path, attributes: dict[str, Any]) -> None:
        with arrays.writing(path, attributes) as writer:
            for part in self._parts():
                writer.append_stored(arrays.opened(part))

    def _save(self, done: int, state: State) -> None:
        """After its part: a kill between the two costs that part."""
        past = None if state.past is None else [frames.cpu() for frames in state.past]
        replace_at_once(layout.unfinished_video(self._work), {"done": done, "past": past})
        self.done, self.state = done, state

    def _parts(self) -> list[Path]:
        return [layout.frames_part(self._work, number) for number in range(self._number_of_parts())]

    def _number_of_parts(self) -> int:
        """The last one may have less frames."""
        return -(-self.done // self._part_frames)


def _settle(unfinished: Path, part: Path) -> None:
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(part)
