"""A table that grows while somebody reads it: live.csv of a training.

Columns may come later (a loss term of a later phase): then the file is written anew, at once. Rows are seen by others within a second.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

FLUSH_SECONDS = 1.0

Row = Mapping[str, int | float]


class LiveTable:
    """Each row begins with its step. OSError where the file cannot be written."""

    def __init__(self, path: Path, done: int) -> None:
        """Rows of steps beyond `done` are dropped: the training makes these steps again."""
        self._path, self._columns = path, ["step"]
        rows = [row for row in rows_of(path) if row["step"] <= done] if path.is_file() else []
        self._columns += dict.fromkeys(name for row in rows for name in row if name != "step")
        self._file = self._written(rows)
        self._flushed = time.monotonic()

    def add(self, row: Row) -> None:
        if new := [name for name in row if name not in self._columns]:
            self._file.close()
            self._columns += new
            self._file = self._written(rows_of(self._path))
        self._file.write(_line(row, self._columns))
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._file.flush()
            self._flushed = time.monotonic()

    def close(self) -> None:
        self._file.close()

    def _written(self, rows: list[dict[str, float]]) -> TextIO:
        """The file with these rows, open to add more; whoever reads meanwhile sees the old file or this one."""
        unfinished = self._path.with_suffix(".unfinished")
        file = unfinished.open("w", newline="")
        file.writelines([",".join(self._columns) + "\n", *(_line(row, self._columns) for row in rows)])
        file.flush()
        unfinished.replace(self._path)
        return file


class NewRows:
    """What a `LiveTable` gains from now on. One that lies there already is not looked at until it is opened to go on."""

    def __init__(self, path: Path) -> None:
        self._path, self._before = path, _mark(path)
        self._columns, self._position, self._last = list[str](), 0, 0.0
        self._file: tuple[int, bytes] | None = None

    def read(self) -> list[dict[str, float]]:
        """Whole rows that were not there at the last look; none while there is no file."""
        if not self._file and _mark(self._path) in (None, self._before):
            return []
        with self._path.open("rb") as file:
            this = (os.fstat(file.fileno()).st_ino, file.readline())
            if this != self._file:  # written anew
                self._file, self._columns, self._position = this, _cells(this[1]), file.tell()
            file.seek(self._position)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._position += len(whole)
        rows = [row for line in whole.splitlines() if (row := _numbers(self._columns, _cells(line)))["step"] > self._last]
        self._last = rows[-1]["step"] if rows else self._last
        return rows


def rows_of(path: Path) -> list[dict[str, float]]:
    """Without what a row does not have, and without a last row that is half written."""
    columns, *rows = [_cells(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    return [_numbers(columns, row) for row in rows]


def _cells(line: bytes) -> list[str]:
    return line.decode().rstrip("\n").split(",")


def _numbers(columns: list[str], cells: list[str]) -> dict[str, float]:
    return {name: float(cell) for name, cell in zip(columns, cells, strict=True) if cell}


def _line(row: Row, columns: list[str]) -> str:
    return ",".join(_text(row[name]) if name in row else "" for name in columns) + "\n"


def _text(number: int | float) -> str:
    return str(number) if isinstance(number, int) else f"{number:.6g}"


def _mark(path: Path) -> tuple[int, int] | None:
    """Another one for another file of this name, or another content."""
    try:
        return path.stat().st_ino, path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
