"""All that can be reached from somewhere, step by step."""

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def reached(starts: Iterable[T], following: Callable[[T], Iterable[T]]) -> set[T]:
    """The starts, what follows them, what follows that, ..."""
    found: set[T] = set()
    todo = list(starts)
    while todo:
        place = todo.pop()
        if place not in found:
            found.add(place)
            todo += following(place)
    return found
