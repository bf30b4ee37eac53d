"""Finished results by key: nothing is computed twice, and nothing half-written is ever seen.

    .store/<2 hex>/<key>/   an entry: read-only files, there all at once by one rename
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
from typing import Any

WEEK_SECONDS = 7 * 86_400


def key_of(parts: dict[str, Any]) -> str:
    """sha256 of the parts as canonical JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
        destination.mkdir(parents=True, exist_ok=True)  # also for an entry without files
        for folder, _, files in os.walk(entry):
            for name in files:
                link_or_copy(Path(folder) / name, destination / Path(folder).relative_to(entry) / name)

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
        path = self.root / "locks" / key_of({"lock": name})[:16]
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            until = time.monotonic() + wait_seconds
            while not _locked(file.fileno()):
                if time.monotonic() > until:
                    raise TimeoutError(f"{name} is being written by another process")
                time.sleep(0.1)
            yield


def _locked(file_descriptor: int) -> bool:
    try:
        fcntl.flock(file_descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
        if isinstance(error, FileExistsError):
            raise
        shutil.copyfile(source, destination)
