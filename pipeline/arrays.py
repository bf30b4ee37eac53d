"""Arrays of a clip on disk: one Zarr v3 group in a zip file, one chunk a frame, Blosc zstd.

Written frame by frame, so memory does not grow with the clip, and byte-identical for equal input: entries in the order
they were appended, fixed times, stored not deflated, one compression thread (with several, c-blosc orders its blocks by
who finished first). Zarr's own zip store writes the clock into the file.
"""

import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numcodecs.blosc
import numpy as np
import zarr
from numcodecs.blosc import Blosc
from zarr.codecs import BloscCodec
from zarr.storage import MemoryStore

from pipeline.errors import InputError, is_machine_fault, one_line

numcodecs.blosc.use_threads = False

OPEN_FILES = 256


class Writer:
    """Appends frames to named arrays. Use `writing`."""

    def __init__(self, path: Path) -> None:
        self._zip = ZipFile(path, "w", ZIP_STORED)
        self._metadata: dict[str, Any] = {}
        self._group = zarr.create_group(MemoryStore(self._metadata))
        self._arrays: dict[str, _Growing] = {}

    def append(self, name: str, frame: np.ndarray) -> None:
        """Adds one frame, of the same shape and dtype as the array's others.

        Zarr describes the arrays; chunks are compressed here, to the same bytes: through Zarr a small frame took ten times as long.
        """
        array = self._array(name, frame.shape, frame.dtype)
        self._write_chunk(name, array, array.codec.encode(np.ascontiguousarray(frame)))

    def append_stored(self, clip: "Clip") -> None:
        """Adds all frames of another file in its order, compressed as they are: to the same bytes as appending them one by one."""
        for name, t in clip.order():
            view = clip[name]
            self._write_chunk(name, self._array(name, view.shape[1:], view.dtype), view.stored(t))

    def close(self, attributes: dict[str, Any]) -> None:
        self._group.attrs.update(json.loads(json.dumps(attributes)))
        for array in self._arrays.values():
            array.described.resize((array.length, *array.described.shape[1:]))
        for name in sorted(self._metadata):
            self._write(name, self._metadata[name].to_bytes())
        self._zip.close()

    def discard(self) -> None:
        self._zip.close()

    def _array(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> "_Growing":
        array = self._arrays.get(name) or self._create(name, shape, dtype)
        assert (shape, dtype) == (array.described.shape[1:], array.described.dtype), (name, shape, dtype)
        return array

    def _create(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> "_Growing":
        size = dtype.itemsize
        described = self._group.create_array(
            name,
            shape=(0, *shape),
            chunks=(1, *shape),
            dtype=dtype,
            fill_value=0,
            compressors=[BloscCodec(cname="zstd", clevel=5, shuffle="shuffle" if size > 1 else "noshuffle")],
            config={"write_empty_chunks": True},  # a chunk that is missing is then always damage
        )
        codec = Blosc(cname="zstd", clevel=5, shuffle=Blosc.SHUFFLE if size > 1 else Blosc.NOSHUFFLE, typesize=size)
        self._arrays[name] = _Growing(described, codec)
        return self._arrays[name]

    def _write_chunk(self, name: str, array: "_Growing", chunk: bytes) -> None:
        self._write(f"{name}/c/{array.length}" + "/0" * (array.described.ndim - 1), chunk)
        array.length += 1

    def _write(self, name: str, content: bytes) -> None:
        entry = ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
        entry.create_system, entry.external_attr = 3, 0o444 << 16
        self._zip.writestr(entry, content)


@dataclass
class _Growing:
    described: zarr.Array
    codec: Blosc
    length: int = 0


@contextmanager
def writing(path: Path, attributes: dict[str, Any]) -> Iterator[Writer]:
    """Writes `path`; `attributes` (JSON values) may be filled until the block ends."""
    writer = Writer(path)
    try:
        yield writer
    except BaseException:
        writer.discard()
        path.unlink(missing_ok=True)
        raise
    writer.close(attributes)


def reading(path: Path) -> "Clip":
    """Opens lazily, once per process and file version. A file that is no such zip, or not all of one, is an InputError."""
    try:
        state = path.stat()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    return _open(path, state.st_ino, state.st_mtime_ns, os.getpid())


@lru_cache(maxsize=OPEN_FILES)
def _open(path: Path, inode: int, mtime_ns: int, process: int) -> "Clip":
    """A forked process opens anew: it would share the file's position with its parent."""
    return opened(path)


def opened(path: Path) -> "Clip":
    """As `reading`, for a file that will soon be removed: it is closed when it is no longer used."""
    try:
        return Clip(path)
    except DAMAGE as error:
        if is_machine_fault(error):
            raise
        raise InputError(f"{path}: is no readable array file ({one_line(error)})") from None


DAMAGE = (
    *(BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError),
    *(LookupError, ValueError, TypeError, AttributeError),
)
"""What zipfile, json and Blosc raise where bytes are not what they wrote (NotImplementedError is a RuntimeError)."""


class Clip:
    """Read-only view of one file: `clip[name][3:9]` decodes these frames alone.

    Zarr reads such files too (tests compare); decoding the chunks directly takes a sixth of its time for small frames. The zip's
    check sums find every flipped bit of a chunk or a description once it is read; that none is missing is looked at here.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._zip = path, ZipFile(path)
        names = self._zip.namelist()
        described = {name: json.loads(self._zip.read(name)) for name in names if name.endswith("zarr.json")}
        self.attributes: dict[str, Any] = described.pop("zarr.json")["attributes"]
        self._arrays = {name.removesuffix("/zarr.json"): ArrayView(path, self._zip, name, meta) for name, meta in described.items()}
        chunks = [chunk for view in self._arrays.values() for chunk in view.chunk_names()]
        if sorted(names) != sorted(["zarr.json", *described, *chunks]):
            raise BadZipFile(f"holds other files than the {len(chunks)} frames that it describes")

    def __getitem__(self, name: str) -> "ArrayView":
        if name not in self._arrays:
            raise InputError(f"{self._path}: has no array {name}; there are {', '.join(self.names()) or 'none'}")
        return self._arrays[name]

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def names(self) -> list[str]:
        return sorted(self._arrays)

    def order(self) -> Iterator[tuple[str, int]]:
        """Array and number of each frame, in the order in which they were appended."""
        for chunk in self._zip.namelist():
            if not chunk.endswith("zarr.json"):
                name, _, place = chunk.rpartition("/c/")
                yield name, int(place.split("/")[0])

    def frames(self, name: str) -> Iterator[np.ndarray]:
        """The frames one by one."""
        view = self[name]
        return (view[t] for t in range(view.shape[0]))

    def batches(self, name: str, size: int) -> Iterator[np.ndarray]:
        """The frames, so many at a time; the last ones may be fewer."""
        view = self[name]
        return (view[first : first + size] for first in range(0, len(view), size))


class ArrayView:
    """One array of a file: `view[t]` is a frame, `view[a:b]` frames."""

    def __init__(self, path: Path, archive: ZipFile, metadata_name: str, metadata: dict[str, Any]) -> None:
        self.shape: tuple[int, ...] = tuple(metadata["shape"])
        self.dtype = np.dtype(metadata["data_type"])
        self._path, self._zip = path, archive
        self._prefix = metadata_name.removesuffix("zarr.json") + "c/"
        self._suffix = "/0" * (len(self.shape) - 1)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, frames: int | slice) -> np.ndarray:
        if isinstance(frames, slice):
            chosen = range(*frames.indices(self.shape[0]))
            decoded = np.empty((len(chosen), *self.shape[1:]), self.dtype)
            for place, t in enumerate(chosen):
                self._decode(t, decoded[place])
            return decoded
        frame = np.empty(self.shape[1:], self.dtype)
        self._decode(range(self.shape[0])[frames], frame)
        return frame

    def take(self, frames: Sequence[int]) -> np.ndarray:
        """These frames, in any order; one that is asked for several times is decoded once."""
        taken = np.empty((len(frames), *self.shape[1:]), self.dtype)
        first_place: dict[int, int] = {}
        for place, t in enumerate(frames):
            if t in first_place:
                taken[place] = taken[first_place[t]]
            else:
                self._decode(range(self.shape[0])[t], taken[place])
                first_place[t] = place
        return taken

    def _decode(self, t: int, frame: np.ndarray) -> None:
        """Into its place: a copy of each frame, and another to stack them, took as long as decoding them.

        Of a chunk that is too short, Blosc would fill a part of the frame and say nothing.
        """
        with self._damage(t):
            chunk = self._zip.read(self._chunk_name(t))
            if (size := int.from_bytes(chunk[4:8], "little")) != frame.nbytes:  # in Blosc's header
                raise ValueError(f"{size} bytes, where a frame has {frame.nbytes}")
            numcodecs.blosc.decompress(chunk, frame)

    def stored(self, t: int) -> bytes:
        """Frame t as it is compressed."""
        with self._damage(t):
            return self._zip.read(self._chunk_name(t))

    @contextmanager
    def _damage(self, t: int) -> Iterator[None]:
        """What reading a frame raises, in one sentence."""
        try:
            yield
        except DAMAGE as error:
            if is_machine_fault(error):
                raise
            raise InputError(
                f"{self._path}: frame {t} is damaged ({one_line(error)}); `python -m pipeline store verify` names what to make again"
            ) from None

    def chunk_names(self) -> list[str]:
        return [self._chunk_name(t) for t in range(self.shape[0])]

    def _chunk_name(self, t: int) -> str:
        return f"{self._prefix}{t}{self._suffix}"
