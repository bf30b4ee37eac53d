"""Frames a second of the stage `synthesize`, with networks of random weights in the size of the sample street's."""

import argparse
import tempfile
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch

from benchmarks.measure import Seconds, in_turns, ratio, row, show, spread
from benchmarks.sample_clips import DATASET, PARAMS
from models.video_generator import VideoGenerator
from pipeline import arrays, clips, layout, palettes, params, synthesize, video
from pipeline.checkpoint import TrainedGenerator, save_generator
from pipeline.maps import ClipMaps, MapFolders, MapKind
from pipeline.params_file import load
from pipeline.sources import items_of
from pipeline.synthesis import Synthesis, Video

KIND = MapKind(palettes.load("sample_street"), instances=True, edges=0, pose=0)
CRF = 18


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synthesis", description=__doc__)
    parser.add_argument("--size", default="256x128")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--batch", type=int, default=4, help="videos side by side")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=1, help="of torch; a clip's stage has one")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        show(_rows(Path(folder), asked))


def _rows(root: Path, asked: argparse.Namespace) -> list[str]:
    clip = _clip(root / "clip", asked.size, asked.frames)
    save_generator(layout.networks(root / "train"), *_untrained(), KIND)
    generator = TrainedGenerator(layout.networks(root / "train"), asked.device)
    stage = {"ours": partial(overlapped, root, clip, asked.device), "other": partial(in_turn, root, clip, generator, asked.device)}
    taken = in_turns(stage, asked.rounds)
    what = f"the stage, {asked.frames} frames of {asked.size} on {asked.device}, threads of torch: {asked.threads}"
    rows = [row(what, _said(taken["ours"]), f"read, made, written in turn: {_said(taken['other'])}", _ratio(taken))]
    length = asked.frames // (asked.batch + 1)
    parts = [range(length * number, length * (number + 1)) for number in range(asked.batch)]
    beside = {"ours": partial(made, clip, generator, parts, asked.device), "other": partial(_each, clip, generator, parts, asked.device)}
    taken = in_turns(beside, asked.rounds)
    what = f"{asked.batch} videos of {length} frames side by side, nothing written"
    return [*rows, row(what, _said(taken["ours"]), f"one after another: {_said(taken['other'])}", _ratio(taken))]


def _clip(folder: Path, size: str, frames: int) -> Path:
    """Of the street world, with its true labels and instances."""
    width, height = map(int, size.split("x"))
    changes = {"width": width, "height": height, "train_clips": 1, "train_frames": frames}
    source = load(PARAMS).source(DATASET).model_copy(update=changes)
    folder.mkdir()
    sized = params.Clips(width=width, height=height, crop=None, frames=frames, stride=None)
    clips.run_item(items_of(source, [])[0], Path(), folder, sized, {})
    return layout.arrays(next(found.parent for found in folder.rglob("frames.zip")), "frames").parent


def _untrained() -> tuple[VideoGenerator, dict[str, object]]:
    section = load(PARAMS).section(params.Train, DATASET).generator
    arguments: dict[str, object] = {**section.model_dump(), "map_channels": KIND.channels}
    torch.manual_seed(0)
    return VideoGenerator(**arguments), arguments  # type: ignore[arg-type]


def overlapped(root: Path, clip: Path, device: str) -> None:
    with tempfile.TemporaryDirectory(dir=root) as out, tempfile.TemporaryDirectory(dir=root) as work:
        synthesize.run_clip(
            clip,
            segmentation=clip,
            instances=clip,
            pose=None,
            edges=None,
            train=root / "train",
            train_image_generator=root,
            out=Path(out),
            work=Path(work),
            p=params.Synthesize(first_frame="itself", part_frames=120, crf=CRF),
            made_by={},
            device=device,
        )


def in_turn(root: Path, clip: Path, generator: TrainedGenerator, device: str) -> None:
    """A plain loop: the mp4 is made of the file that was written."""
    with tempfile.TemporaryDirectory(dir=root) as out, patch("pipeline.synthesis.ahead", iter):
        path = layout.arrays(Path(out), "frames")
        with arrays.writing(path, {}) as writer:
            for one in Synthesis(generator, [_video(clip, None)], device).frames(0, None):
                writer.append("rgb", one.rgb[0])
        video.write_mp4(layout.video(Path(out)), arrays.opened(path).frames("rgb"), "15/1", CRF)


def made(clip: Path, generator: TrainedGenerator, parts: list[range], device: str) -> None:
    for _ in Synthesis(generator, [_video(clip, part) for part in parts], device).frames(0, None):
        pass


def _each(clip: Path, generator: TrainedGenerator, parts: list[range], device: str) -> None:
    for part in parts:
        made(clip, generator, [part], device)


def _video(clip: Path, used: range | None) -> Video:
    maps = ClipMaps(MapFolders(segmentation=clip, instances=clip, edges=None, pose=None), KIND)
    return Video(maps, used or range(len(maps)), None)


def _said(taken: list[Seconds]) -> str:
    return f"{spread([one.wall for one in taken], 's')}, CPU {spread([one.cpu for one in taken], 's')}"


def _ratio(taken: dict[str, list[Seconds]]) -> str:
    return f"{ratio(taken['ours'], taken['other']):.2f}"


if __name__ == "__main__":
    main()
