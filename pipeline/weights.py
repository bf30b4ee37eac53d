"""Weights by name: weights.csv says where each file comes from and what it must be; a cache folder keeps what came.

Wherever params.yaml takes a path of weights it takes a name of the table, too; `path_of` alone tells them apart. A named file is
compared with the table before every use. Its sha256 is remembered with its size and time, so that this costs a stat.
"""

import csv
import json
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, ValidationError

from pipeline import layout, params
from pipeline.errors import InputError, one_line
from pipeline.params_file import sentence
from pipeline.store import file_sha256, key_of

TABLE = Path(__file__).with_suffix(".csv")
LIST = "`python -m pipeline weights list`"
ALL_DIGITS = 64


class Entry(params.Section):
    """A line of the table. A name has neither dot nor slash: `./NAME` is a path."""

    name: params.Name
    url: Annotated[str, Field(pattern=r"^https?://[^/]+/.+$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{0,64}$")]
    """What is known of it: all 64 digits, the first ones (names of torch's files carry eight), or none."""
    bytes: Annotated[str, Field(pattern=r"^(~?[1-9][0-9]*)?$")]
    """The size; with ~, about the size; nothing where it is not known."""
    licence: Annotated[str, Field(min_length=1)]
    """As the origin states it."""
    used_by: Annotated[str, Field(min_length=1)]
    """The parameter that takes it."""

    @property
    def file(self) -> Path:
        return layout.weights_file(self.name, PurePosixPath(urlsplit(self.url).path).suffix)

    @property
    def exact_bytes(self) -> int | None:
        return int(self.bytes) if self.bytes.isdigit() else None

    @property
    def size(self) -> str:
        number = self.bytes.lstrip("~")
        return f"{int(number) / 1e6:.1f} MB" if number else "size not known"

    @property
    def known_digits(self) -> str:
        """First digits of its sha256: the table's, or all of them where it came before and the table has no others."""
        before = _remembered(self)
        return before.sha256 if before and before.sha256.startswith(self.sha256) else self.sha256

    def problem_with(self, seen: "Seen") -> str | None:
        """In which way a file is not this one."""
        if self.exact_bytes not in (None, seen.bytes):
            return f"it has {seen.bytes:,} bytes, expected are {self.exact_bytes:,}"
        if not seen.sha256.startswith(wanted := self.known_digits):
            whose = "" if wanted == self.sha256 else f", what came first (remove {layout.weights_record(self.file)} to take another)"
            return f"its sha256 is {seen.sha256}, expected is {wanted}{'' if len(wanted) == ALL_DIGITS else '...'}{whose}"
        return None


@dataclass(frozen=True)
class Seen:
    """The sha256 of a file, and its size and time when it was computed."""

    sha256: str
    bytes: int
    mtime_ns: int


FOLDER = "folder_weights"
"""So ends a parameter that takes the path of a folder with all that is in it, not of a file."""


def path_of(name_or_path: str, parameter: str) -> Path:
    """A name's file, compared with the table; a path is itself. InputError, naming the parameter, where it is missing or damaged."""
    if parameter.endswith(FOLDER):
        return _given_folder(name_or_path, parameter)
    entry = table().get(name_or_path)
    if entry is None:
        return _given(name_or_path, parameter)
    _checked_for(parameter, entry)
    return entry.file


def sha256_of(name_or_path: str, parameter: str) -> str:
    """Of what `path_of` gives. A named file is not read for it; of a folder, names and content of all files count."""
    if parameter.endswith(FOLDER):
        folder = _given_folder(name_or_path, parameter)
        return key_of({file.relative_to(folder).as_posix(): file_sha256(file) for file in sorted(folder.rglob("*")) if file.is_file()})
    entry = table().get(name_or_path)
    return file_sha256(_given(name_or_path, parameter)) if entry is None else _checked_for(parameter, entry)


