"""What the file names of a source tell before one of its files is opened: whether clips can be made of them, for both splits."""

from collections import Counter

from pipeline import params
from pipeline.before_work import has_maps
from pipeline.errors import InputError
from pipeline.params_file import Params
from pipeline.sources import Item

SPLIT_SETTINGS = ("splits", "test_share", "test_videos", "test_sequences", "test_frames")
"""What of a source says which sequences are for testing."""


def check_items(items: list[Item], dataset: str, all_params: Params) -> None:
    """InputError where the file names tell that the data set cannot be made; what is wrong with single items is their own affair."""
    source, where = all_params.source(dataset), all_params.where(dataset)
    if not items:
        raise InputError(
            f"{where}.source: nothing of the kind {source.kind} in {getattr(source, 'path', '')}; docs/data.md shows its layout"
        )
    names = Counter(item.name for item in items)
    if twice := [name for name, count in names.items() if count > 1]:
        raise InputError(f"{where}.source: two sequences would be called {twice[0]}: rename a file or folder of one")
    bare = [item.name for item in items if not item.parameters.get("with_instances", True)]
    if bare and all_params.section(params.Instances, dataset).backend == "given":
        raise InputError(f"{where}.instances.backend is given, but {bare[0]} has no instance images: choose components, or another")


def lacking_split(items: list[Item], dataset: str, all_params: Params) -> str | None:
    """One sentence where no item can give training or test clips, as far as the file names tell; None where both are possible.

    No refusal: clips, edges and flow can be made without, and only `dataset` needs both.
    """
    possible = {split for item in items for split in _splits(item)}
    if not items or len(possible) == 2 or not has_maps(dataset, all_params):
        return None
    source, kind = all_params.source(dataset), "training" if "test" in possible else "testing"
    settings = [f"source.{name}" for name in SPLIT_SETTINGS if name in type(source).model_fields]
    return (
        f"{all_params.where(dataset)}.source: no sequence (of {len(items)}) is for {kind}: dataset and what follows will be refused; "
        + (f"set {' or '.join(settings)}" if settings else "add some")
    )


def _splits(item: Item) -> tuple[str, ...]:
    """Which an item may give; one with a problem may be mended to give either."""
    match item.parameters:
        case _ if item.problem:
            return "train", "test"
        case {"split": str(split)}:
            return (split,)
        case {"test_from": int(first), "num_frames": int(num_frames)}:
            return ("test",) if first == 0 else ("train",) if first == num_frames else ("train", "test")
        case {"test": True | "all"}:
            return ("test",)
        case {"test": 0}:  # also False
            return ("train",)
        case _:
            return "train", "test"
