"""Whether processes have ended. One that nobody has collected yet (a zombie) has: in a container there may be nobody to do it."""

import time
from collections.abc import Callable, Iterable

import psutil


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def assert_ended(processes: Iterable[psutil.Process], within_seconds: float = 10) -> None:
    left = list(processes)
    wait_for(lambda: not any(map(runs, left)), within_seconds, lambda: [process for process in left if runs(process)])


def wait_for(condition: Callable[[], bool], within_seconds: float, shown: Callable[[], object] = lambda: "") -> None:
    until = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < until, shown()
        time.sleep(0.05)
