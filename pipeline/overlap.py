"""Reading, computing and writing side by side, in threads: codecs and networks leave Python's lock while they work."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

MOST_WAITING = 2
"""Values that are ready before they are asked for, or wait to be written: what the overlap costs in memory."""


def ahead(values: Iterable[T]) -> Iterator[T]:
    """The same values in the same order, some of them taken while the one before is still in use."""
    end: Any = object()
    source = iter(values)
    with ThreadPoolExecutor(max_workers=1) as reader:
        waiting = deque(reader.submit(next, source, end) for _ in range(MOST_WAITING))
        try:
            while (value := waiting.popleft().result()) is not end:
                waiting.append(reader.submit(next, source, end))
                yield value
        finally:
            for unwanted in waiting:
                unwanted.cancel()


@contextmanager
def behind(do: Callable[..., None]) -> Iterator[Callable[..., None]]:
    """Calls `do` in the order that was asked for, while the caller goes on; all is done when the block ends.

    What a call raises is raised by a later one, or at the end. Arguments must not be changed after they were handed over.
    """
    waiting: deque[Future[None]] = deque()

    def later(*arguments: Any) -> None:
        if len(waiting) == MOST_WAITING:
            waiting.popleft().result()
        waiting.append(writer.submit(do, *arguments))

    with ThreadPoolExecutor(max_workers=1) as writer:
        yield later
        while waiting:
            waiting.popleft().result()
