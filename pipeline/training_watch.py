"""What a person sees while a training runs: a bar or lines, live.csv, TensorBoard's curves and pictures. Nothing of it is compared.

Whatever goes wrong with the files costs the curves, said in one sentence, and never the training.
"""

import resource
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import torch
from PIL import Image

from pipeline import layout, progress
from pipeline.errors import one_line
from pipeline.live_table import LiveTable

RECENT_STEPS = 20
"""The mean of so many is shown as a step's time: the first ones take longer."""
TOTAL = "_total"
"""What the names of weighted sums end with; these are shown on the terminal, all terms in the curves."""
FLUSH_SECONDS = 10
MEGA = 2**20

T = TypeVar("T")


class Watch:
    """Of a training of `steps` steps, of which `done` were made by an earlier run."""

    def __init__(self, folder: Path, name: str, steps: int, done: int) -> None:
        self._name, self._steps, self._done = name, steps, done
        self._times: deque[tuple[float, float]] = deque(maxlen=RECENT_STEPS)
        self._last_step = time.perf_counter()
        self._curves: _Curves | None = None
        self._folder = folder
        self._open = ExitStack()

    def __enter__(self) -> "Watch":
        self._bar = self._open.enter_context(progress.bar(self._name, self._steps, self._done))
        self._keep(self._begin_curves)
        self._last_step = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._curves:
            self._keep(self._curves.close)
        self._open.close()

    def step(self, number: int, terms: dict[str, float], *, learning_rate: float, waited_seconds: float) -> None:
        """Once a step, after the update. `waited_seconds` of it were spent waiting for data."""
        now = time.perf_counter()
        seconds, self._last_step = now - self._last_step, now
        self._times.append((seconds, waited_seconds))
        memory, peak = memory_bytes()
        self._bar.advance(self._note(terms, memory, peak), len(self._times) / self._recent_seconds())
        if curves := self._curves:
            facts = {"seconds": seconds, "waited": waited_seconds, "memory_mb": memory / MEGA, "peak_mb": peak / MEGA}
            self._keep(lambda: curves.add(number, {**facts, "learning_rate": learning_rate}, terms))

    def preview(self, number: int, picture: Path) -> None:
        if curves := self._curves:
            self._keep(lambda: curves.picture(number, picture))

    def validated(self, number: int, values: dict[str, float]) -> None:
        self.note(f"step {number}, held-out clips: {_listed(values)}")
        if curves := self._curves:
            self._keep(lambda: curves.validated(number, values))

    def note(self, sentence: str) -> None:
        self._bar.say(f"{self._name}: {sentence}")

    def _note(self, terms: dict[str, float], memory: int, peak: int) -> str:
        share = sum(waited for _, waited in self._times) / self._recent_seconds()
        totals = {name.removesuffix(TOTAL): value for name, value in terms.items() if name.endswith(TOTAL)}
        said = f"{100 * share:.0f} % waiting for data, {memory / 1e9:.2f} GB (peak {peak / 1e9:.2f})"
        return f"{said}, {_listed(totals)}" if totals else said

    def _recent_seconds(self) -> float:
        return max(sum(seconds for seconds, _ in self._times), 1e-9)

    def _begin_curves(self) -> None:
        self._curves = _Curves(self._folder, self._done)

    def _keep(self, write: Callable[[], None]) -> None:
        try:
            write()
        except Exception as error:  # a full disk, a damaged file of an earlier run, a library that is not installed
            self._curves = None
            self.note(f"the curves in {self._folder} end here ({one_line(error)}); the training goes on")


class _Curves:
    """The files of one training; those of an earlier run of it go on."""

    def __init__(self, folder: Path, done: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary
        from torch.utils.tensorboard import SummaryWriter  # 0.3 s; only trainings need it

        folder.mkdir(parents=True, exist_ok=True)
        self._steps = LiveTable(layout.live_steps(folder), done)
        self._validations = LiveTable(layout.live_validations(folder), done)
        purge = done + 1 if done else None
        self._board: Any = SummaryWriter(str(layout.curves(folder)), purge_step=purge, flush_secs=FLUSH_SECONDS)
        self._summary = Summary

    def add(self, number: int, facts: dict[str, float], terms: dict[str, float]) -> None:
        self._steps.add({"step": number, **facts, **terms})
        self._draw(number, {**_below("training", facts), **_below("terms", terms)})

    def validated(self, number: int, values: dict[str, float]) -> None:
        self._validations.add({"step": number, **values})
        self._draw(number, _below("validation", values))

    def picture(self, number: int, picture: Path) -> None:
        """The file's bytes as they are."""
        with Image.open(picture) as opened:
            width, height = opened.size
        image = self._summary.Image(encoded_image_string=picture.read_bytes(), width=width, height=height, colorspace=3)
        self._write(number, [self._summary.Value(tag="preview", image=image)])

    def close(self) -> None:
        self._steps.close()
        self._validations.close()
        self._board.close()

    def _draw(self, number: int, values: dict[str, float]) -> None:
        self._write(number, [self._summary.Value(tag=name, simple_value=value) for name, value in values.items()])

    def _write(self, number: int, values: list[Any]) -> None:
        """All of a step at once: SummaryWriter.add_scalar takes ten times as long."""
        self._board.file_writer.add_summary(self._summary(value=values), number)


def timed(parts: Iterable[T]) -> Iterator[tuple[T, float]]:
    """Each part with the seconds that it was waited for."""
    begun = time.perf_counter()
    for part in parts:
        yield part, time.perf_counter() - begun
        begun = time.perf_counter()


def memory_bytes() -> tuple[int, int]:
    """Now and at most: of the GPU where one is used, else of this process."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    statm = Path("/proc/self/statm")
    now = int(statm.read_text().split()[1]) * resource.getpagesize() if statm.is_file() else peak
    return now, max(now, peak)  # Linux counts the two a little apart


def _below(group: str, values: dict[str, float]) -> dict[str, float]:
    """TensorBoard shows what begins alike together."""
    return {f"{group}/{name}": value for name, value in values.items()}


def _listed(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())
