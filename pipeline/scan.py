"""Raw folder -> data/<dataset>.files.csv: path, bytes and sha256 of each file.

Only new or changed files (by size and time) are read again, so a scan of many files costs their stat calls. DVC watches the
table instead of the raw folder.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from pipeline import layout
from pipeline.errors import InputError
from pipeline.store import file_sha256

SHOWN = 10
"""Of the files that cannot be read, by name."""


def run(dataset: str, root: Path | None) -> pd.DataFrame:
    """Writes the table of all files below `root` (none for a built-in source) and returns it."""
    if root is not None and not root.is_dir():
        raise InputError(f"datasets.{dataset}.source.path: {root} is no folder")
    known = _remembered(dataset)
    unreadable: list[str] = []
    seen = dict(_files(root, unreadable)) if root else {}
    if unreadable:
        _refuse(unreadable)
    remembered = {p: [s.st_size, s.st_mtime_ns, _sha256(p, s, root, known)] for p, s in sorted(seen.items()) if root}
    rows = [(path, size, sha256) for path, (size, _, sha256) in remembered.items()]
    table = pd.DataFrame(rows, columns=["path", "bytes", "sha256"])
    layout.DATA.mkdir(exist_ok=True)
    table.to_csv(layout.files_table(dataset), index=False, lineterminator="\n")
    if root:
        _memory(dataset).parent.mkdir(parents=True, exist_ok=True)
        _memory(dataset).write_text(json.dumps(remembered))
    return table


def read(path: Path) -> dict[str, str]:
    """Relative path -> sha256."""
    if not path.is_file():
        raise InputError(f"{path} is missing: run `python -m pipeline scan {path.name.removesuffix('.files.csv')}`")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        return dict(zip(table["path"], table["sha256"], strict=True))
    except (ValueError, KeyError, OSError) as error:
        dataset = path.name.removesuffix(".files.csv")
        raise InputError(f"{path}: is no readable table ({error}): run `python -m pipeline scan {dataset}`") from None


def _refuse(unreadable: list[str]) -> None:
    more = f" and {len(unreadable) - SHOWN} more" if len(unreadable) > SHOWN else ""
    these = "a link that leads nowhere? Remove it" if len(unreadable) == 1 else "links that lead nowhere? Remove them"
    raise InputError(f"{', '.join(sorted(unreadable)[:SHOWN])}{more}: {these}")


def _files(folder: Path | str, unreadable: list[str], below: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Paths relative to the first folder, in any order; what cannot be looked at is added to `unreadable`.

    Text, not Path: of 100,000 files Path alone would cost a second and a half."""
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from None
    for entry in visible:
        _require_text(entry)
        if _is_folder(entry):
            yield from _files(entry.path, unreadable, f"{below}{entry.name}/")
        else:
            try:
                yield f"{below}{entry.name}", entry.stat()
            except OSError as error:
                unreadable.append(f"{entry.path}: cannot be read ({error.strerror})")


def _require_text(entry: os.DirEntry[str]) -> None:
    """Names in another encoding, as old archives have them, can stand in no table."""
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        raise InputError(f"{entry.path.encode(errors='replace').decode()}: its name is no UTF-8 text: rename it") from None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # the call of stat says what is wrong


def _sha256(path: str, stat: os.stat_result, root: Path, known: dict[str, list[object]]) -> str:
    size, mtime_ns, sha256 = known.get(path, [None, None, ""])
    if (size, mtime_ns) == (stat.st_size, stat.st_mtime_ns):
        return str(sha256)
    try:
        return file_sha256(root / path)
    except OSError as error:
        raise InputError(f"{root / path}: cannot be read ({error.strerror})") from None


def _memory(dataset: str) -> Path:
    return layout.store() / "scans" / f"{dataset}.json"


def _remembered(dataset: str) -> dict[str, list[object]]:
    """What is not remembered is read again, so a damaged memory costs time alone."""
    try:
        known = json.loads(_memory(dataset).read_text())
        return {path: [size, time, sha256] for path, (size, time, sha256) in known.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
