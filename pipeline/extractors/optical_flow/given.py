"""The source's own optical flow."""

from collections.abc import Iterator
from pathlib import Path

from pipeline import arrays, layout
from pipeline.errors import InputError
from pipeline.extractors.optical_flow import Motion, Truth


def build(clips: Path) -> Truth:
    path = layout.arrays(clips, "optical_flow")
    if not path.is_file():
        raise InputError(f"{clips.name}: optical_flow.backend is given, but its source has no optical flow")
    truth = arrays.reading(path)
    known = truth.attributes["strides"]

    def motions(strides: list[int]) -> Iterator[dict[int, Motion]]:
        missing = sorted(set(strides) - set(known))
        if missing:
            raise InputError(f"optical_flow.strides asks for {missing[0]}: {clips.name} has true flow of {', '.join(map(str, known))}")
        for t in range(len(truth[f"optical_flow_{strides[0]}"])):
            yield {k: Motion(truth[f"optical_flow_{k}"][t], truth[f"confidence_{k}"][t]) for k in strides}

    return Truth(motions)
