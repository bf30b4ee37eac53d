"""The built-in street world: any number of clips drawn by a seed, with exact labels, instances and optical flow."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline import palettes, params, street_world
from pipeline.sources import Finding, Footage, Item, SourceFrame

_KINDS = ("train", "test", "long", "approach")


def items(source: params.SampleStreet, files: list[str]) -> list[Item]:
    """Clip n of a kind is the same whatever the number of clips."""
    return [
        *(_item(source, "train", n, source.train_frames) for n in range(source.train_clips)),
        *(_item(source, "test", n, source.test_frames) for n in range(source.test_clips)),
        *(_item(source, "long", n, source.long_frames) for n in range(source.long_frames > 0)),
        *(_item(source, "approach", n, source.approach_frames) for n in range(source.approach_frames > 0)),
    ]


def _item(source: params.SampleStreet, kind: str, number: int, num_frames: int) -> Item:
    parameters = {
        "width": source.width,
        "height": source.height,
        "strides": source.strides,
        "frames_per_second": f"{source.frames_per_second}/1",
        "palette": palettes.load("sample_street").as_attributes(),
        "seed": (source.seed * len(_KINDS) + _KINDS.index(kind)) * 100_000 + number,
        "frames": num_frames,
        "test": kind != "train",
        "approach": kind == "approach",
    }
    return Item(f"{kind}-{number:04d}", source.kind, (), parameters)


def check(source: params.SampleStreet, files: Mapping[str, int], root: Path) -> list[Finding]:
    """Nothing to look for: it is drawn."""
    return [Finding("clips to be drawn", len(items(source, [])))]


def open_item(item: Item, root: Path) -> Footage:
    values = item.parameters
    return Footage(
        frames=_frames(item),
        num_frames=values["frames"],
        test_from=0 if values["test"] else values["frames"],
        frames_per_second=values["frames_per_second"],
        palette=palettes.from_attributes(values["palette"]),
    )


def _frames(item: Item) -> Iterator[SourceFrame]:
    values = item.parameters
    rendered = street_world.render(
        seed=values["seed"],
        num_frames=values["frames"],
        width=values["width"],
        height=values["height"],
        strides=values["strides"],
        approach=values["approach"],
    )
    for frame in rendered:
        yield SourceFrame(frame.rgb, frame.label, frame.instance, frame.optical_flow, frame.visible)
