"""Importing a video and a folder of images, against a plain loop that decodes, scales and compresses the same frames."""

import argparse
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import av
import cv2
import numcodecs.blosc
import numpy as np
from numcodecs.blosc import Blosc
from PIL import Image

from benchmarks.measure import in_turns, ratio, row, show, walls
from pipeline import clips, params, street_world, video
from pipeline.sources import items_of

COMMON = {"path": "", "splits": None, "test_frames": 0, "frames_per_second": 30.0}
BLOSC = Blosc(cname="zstd", clevel=5, shuffle=Blosc.NOSHUFFLE)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.importing", description=__doc__)
    parser.add_argument("--frames", type=int, default=90)
    parser.add_argument("--source-size", default="1280x720")
    parser.add_argument("--size", default="512x256")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    numcodecs.blosc.use_threads = False
    cv2.setNumThreads(1)
    width, height = map(int, asked.size.split("x"))
    stored = params.Clips(width=width, height=height, crop=None, frames=min(30, asked.frames), stride=None)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _write_raw(root, asked.frames, *map(int, asked.source_size.split("x")))
        rows = []
        for name, import_, decode in (
            ("video", partial(_import, root, _videos(None)), partial(_decoded, root / "a.mp4")),
            ("video, cut at changes of scene", partial(_import, root, _videos(3.0)), partial(_decoded, root / "a.mp4")),
            ("folder of PNG", partial(_import, root, _images()), partial(_read, root / "frames")),
        ):
            sides: dict[str, Callable[[], object]] = {
                "import": partial(import_, stored),
                "plain": partial(_plain, decode, root / "plain.bin", width, height),
            }
            taken = in_turns(sides, asked.rounds)
            aim = "" if "cut" in name else "1.2"
            what = f"{name}, {asked.frames} frames of {asked.source_size} to {asked.size}"
            rows.append(row(what, walls(taken["import"]), walls(taken["plain"]), f"{ratio(taken['import'], taken['plain']):.2f}", aim))
    show(rows)


def _write_raw(root: Path, num_frames: int, width: int, height: int) -> None:
    """The street world at half the size, so that drawing it takes less than a minute, enlarged and with a camera's noise."""
    (root / "frames").mkdir()
    random = np.random.default_rng(0)
    drawn = street_world.render(seed=1, num_frames=num_frames, width=width // 2, height=height // 2, strides=[], approach=False)
    shown = []
    for t, frame in enumerate(drawn):
        rgb = cv2.resize(frame.rgb, (width, height), interpolation=cv2.INTER_CUBIC)
        shown.append(np.clip(rgb + random.normal(0, 3, rgb.shape), 0, 255).astype(np.uint8))
        Image.fromarray(shown[-1]).save(root / "frames" / f"{t:04d}.png")
    video.write_mp4(root / "a.mp4", shown, "30/1", 18)


def _videos(scene_threshold: float | None) -> params.Source:
    return params.Videos.model_validate({**COMMON, "kind": "videos", "scene_threshold": scene_threshold, "test_videos": []})


def _images() -> params.Source:
    unlabelled = {"frames": "frames", "labels": None, "labels_cover": "all", "palette": None}
    return params.Frames.model_validate(
        {**COMMON, **unlabelled, "kind": "frames", "test_sequences": [], "take_every": 1, "scene_threshold": None}
    )


def _import(root: Path, source: params.Source, stored: params.Clips) -> None:
    (item,) = items_of(source, sorted(path.relative_to(root).as_posix() for path in root.rglob("*.[mp][pn][4g]")))
    with tempfile.TemporaryDirectory(dir=root) as out:
        clips.run_item(item, root, Path(out), stored, {})


def _plain(decode: Callable[[], Iterable[np.ndarray]], path: Path, width: int, height: int) -> None:
    """As one would write it: covers the size and cuts the centre out, in the quality that `clips` has."""
    with path.open("wb") as file:
        for rgb in decode():
            scale = max(width / rgb.shape[1], height / rgb.shape[0])
            size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
            top, left = (size[1] - height) // 2, (size[0] - width) // 2
            small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)[top : top + height, left : left + width]
            file.write(BLOSC.encode(np.ascontiguousarray(small)))


def _decoded(path: Path) -> Iterable[np.ndarray]:
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def _read(folder: Path) -> Iterable[np.ndarray]:
    for path in sorted(folder.iterdir()):
        yield np.asarray(Image.open(path))


if __name__ == "__main__":
    main()
