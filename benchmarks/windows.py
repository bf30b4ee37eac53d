"""Training windows a second from the clips' array files, against the same windows from folders of PNG files, in one process.

Both sides make the same tensors, checked before the clock starts. PNG: frames, label ids and instance ids by Pillow's writer,
optical flow and confidence as KITTI's 16-bit PNG, decoded once a window; read by OpenCV, and by Pillow (which cannot read the
16-bit colour image: that one stays with OpenCV).
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import torch
from PIL import Image

from benchmarks import sample_clips
from benchmarks.measure import Seconds, in_turns, row, show, spread
from benchmarks.sample_clips import SampleClips
from pipeline import arrays, layout, params
from pipeline.windows import Batch, Windows

Read = Callable[[Path], np.ndarray]
NAMES = ("rgb", "label", "instance")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.windows", description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["256x128", "1024x512"], help="WIDTHxHEIGHT")
    parser.add_argument("--windows", type=int, default=60, help="in each round, at the first size")
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    sizes = [tuple(map(int, size.split("x"))) for size in asked.sizes]
    rows: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for width, height in sizes:
            count = max(2, asked.windows * sizes[0][0] * sizes[0][1] // (width * height))
            sample = sample_clips.create(Path(folder) / f"{width}", width=width, height=height, num_clips=4, num_frames=16)
            rows += compare(sample, Path(folder) / f"{width}-png", f"{width}x{height}", count, asked.rounds)
    show(rows)


def compare(sample: SampleClips, png: Path, size: str, count: int, rounds: int) -> list[str]:
    write_png(sample, png)
    windows = windows_of(sample)
    readers = {"OpenCV": read_by_opencv, "Pillow": read_by_pillow}
    for read in readers.values():
        for step in range(3):
            _assert_equal(windows[step], from_png(windows, step, png, read))
    sides: dict[str, Callable[[], object]] = {"zip": partial(_all, windows, count)}
    for name, read in readers.items():
        sides[name] = partial(_all_from_png, windows, count, png, read)
    kept = Kept(windows)
    kept.run(count)  # fills it
    sides["tensors"] = lambda: kept.run(count)
    taken = in_turns(sides, rounds)
    best = min(readers, key=lambda name: statistics.median(t.cpu for t in taken[name]))
    faster = _cpu(taken[best]) / _cpu(taken["zip"])
    reading = (_cpu(taken[best]) - _cpu(taken["tensors"])) / (_cpu(taken["zip"]) - _cpu(taken["tensors"]))
    other = ", ".join(f"{name}: {_rate(taken[name], count)}" for name in readers)
    zips, pngs = (_megabytes(files) for files in (_zips(sample), png.rglob("*.png")))
    return [
        row(f"training windows a second, {size}, one process", _rate(taken["zip"], count), f"PNG by {other}", f"{faster:.1f} x", "5 x"),
        row(
            "the same without what both sides do then (one-hot maps, floats)",
            f"that takes {1000 * _cpu(taken['tensors']) / count:.3g} ms of {1000 * _cpu(taken['zip']) / count:.3g} ms",
            f"PNG by {best}",
            f"{reading:.1f} x",
        ),
        row("size on disk", f"{zips:.1f} MB", f"PNG {pngs:.1f} MB", f"{zips / pngs:.2f} x"),
    ]


def windows_of(sample: SampleClips) -> Windows:
    """As the data set's training sees them."""
    p = sample.params.section(params.Train, sample_clips.DATASET)
    return Windows(
        sample.folders,
        sample.index,
        sample.kind,
        frames=p.window_frames,
        past_frames=p.generator.past_frames,
        batch_size=p.batch_size,
        start_from_nothing=p.start_from_nothing,
        seed=p.seed,
    )


def write_png(sample: SampleClips, root: Path) -> None:
    for clip in sample.index["clip"]:
        stored = {name: arrays.reading(path) for name, path in _files(sample, clip).items()}
        for t in range(len(stored["frames"]["rgb"])):
            for name, modality in zip(NAMES, ("frames", "segmentation", "instances"), strict=True):
                path = png_file(root / clip / name, t)
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(stored[modality][name][t]).save(path)
            moved = stored["optical_flow"]
            write_kitti(png_file(root / clip / "optical_flow_1", t), moved["optical_flow_1"][t], moved["confidence_1"][t])


def png_file(folder: Path, t: int) -> Path:
    return folder / f"{t:06d}.png"


