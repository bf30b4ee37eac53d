"""A long video while it is made: its frames in parts, array files of so many each, and what the next part's first frame builds on.

A kill costs the part that was being made. Parts are joined as they are stored, into the file that a run without a stop gives.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
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
    """`with` it, frames are kept; what is still open is ended with the block, or thrown away where that fails."""

    def __init__(self, work: Path, part_frames: int) -> None:
        self._work, self._part_frames = work, part_frames
        self.done = 0
        """Frames that need not be made again."""
        self.state: State | None = None
        """What the next frame builds on; None before the first."""
        if layout.unfinished_video(work).is_file():
            saved = read_state(layout.unfinished_video(work))
            self.done, self.state = saved["done"], State(None if saved["past"] is None else tuple(saved["past"]))
        self._open = ExitStack()
        self._append: Callable[..., None] | None = None
        """To the part that is open."""
        self._made, self._next_state = 0, State(None)

    def frames(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """Those that are done."""
        for part in self._parts():
            yield from arrays.opened(part).frames("rgb")

    def __enter__(self) -> "FrameParts":
        return self

    def __exit__(self, *failure: Any) -> None:
        if failure[0] is None:
            self.end_part()
        else:
            self._open.__exit__(*failure)

    def keep(self, one: Made) -> None:
        """The next frame, on its way to the disk."""
        if self._append is None:
            writer = self._open.enter_context(arrays.writing(self._unfinished(), {}))
            self._append = self._open.enter_context(behind(writer.append))
        self._append("rgb", one.rgb[0])
        self._made, self._next_state = self._made + 1, one.state
        if self._made == self._part_frames:
            self.end_part()

    def end_part(self) -> None:
        """What is kept so far need not be made again."""
        if self._append is None:
            return
        self._open.close()
        _settle(self._unfinished(), self._next_part())
        self._save(self.done + self._made, self._next_state)
        self._append, self._made = None, 0

    def join(self, path: Path, attributes: dict[str, Any]) -> None:
        with arrays.writing(path, attributes) as writer:
            for part in self._parts():
                writer.append_stored(arrays.opened(part))

    def _save(self, done: int, state: State) -> None:
        """After its part: a kill between the two costs that part."""
        past = None if state.past is None else [frames.cpu() for frames in state.past]
        replace_at_once(layout.unfinished_video(self._work), {"done": done, "past": past})
        self.done, self.state = done, state

    def _next_part(self) -> Path:
        return layout.frames_part(self._work, self._number_of_parts())

    def _unfinished(self) -> Path:
        return self._next_part().with_suffix(".unfinished")

    def _parts(self) -> list[Path]:
        return [layout.frames_part(self._work, number) for number in range(self._number_of_parts())]

    def _number_of_parts(self) -> int:
        """The last one may have less frames."""
        return -(-self.done // self._part_frames)


def _settle(unfinished: Path, part: Path) -> None:
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(part)
