"""SIGTERM, Ctrl-C or a closed terminal in the middle of a training: it ends after the step, and what it has learned is saved first."""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""SIGHUP: the terminal is gone."""


class Stopping:
    """Within the block, a first signal sets `asked`; it is delivered at the block's end, to whoever handled it before.

    `agreed` is for the loop to set: all processes that train together stop after the same step, also those that got no signal.
    """

    def __init__(self) -> None:
        self.asked = self.agreed = False
        self._signal = signal.SIGTERM
        self._before: dict[signal.Signals, Any] = {}
        self._handles = threading.current_thread() is threading.main_thread()  # elsewhere Python allows no handler

    def __enter__(self) -> "Stopping":
        if self._handles:
            heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]  # a shell's background job ignores Ctrl-C
            self._before = {number: signal.signal(number, self._ask) for number in heard}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self.asked or self.agreed:
            handler = self._before.get(self._signal)
            if callable(handler):
                handler(self._signal, None)  # what a signal to ourselves would do, but now
            else:
                os.kill(os.getpid(), self._signal)
            raise SystemExit(128 + self._signal)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt  # Ctrl-C a second time: who presses it does not want to wait for the step
        self.asked, self._signal = True, signal.Signals(number)
