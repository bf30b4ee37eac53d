"""Somebody who looks at what a block leaves on its way, in a thread beside it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from threading import Event, Thread


@contextmanager
def beside(look_on: Callable[[Iterator[None]], None], *, every_seconds: float, last_look_seconds: float) -> Iterator[None]:
    """`look_on` gets an iterator that goes on every so many seconds, and once more at the block's end, which waits that long at most."""
    over = Event()

    def looks() -> Iterator[None]:
        last = False
        while not last:
            last = over.wait(every_seconds)
            yield

    thread = Thread(target=copy_context().run, args=[look_on, looks()], daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(last_look_seconds)
