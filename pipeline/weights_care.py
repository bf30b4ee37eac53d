"""`python -m pipeline weights`: what there is; fetching, verifying, adding."""

import errno
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from textwrap import fill

from pipeline import layout, weights
from pipeline.errors import InputError
from pipeline.store import Store
from pipeline.weights import ALL_DIGITS, Entry

HEADER = ("name", "size", "state")
COLUMNS = 120
"""Of a terminal; no line is longer, but for one that has a long path."""


def show() -> None:
    """Two lines for each name of the table: its size and whether it is there; who uses it under which licence."""
    entries = weights.table().values()
    lines = [HEADER, *((entry.name, entry.size, state(entry)) for entry in entries)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    header, *rows = ("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines)
    print(header)
    for entry, row in zip(entries, rows, strict=True):
        print(row)
        _print_indented(f"used by {entry.used_by}; licence: {entry.licence}")
    print(f"They lie in {layout.weights()}")
    print(f"Licences of weights may bind more than those of their code: see the origins, the URLs in\n{weights.TABLE}")


def _print_indented(text: str) -> None:
    print(fill(text, COLUMNS, initial_indent="    ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False))


def state(entry: Entry) -> str:
    """`there`, `damaged`, `partly` with how much of it has come, or `not fetched`."""
    part = layout.weights_part(entry.file)
    if not entry.file.is_file():
        return f"partly, {part.stat().st_size / 1e6:.1f} MB" if part.is_file() else "not fetched"
    try:
        weights.checked_sha256(entry)
        return "there"
    except InputError:
        return "damaged"


def fetch(names: list[str]) -> None:
    _each(names, _fetch)


def verify(names: list[str]) -> None:
    """Reads every file whole, not only those that look changed; without names, all that there are. InputError where one is damaged."""
    there = names or [name for name, entry in weights.table().items() if entry.file.is_file()]
    if not there:
        print(f"no weights in {layout.weights()}")
    _each(there, _verify)


def add(name: str, file: Path) -> None:
    """Keeps a copy of a file that came some other way. InputError where it is not what the table says."""
    entry = weights.named(name)
    if not file.is_file():
        raise InputError(f"{file} is no file")
    with _alone(entry):
        copy = layout.weights_copy(entry.file)
        try:
            shutil.copyfile(file, copy)
            problem = _take(entry, copy)
        finally:
            copy.unlink(missing_ok=True)  # on a full disk, it would take what is left
        if problem:
            raise InputError(f"{file} is not {name}: {problem}")


def _each(names: list[str], do: Callable[[Entry], None]) -> None:
    """One that fails does not keep the others from being done."""
    problems = []
    for entry in [weights.named(name) for name in dict.fromkeys(names)]:
        try:
            do(entry)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("; ".join(problems))


def _verify(entry: Entry) -> None:
    weights.require_fetched(entry)
    print(f"{entry.name}: sound, sha256 {weights.read_sha256(entry)}")


def _fetch(entry: Entry) -> None:
    with _alone(entry):
        if state(entry) == "there":
            print(f"{entry.name}: there already, {entry.file}")
            return
        if not entry.known_digits:
            print(f"{entry.name}: what its sha256 must be is not known; the file that comes now will be trusted", file=sys.stderr)
        part = layout.weights_part(entry.file)
        continued = part.is_file()
        problem = _receive(entry, part)
        if problem and continued:
            print(f"{entry.name}: what an earlier try left does not fit: from the beginning", file=sys.stderr)
            problem = _receive(entry, part)
        if problem:
            raise InputError(f"{entry.name}: {entry.url} gives another file, which was thrown away: {problem}{_otherwise(entry)}")


def _receive(entry: Entry, part: Path) -> str | None:
    """What is wrong with the file that came; None where it is the right one, and in its place."""
    from pipeline.download import download  # httpx takes a quarter of a second, and only this needs it

    try:
        download(
            entry.url,
            part,
            version=layout.weights_version(entry.file),
            name=entry.name,
            exact_bytes=entry.exact_bytes,
            may_continue=bool(entry.known_digits),
        )
    except InputError as error:
        raise InputError(f"{entry.name} cannot be fetched: {error}{_otherwise(entry)}") from None
    problem = _take(entry, part)
    if problem:
        layout.weights_version(entry.file).unlink(missing_ok=True)
    return problem


def _take(entry: Entry, file: Path) -> str | None:
    """Moves a file to its place by one rename, or removes it and says what is wrong with it."""
    seen, known = weights.look_at(file), entry.known_digits
    if problem := entry.problem_with(seen):
        file.unlink()
        return problem
    file.chmod(0o444)
    with file.open("rb") as written:
        os.fsync(written.fileno())
    weights.remember(entry, seen)
    file.replace(entry.file)
    for left in (layout.weights_part(entry.file), layout.weights_version(entry.file)):
        left.unlink(missing_ok=True)
    print(f"{entry.name}: {seen.bytes:,} bytes, sha256 {seen.sha256}, {_trust(known)}")
    return None


def _trust(known: str) -> str:
    if len(known) == ALL_DIGITS:
        return "as expected"
    told = f"begins as {weights.TABLE} says" if known else "TRUSTED UNSEEN: nothing was known of it"
    return f"{told}; from now on no other is taken here (for everybody: write it into {weights.TABLE})"


def _otherwise(entry: Entry) -> str:
    return (
        f"; `python -m pipeline weights fetch {entry.name}` tries again, "
        f"`python -m pipeline weights add {entry.name} FILE` takes a file from elsewhere"
    )


@contextmanager
def _alone(entry: Entry) -> Iterator[None]:
    """One process at a time works on an entry's files; others wait."""
    folder = layout.weights()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}): V2V_WEIGHTS can name another folder") from None
    store = Store(folder)
    with ExitStack() as held:
        try:
            held.enter_context(store.only_one(entry.name, 0.0))
        except TimeoutError:
            print(f"{entry.name}: another process is at it: waiting", file=sys.stderr)
            held.enter_context(store.only_one(entry.name, math.inf))
        yield