def version_of(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Another one where the file, or one in the folder, was replaced: by name, inode and time. Without reading it."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return tuple((str(file), file.stat().st_ino, file.stat().st_mtime_ns) for file in files)


def _given(path: str, parameter: str) -> Path:
    if not Path(path).is_file():
        near = _nearest(path, list(table()))
        raise InputError(f"{parameter}: {path} is no file: give the path of the weights or a name that {LIST} shows{near}")
    return Path(path)


def _given_folder(path: str, parameter: str) -> Path:
    if not Path(path).is_dir() or not any(Path(path).iterdir()):
        raise InputError(f"{parameter}: {path} is no folder with files: give the path of the folder that holds the weights")
    return Path(path)


def _checked_for(parameter: str, entry: Entry) -> str:
    try:
        return checked_sha256(entry)
    except InputError as error:
        raise InputError(f"{parameter}: {error}") from None


def table() -> dict[str, Entry]:
    """By name, in the table's order."""
    try:
        with TABLE.open(newline="", encoding="utf-8") as file:
            entries = [Entry.model_validate(row) for row in csv.DictReader(file, restkey="too much")]
    except ValidationError as error:
        problem = error.errors()[0]
        raise InputError(sentence(Entry, str(TABLE), problem)) from None
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{TABLE}: is no readable table ({one_line(error)})") from None
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        raise InputError(f"{TABLE}: {next(name for name in names if names.count(name) > 1)} stands there twice")
    return dict(zip(names, entries, strict=True))


def named(name: str) -> Entry:
    entries = table()
    if name not in entries:
        raise InputError(f"{name} is no name that {LIST} shows{_nearest(name, list(entries))}")
    return entries[name]


def checked_sha256(entry: Entry) -> str:
    """Reads the file only where its size or time are not the remembered ones. InputError where it is missing or damaged."""
    require_fetched(entry)
    before, state = _remembered(entry), entry.file.stat()
    if before is None or (before.bytes, before.mtime_ns) != (state.st_size, state.st_mtime_ns):
        return read_sha256(entry)
    _require_right(entry, before)
    return before.sha256


def require_fetched(entry: Entry) -> None:
    if not entry.file.is_file():
        raise InputError(
            f"{entry.name} has not been fetched: `python -m pipeline weights fetch {entry.name}` ({entry.size}) does it, "
            f"or, with a file from elsewhere, `python -m pipeline weights add {entry.name} FILE`"
        )


def read_sha256(entry: Entry) -> str:
    """Reads the whole file. InputError where it is damaged."""
    seen = look_at(entry.file)
    _require_right(entry, seen)
    with suppress(OSError):  # a cache that only others may write: the next use reads the file again
        remember(entry, seen)
    return seen.sha256


def look_at(file: Path) -> Seen:
    state = file.stat()
    return Seen(file_sha256(file), state.st_size, state.st_mtime_ns)


def remember(entry: Entry, seen: Seen) -> None:
    """What the entry's file is, or is about to be."""
    record = layout.weights_record(entry.file)
    unfinished = record.with_name(f"{record.name}.{uuid.uuid4().hex}")
    unfinished.write_text(json.dumps(asdict(seen)))
    unfinished.replace(record)


def _require_right(entry: Entry, seen: Seen) -> None:
    if problem := entry.problem_with(seen):
        raise InputError(f"{entry.file} is damaged: {problem}; `python -m pipeline weights fetch {entry.name}` replaces it")


def _remembered(entry: Entry) -> Seen | None:
    try:
        seen = json.loads(layout.weights_record(entry.file).read_text())
        return Seen(str(seen["sha256"]), int(seen["bytes"]), int(seen["mtime_ns"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _nearest(wrong: str, right: list[str]) -> str:
    """A network's name alone stands for the names that have it in them."""
    near = [name for name in right if wrong.lower() in name.lower()] or get_close_matches(wrong, right, n=3)
    return f"; near are {', '.join(near[:3])}" if near else ""
