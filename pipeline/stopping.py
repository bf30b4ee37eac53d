"""SIGTERM in the middle of a training: it ends after the step, and what it has learned is saved first."""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Stopping:
    """Within the block, a first SIGTERM sets `asked`; it is delivered at the block's end, to whoever handled it before.

    Somebody else may set `asked`, too: another of the processes that train has got the signal.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None
        self._handles = threading.current_thread() is threading.main_thread()  # elsewhere Python allows no handler

    def __enter__(self) -> "Stopping":
        if self._handles:
            self._before = signal.signal(signal.SIGTERM, self._ask)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._handles:
            signal.signal(signal.SIGTERM, self._before)
        if self.asked:
            os.kill(os.getpid(), signal.SIGTERM)
            raise SystemExit(128 + signal.SIGTERM)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
