"""Finished results by key: nothing is computed twice, and nothing half-written is ever seen.

    .store/<2 hex>/<key>/   an entry: read-only files, there all at once by one rename, and .sha256, the list of their check sums
    .store/work/<key>/      state of something unfinished that can go on (a training)
    .store/tmp/             entries being written; left by a kill, swept after a week
    .store/locks/

A key names what was computed (stage, parameters, inputs, code), so no result is ever hashed. Threads, processes and
hosts that share the folder may write the same entry at once: one rename wins, the other result is thrown away.
"""

import fcntl
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from pipeline.errors import InputError

WEEK_SECONDS = 7 * 86_400

CHECK_SUMS = ".sha256"
"""In an entry, not linked into outputs; `sha256sum -c .sha256` reads it, too."""


def key_of(parts: dict[str, Any]) -> str:
    """sha256 of the parts as canonical JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


CHECKED_WHEN_READ = (".zip", ".mp4")


@dataclass(frozen=True)
class Store:
    root: Path

    def path(self, key: str) -> Path:
        return self.root / key[:2] / key

    def has(self, key: str) -> bool:
        return self.path(key).is_dir()

    def work(self, key: str) -> Path:
        """Folder for unfinished state under this key; removed when the entry is written."""
        folder = self.root / "work" / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def writing(self, key: str) -> Iterator[Path]:
        """Yields an empty folder; what is in it at the end becomes the entry. After an exception nothing is left."""
        unfinished = self.root / "tmp" / uuid.uuid4().hex
        unfinished.mkdir(parents=True)
        try:
            yield unfinished
            _write_check_sums(unfinished)
            _make_durable(unfinished)
            entry = self.path(key)
            entry.parent.mkdir(parents=True, exist_ok=True)
            try:
                unfinished.rename(entry)
            except OSError:
                if not entry.is_dir():  # otherwise somebody else finished the same entry first
                    raise
            _sync(entry.parent)
            shutil.rmtree(self.root / "work" / key, ignore_errors=True)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def link(self, key: str, destination: Path) -> None:
        """Hard links (copies, across file systems) of an entry's files in `destination`."""
        entry = self.path(key)
        if not entry.is_dir():
            raise InputError(f"{entry}: was removed from the store while it was needed: run again")
        destination.mkdir(parents=True, exist_ok=True)  # also for an entry without files
        for name in self.files(key):
            link_or_copy(entry / name, destination / name)

    def files(self, key: str) -> list[str]:
        """Names of an entry's files, below it."""
        entry = self.path(key)
        found = [Path(folder, name).relative_to(entry).as_posix() for folder, _, names in os.walk(entry) for name in names]
        return sorted(name for name in found if name != CHECK_SUMS)

    def check_sums(self, key: str) -> dict[str, str]:
        """File -> sha256; of an entry from before there were check sums, none."""
        path = self.path(key) / CHECK_SUMS
        if not path.is_file():
            return {}
        lines = (line.split("  ", 1) for line in path.read_text(errors="replace").splitlines())
        return {parts[1]: parts[0] for parts in lines if len(parts) == 2}

    def unsound(self, key: str) -> list[str]:
        """Files of an entry that are not as they were written; of an entry from before there were check sums, nothing is known."""
        if not (self.path(key) / CHECK_SUMS).is_file():
            return []
        sums = self.check_sums(key)
        changed = [name for name, sha256 in sums.items() if not _has_sum(self.path(key) / name, sha256)]
        return changed + sorted(set(self.files(key)) - set(sums))

    def require_sound(self, key: str, folder: Path) -> None:
        """InputError for a changed file in `folder`, where an entry's files are linked; arrays and videos tell it themselves once read."""
        for name, sha256 in self.check_sums(key).items():
            file = folder / name
            if file.suffix not in CHECKED_WHEN_READ and file.is_file() and not _has_sum(file, sha256):
                raise InputError(f"{file}: is not as it was written; `python -m pipeline store verify` removes what is damaged")

    def sweep(self) -> None:
        """Removes what killed runs left in tmp/."""
        for left in (self.root / "tmp").glob("*"):
            with suppress(FileNotFoundError):  # another process has just finished it
                if time.time() - left.stat().st_mtime > WEEK_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)

    def keys(self) -> Iterator[str]:
        return (entry.name for entry in self.root.glob("[0-9a-f][0-9a-f]/*") if entry.is_dir())

    def remove(self, key: str) -> None:
        """Takes the entry out of sight first, so that no reader sees half of one."""
        condemned = self.root / "tmp" / uuid.uuid4().hex
        condemned.parent.mkdir(parents=True, exist_ok=True)
        self.path(key).rename(condemned)
        shutil.rmtree(condemned)

    @contextmanager
    def only_one(self, name: str, wait_seconds: float) -> Iterator[None]:
        """Holds the lock `name`; freed by the kernel however this process ends. TimeoutError after `wait_seconds`."""
        with self._lock(key_of({"lock": name})[:16], fcntl.LOCK_EX, wait_seconds, f"{name} is being written by another process"):
            yield

    @contextmanager
    def in_use(self, wait_seconds: float) -> Iterator[None]:
        """While a run holds this, no entry is removed; any number of runs may. TimeoutError if something is being removed that long."""
        with self._lock("use", fcntl.LOCK_SH, wait_seconds, f"{self.root} is being cleared by another process"):
            yield

    @contextmanager
    def unused(self) -> Iterator[None]:
        """For removing entries. TimeoutError at once where a run is under way; runs that come wait."""
        with self._lock("use", fcntl.LOCK_EX, 0.0, f"{self.root} is used by a run"):
            yield

    @contextmanager
    def _lock(self, name: str, kind: int, wait_seconds: float, problem: str) -> Iterator[None]:
        path = self.root / "locks" / name
        with _opened_lock(path) as file:
            until = time.monotonic() + wait_seconds
            while not _locked(file.fileno(), kind):
                if time.monotonic() > until:
                    raise TimeoutError(problem)
                time.sleep(0.1)
            yield


def _opened_lock(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a")
    except OSError as error:
        what = f"{path} cannot be written ({error.strerror})"
        raise InputError(f"{what}: the store must be a folder that this user may write; V2V_STORE can name another") from None


def _locked(file_descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(file_descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _has_sum(file: Path, sha256: str) -> bool:
    return file.is_file() and file_sha256(file) == sha256


def _write_check_sums(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{file_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / CHECK_SUMS).write_text("".join(lines))


def _make_durable(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        _sync(path)
        if path.is_file():
            path.chmod(0o444)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_or_copy(source: Path, destination: Path) -> None:
    """A hard link, its folder made too; a copy across file systems."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, destination)
    except OSError as error:
        if isinstance(error, FileExistsError | FileNotFoundError):
            raise
        shutil.copyfile(source, destination)
