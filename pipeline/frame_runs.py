"""Frames that follow one another, put together: to name them, or to find the longest stretch."""

from collections.abc import Iterable


def runs(frames: Iterable[int]) -> list[range]:
    """Of an ascending list."""
    found: list[range] = []
    for t in frames:
        if found and t == found[-1].stop:
            found[-1] = range(found[-1].start, t + 1)
        else:
            found.append(range(t, t + 1))
    return found


def listed(frames: Iterable[int], most: int | None = None) -> str:
    """`3-7, 12`, counted from 0; of at most so many stretches."""
    found = runs(frames)
    named = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in found[:most]]
    return ", ".join(named) + (" ..." if len(named) < len(found) else "")
