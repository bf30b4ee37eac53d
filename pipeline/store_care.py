"""Looking after the store: its size, damaged entries, what no output refers to, and results that came another way."""

import logging
import shutil
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import pandas as pd

from pipeline import layout, manifest
from pipeline.errors import InputError, is_machine_fault
from pipeline.journey import STAGES
from pipeline.store import Store, file_sha256, link_or_copy

logger = logging.getLogger(__name__)

ADOPT_WAIT_SECONDS = 60.0


def show_size() -> None:
    store = Store(layout.store())
    keys = list(store.keys())
    size = sum(file.stat().st_size for key in keys for file in store.path(key).rglob("*") if file.is_file())
    print(f"{store.root}: {len(keys)} results, {size / 1e6:.1f} MB (shared with the outputs and DVC's cache by hard links)")


def verify() -> None:
    """Removes entries with a damaged file, and every other name of that file here, so that the next run makes them again.

    An output and DVC's cache share the file: left there, it would come back as a result that is up to date. Where they lie on another
    file system, an output is a copy: of its files, those are removed that differ from what the store's entry was written with.
    """
    store = Store(layout.store())
    damaged = {key: files for key in store.keys() if (files := damaged_files(store, key))}
    copies = [(key, file) for key, folder in _outputs() for file in damaged_copies(store, key, folder)]
    with _unused(store):
        files = [*chain.from_iterable(damaged.values()), *(copy for _, copy in copies)]
        inodes = {_inode(file) for file in files if file.exists()}
        for key in damaged:
            with suppress(FileNotFoundError):  # another process has just removed it
                store.remove(key)
        if inodes:
            _remove_every_name(inodes)
    for key, files in damaged.items():
        print(f"{key[:12]}: {', '.join(sorted(file.name for file in files))}")
    for key, copy in copies:
        print(f"{key[:12]}: its copy {copy}")
    num_damaged = len({*damaged, *(key for key, _ in copies)})
    print(f"{num_damaged} damaged results removed{': run `dvc repro` to make them again' if num_damaged else ''}")


def damaged_files(store: Store, key: str) -> list[Path]:
    """Of an entry from before there were check sums, arrays alone can be looked at."""
    try:
        changed = {store.path(key) / name for name in store.unsound(key)}
        return sorted(changed | {file for file in store.path(key).rglob("*.zip") if not _sound(file)})
    except FileNotFoundError:
        if store.has(key):
            raise
        return []  # removed meanwhile


def damaged_copies(store: Store, key: str, folder: Path) -> list[Path]:
    """Files of an output that are not the store's own and not as they were written."""
    there = [(folder / name, store.path(key) / name, sha256) for name, sha256 in store.check_sums(key).items()]
    return [
        file
        for file, original, sha256 in there
        if file.is_file() and not (original.is_file() and file.samefile(original)) and file_sha256(file) != sha256
    ]


def _remove_every_name(inodes: set[tuple[int, int]]) -> None:
    for folder in (layout.DATA, layout.REPORTS, layout.DVC_CACHE):
        for file in folder.rglob("*"):
            if file.is_file() and _inode(file) in inodes:
                file.unlink()


def _inode(file: Path) -> tuple[int, int]:
    state = file.stat()
    return state.st_dev, state.st_ino


def prune() -> None:
    """Removes results that no output in this checkout refers to, and all unfinished state."""
    store = Store(layout.store())
    with _unused(store):
        wanted = {key for key, _ in _outputs()}
        gone = [key for key in store.keys() if key not in wanted]
        for key in gone:
            store.remove(key)
        shutil.rmtree(store.root / "work", ignore_errors=True)
    print(f"{len(gone)} results removed, {len(wanted)} kept")


@contextmanager
def _unused(store: Store) -> Iterator[None]:
    try:
        with store.unused():
            yield
    except TimeoutError as error:
        raise InputError(f"{error}: nothing was removed; wait for it to end") from None


def adopt(dataset: str) -> None:
    """Links outputs that DVC fetched (`dvc pull`, its run cache) into an empty store, so that they need not be computed again."""
    store = Store(layout.store())
    with store.in_use(ADOPT_WAIT_SECONDS):
        _adopt_outputs(store, dataset)


def _adopt_outputs(store: Store, dataset: str) -> None:
    for stage in STAGES.values():
        folder = layout.stage(dataset, stage.name)
        if layout.manifest(folder).is_file():
            rows = manifest.read(folder)
            if stage.per == "item":
                _adopt_items(store, folder, rows)
            elif stage.per == "clip" or len(rows) == 1:
                for clip, key in zip(rows["clip"], rows["key"], strict=True):
                    _adopt(store, key, folder / clip if stage.per == "clip" else folder)


def _adopt(store: Store, key: str, folder: Path) -> None:
    if not store.has(key) and folder.is_dir() and all(map(_sound, folder.rglob("*.zip"))):
        with store.writing(key) as entry:
            for file in folder.rglob("*"):
                if file.is_file() and file != layout.manifest(folder):
                    link_or_copy(file, entry / file.relative_to(folder))


def _adopt_items(store: Store, folder: Path, rows: pd.DataFrame) -> None:
    for item_key, clips in rows.groupby("item_key", sort=False):
        files = [file for clip in clips["clip"] for file in (folder / clip).rglob("*") if file.is_file()]
        if not store.has(str(item_key)) and all(_sound(file) for file in files if file.suffix == ".zip"):
            with store.writing(str(item_key)) as entry:
                for file in files:
                    link_or_copy(file, entry / file.relative_to(folder))
                clips.drop(columns=["key", "item_key"]).to_csv(layout.clips_table(entry), index=False)
                left_out = [row for row in manifest.left_out(folder) if row.pop("item_key") == item_key]
                if left_out:
                    pd.DataFrame(left_out).to_csv(layout.clips_left_out(entry), index=False)


def _outputs() -> Iterator[tuple[str, Path]]:
    """The keys that this checkout's outputs refer to, and where the files of each lie."""
    per_clip = {stage.name for stage in STAGES.values() if stage.per == "clip"}
    for path in [*layout.DATA.glob("*/*/manifest.csv"), *layout.REPORTS.glob("*/manifest.csv")]:
        folder, rows = path.parent, manifest.read(path.parent)
        if "item_key" in rows:
            keys = dict.fromkeys([*rows["item_key"], *(row["item_key"] for row in manifest.left_out(folder))])
            yield from ((key, folder) for key in keys)
        else:
            for clip, key in zip(rows["clip"], rows["key"], strict=True):
                yield key, folder / clip if folder.name in per_clip else folder


def _sound(file: Path) -> bool:
    try:
        with ZipFile(file) as archive:
            return archive.testzip() is None
    except (BadZipFile, zlib.error, EOFError, OSError, RuntimeError, LookupError, ValueError, struct.error) as error:  # as in arrays.py
        if is_machine_fault(error):
            raise  # it would be removed
        return False