def write_kitti(path: Path, moved: np.ndarray, confidence: np.ndarray) -> None:
    """Multiples of 1/64 px around 2^15, and whether to trust them: nothing that a training sees is lost."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.dstack([confidence >= 128, *(np.rint(moved.astype(np.float32)[..., i] * 64) + 2**15 for i in (1, 0))])  # OpenCV writes b g r
    cv2.imwrite(str(path), image.astype(np.uint16))


def read_by_opencv(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if image.ndim == 3 else image


def read_by_pillow(path: Path) -> np.ndarray:
    if path.parent.name == "optical_flow_1":
        return read_by_opencv(path)
    with Image.open(path) as image:
        return np.array(image)


class PngClip:
    """Stands for an array file's reader, over a folder for each array."""

    def __init__(self, folder: Path, read: Read) -> None:
        self._folder, self._read = folder, read
        self._kitti: dict[int, np.ndarray] = {}

    def __getitem__(self, name: str) -> "PngArray":
        return PngArray(self, name)

    def frame(self, name: str, t: int) -> np.ndarray:
        if name in NAMES:
            return self._read(png_file(self._folder / name, t))
        if t not in self._kitti:
            self._kitti[t] = self._read(png_file(self._folder / "optical_flow_1", t))
        image = self._kitti[t]
        if name == "confidence_1":
            return image[..., 2].astype(np.uint8) * 255
        return (image[..., :2].astype(np.float32) - 2**15) / 64


class PngArray:
    def __init__(self, clip: PngClip, name: str) -> None:
        self._clip, self._name = clip, name

    def __getitem__(self, frames: slice) -> np.ndarray:
        return np.stack([self._clip.frame(self._name, t) for t in range(frames.start, frames.stop)])


def from_png(windows: Windows, step: int, root: Path, read: Read) -> Batch:
    with mock.patch.object(arrays, "reading", lambda path: PngClip(root / path.parent.name, read)):
        return windows[step]


def _all(windows: Windows, count: int) -> None:
    """Each is let go before the next, as in a training: memory that is kept would be asked of the system anew."""
    for step in range(count):
        windows[step]


def _all_from_png(windows: Windows, count: int, root: Path, read: Read) -> None:
    for step in range(count):
        from_png(windows, step, root, read)


class Kept:
    """The arrays of some windows kept in memory: what is left is what any reader's arrays go through to become tensors."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._arrays: dict[tuple[Path, str, int, int], np.ndarray] = {}
        self._real = arrays.reading

    def run(self, count: int) -> None:
        with mock.patch.object(arrays, "reading", lambda path: _KeptClip(self._arrays, path, self._real)):
            _all(self._windows, count)


class _KeptClip:
    def __init__(self, kept: dict[tuple[Path, str, int, int], np.ndarray], path: Path, real: Callable[[Path], arrays.Clip]) -> None:
        self._kept, self._path, self._real = kept, path, real

    def __getitem__(self, name: str) -> "_KeptArray":
        return _KeptArray(self, name)

    def get(self, name: str, frames: slice) -> np.ndarray:
        key = (self._path, name, frames.start, frames.stop)
        if key not in self._kept:
            self._kept[key] = self._real(self._path)[name][frames]
        return self._kept[key]


class _KeptArray:
    def __init__(self, clip: _KeptClip, name: str) -> None:
        self._clip, self._name = clip, name

    def __getitem__(self, frames: slice) -> np.ndarray:
        return self._clip.get(self._name, frames)


def _files(sample: SampleClips, clip: str) -> dict[str, Path]:
    folders = sample.folders
    return {
        "frames": layout.arrays(folders.clips / clip, "frames"),
        **{name: layout.arrays(folder / clip, name) for name, folder in vars(folders.maps).items() if folder},
        "optical_flow": layout.arrays(folders.optical_flow / clip, "optical_flow"),
    }


def _zips(sample: SampleClips) -> list[Path]:
    return [path for clip in sample.index["clip"] for path in _files(sample, clip).values()]


def _megabytes(files: Iterable[Path]) -> float:
    return sum(file.stat().st_size for file in files) / 1e6


def _assert_equal(a: Batch, b: Batch) -> None:
    for name, value in vars(a).items():
        other = getattr(b, name)
        assert (value is None and other is None) or torch.equal(value, other), name


def _cpu(taken: list[Seconds]) -> float:
    return statistics.median(t.cpu for t in taken)


def _rate(taken: list[Seconds], count: int) -> str:
    """By the processor's seconds: one thread works, and others may use the machine."""
    return spread([count / t.cpu for t in taken], "/s")


if __name__ == "__main__":
    main()
