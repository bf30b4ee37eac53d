"""How far a stage is: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, TypeVar, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

SECONDS_BETWEEN_LINES = 10.0

T = TypeVar("T")


_shown: list[Progress] = []
"""The display with all bars on the terminal; two would write over each other."""


class Bar:
    """Counts finished parts; `note` is shown beside the count."""

    def __init__(self, name: str, total: int, done: int = 0) -> None:
        """`done` parts were finished earlier, which says nothing about the rate."""
        self.name, self.total, self.done = name, total, done
        self._before = done
        self._start = self._last_line = time.monotonic()
        self._live = sys.stderr.isatty()
        self._bar = _shown[0] if _shown else _display(self._live)
        self._task = self._bar.add_task(name, total=total, completed=done, note="", rate="")

    def advance(self, note: str, rate: float | None = None) -> None:
        """`rate`: parts a second, for who knows better than by the mean since the start."""
        self.done += 1
        now = time.monotonic()
        rate = rate or (self.done - self._before) / max(now - self._start, 1e-9)
        self._bar.update(self._task, advance=1, note=note, rate=f"{_pace(rate)},")
        if not self._live and (now - self._last_line > SECONDS_BETWEEN_LINES):
            self._last_line = now
            left = (self.total - self.done) / rate
            said = [f"{self.done}/{self.total}", _pace(rate), f"{left:.0f} s left", *([note] if note else [])]
            self.say(f"{self.name}: {', '.join(said)}")

    def say(self, line: str) -> None:
        """A line that stays, above the bars."""
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)


class _StandardError:
    """For as long as somebody reads it: when its terminal or pipe is gone, the work goes on unseen, and is saved."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            _reached().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            _reached().flush()

    def isatty(self) -> bool:
        return bool(_reached().isatty())

    def fileno(self) -> int:
        return int(_reached().fileno())

    @property
    def encoding(self) -> str:
        return str(_reached().encoding)


def _reached() -> Any:
    """While a display is shown, rich stands in the place of standard error and keeps it."""
    return getattr(sys.stderr, "rich_proxied_file", sys.stderr)


def _display(live: bool) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[rate]} left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    return Progress(*columns, console=Console(file=cast(TextIO, _StandardError())), disable=not live)


def _pace(rate: float) -> str:
    return f"{rate:.2f}/s" if rate >= 1 else f"{1 / rate:.2f} s each"


@contextmanager
def bar(name: str, total: int, done: int = 0) -> Iterator[Bar]:
    """One within another is a further line of the same display."""
    shown = Bar(name, total, done)
    if _shown:
        yield shown
        return
    _shown.append(shown._bar)
    try:
        with shown._bar:
            yield shown
    finally:
        _shown.clear()


def say(line: str) -> None:
    """A line that stays, above the bars if there are any."""
    console = _shown[0].console if _shown else Console(stderr=True)
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def track(parts: Iterable[T], name: str, total: int) -> Iterator[T]:
    """Yields the parts and shows how many are done."""
    with bar(name, total) as shown:
        for part in parts:
            yield part
            shown.advance("")


class ByteBar:
    """Bytes of a file that have come; how many there will be may be unknown."""

    def __init__(self, name: str) -> None:
        self.name, self._before = name, 0
        self.total: int | None = None
        self._start = self._last_line = time.monotonic()
        self._live = sys.stderr.isatty()
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), disable=not self._live)
        self._task = self._bar.add_task(name, total=None)

    def begin(self, done: int, total: int | None) -> None:
        """What came earlier says nothing about the rate."""
        self.total, self._before, self._start = total, done, time.monotonic()
        self._bar.reset(self._task, total=total, completed=done)

    def at(self, done: int) -> None:
        self._bar.update(self._task, completed=done)
        now = time.monotonic()
        if not self._live and (now - self._last_line > SECONDS_BETWEEN_LINES):
            self._last_line = now
            rate = (done - self._before) / max(now - self._start, 1e-9)
            left = f", {(self.total - done) / max(rate, 1e-9):.0f} s left" if self.total else ""
            whole = f" of {self.total / 1e6:.1f}" if self.total else ""
            self.say(f"{self.name}: {done / 1e6:.1f}{whole} MB, {rate / 1e6:.2f} MB/s{left}")

    def say(self, line: str) -> None:
        """A line that stays, above the bar."""
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def byte_bar(name: str) -> Iterator[ByteBar]:
    shown = ByteBar(name)
    with shown._bar:
        yield shown
