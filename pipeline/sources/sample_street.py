"""The built-in street world: any number of clips drawn by a seed, with exact labels, instances and optical flow."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline import palettes, params, street_world
from pipeline.sources import Finding, Footage, Item, SourceFrame


def items(source: params.SampleStreet, files: list[str]) -> list[Item]:
    """Clip n is the same whatever the number of clips."""
    parameters = {
        "width": source.width,
        "height": source.height,
        "strides": source.strides,
        "frames_per_second": f"{source.frames_per_second}/1",
        "palette": palettes.load("sample_street").as_attributes(),
    }
    train = [
        Item(f"train-{n:04d}", source.kind, (), {**parameters, "seed": [source.seed, 0, n], "frames": source.train_frames, "test": False})
        for n in range(source.train_clips)
    ]
    test = [
        Item(f"test-{n:04d}", source.kind, (), {**parameters, "seed": [source.seed, 1, n], "frames": source.test_frames, "test": True})
        for n in range(source.test_clips)
    ]
    return train + test


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
    base, split, number = values["seed"]
    rendered = street_world.render(
        seed=(base * 2 + split) * 100_000 + number,
        num_frames=values["frames"],
        width=values["width"],
        height=values["height"],
        strides=values["strides"],
        approach=False,
    )
    for frame in rendered:
        yield SourceFrame(frame.rgb, frame.label, frame.instance, frame.optical_flow, frame.visible)
