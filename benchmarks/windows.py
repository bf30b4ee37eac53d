"""Training windows a second from the clips' array files, against the same windows from folders of PNG files, in one process.

Both sides read the same bytes, checked before the clock starts (floats are made of them on the device that trains). PNG: frames, label
ids and instance ids by Pillow's writer, optical flow and confidence as KITTI's 16-bit PNG, decoded once a window; read by OpenCV, and by
Pillow (which cannot read the 16-bit colour image: that one stays with OpenCV).
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks import sample_clips
from benchmarks.measure import Seconds, in_turns, row, show, spread
from benchmarks.sample_clips import SampleClips
from pipeline import arrays, layout, params
from pipeline.windows import Window, Windows

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
        for step in range(1, 4):
            _assert_equal(windows[step], from_png(windows, step, png, read))
    sides: dict[str, Callable[[], object]] = {"zip": partial(_all, windows, count)}
    for name, read in readers.items():
        sides[name] = partial(_all_from_png, windows, count, png, read)
    taken = in_turns(sides, rounds)
    best = min(readers, key=lambda name: statistics.median(t.cpu for t in taken[name]))
    faster = _cpu(taken[best]) / _cpu(taken["zip"])
    other = ", ".join(f"{name}: {_rate(taken[name], count)}" for name in readers)
    zips, pngs = (_megabytes(files) for files in (_zips(sample), png.rglob("*.png")))
    return [
        row(f"training windows a second, {size}, one process", _rate(taken["zip"], count), f"PNG by {other}", f"{faster:.1f} x", "5 x"),
        row("size on disk", f"{zips:.1f} MB", f"PNG {pngs:.1f} MB", f"{zips / pngs:.2f} x"),
    ]


def windows_of(sample: SampleClips) -> Windows:
    """As the data set's training sees them."""
    p = sample.params.section(params.Train, sample_clips.DATASET)
    kind = sample.kind
    return Windows(sample.folders, sample.index, kind, p, past_frames=p.generator.past_frames, strides=[1])


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

    def __getitem__(self, t: int) -> np.ndarray:
        return self._clip.frame(self._name, t)

    def take(self, frames: Sequence[int]) -> np.ndarray:
        read = {t: self._clip.frame(self._name, t) for t in sorted(set(frames))}
        return np.stack([read[t] for t in frames])


def from_png(windows: Windows, step: int, root: Path, read: Read) -> Window:
    with mock.patch.object(arrays, "reading", lambda path: PngClip(root / path.parent.name, read)):
        return windows[step]


def _all(windows: Windows, count: int) -> None:
    """Each is let go before the next, as in a training: memory that is kept would be asked of the system anew."""
    for step in range(1, count + 1):
        windows[step]


def _all_from_png(windows: Windows, count: int, root: Path, read: Read) -> None:
    for step in range(1, count + 1):
        from_png(windows, step, root, read)


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


def _assert_equal(a: Window, b: Window) -> None:
    parts: list[tuple[str, Tensor | None, Tensor | None]] = [
        *((name, getattr(a, name), getattr(b, name)) for name in ("before", "real", "optical_flow")),
        ("confidence", a.confidence >= 128, b.confidence >= 128),
        *((name, getattr(a.maps, name), getattr(b.maps, name)) for name in ("label", "instance_edge")),
        *((f"group {stride}", group.optical_flow, b.groups[stride].optical_flow) for stride, group in a.groups.items()),
    ]
    for name, ours, theirs in parts:
        assert ours is not None and theirs is not None and torch.equal(ours, theirs), name


def _cpu(taken: list[Seconds]) -> float:
    return statistics.median(t.cpu for t in taken)


def _rate(taken: list[Seconds], count: int) -> str:
    """By the processor's seconds: one thread works, and others may use the machine."""
    return spread([count / t.cpu for t in taken], "/s")


if __name__ == "__main__":
    main()
