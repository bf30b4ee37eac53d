"""A folder of videos, one file a sequence; no labels. Decoding is PyAV's (pipeline/video.py)."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pipeline import params, scenes, splits, video
from pipeline.errors import InputError
from pipeline.sources import Finding, Footage, Item, SourceFrame, item_name

VIDEOS = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v")


def items(source: params.Videos, files: list[str]) -> list[Item]:
    found = video_files(files)
    for name in source.test_videos:
        if not any(_is_in(file, name) for file in found):
            raise InputError(
                f"source.test_videos: there is no {name} in {source.path}; there are {', '.join(found[:10]) or 'no videos'}; [] for none"
            )
    split_of = splits.read(source, found) if source.splits else {}
    return [_item(source, file, split_of.get(file)) for file in found if split_of.get(file) != "none"]


def open_item(item: Item, root: Path) -> Footage:
    footage = footage_of(root / item.files[0], item.parameters["rate"], item.parameters["scene_threshold"])
    match item.parameters["test"]:
        case "all":
            return replace(footage, test_from=0)
        case frames if frames <= footage.num_frames:
            return replace(footage, test_from=footage.num_frames - frames)
        case frames:
            raise InputError(f"{root / item.files[0]}: has {footage.num_frames} frames, source.test_frames asks for {frames}")


def check(source: params.Videos, files: Mapping[str, int], root: Path) -> list[Finding]:
    """Of each video the packets are read and the first frame is decoded."""
    found = video_files(list(files))
    return [
        Finding("videos", len(found), wrong=tuple(filter(None, (problem(root / file, source.frames_per_second) for file in found)))),
        Finding("other files", len(files) - len(found) - (source.splits in files)),
    ]


def video_files(files: list[str]) -> list[str]:
    return [file for file in files if PurePosixPath(file).suffix.lower() in VIDEOS]


def footage_of(path: Path, frames_per_second: float | None, scene_threshold: float | None) -> Footage:
    """All of one video file, for training."""
    found = video.properties(path, frames_per_second)
    return Footage(
        frames=(SourceFrame(rgb) for rgb in video.frames(path, frames_per_second)),
        num_frames=found.num_frames,
        test_from=found.num_frames,
        frames_per_second=found.frames_per_second,
        palette=None,
        shots=scenes.shots(video.frames(path, frames_per_second), scene_threshold) if scene_threshold else (),
    )


def problem(path: Path, frames_per_second: float | None) -> str:
    """Why it cannot be read, as far as its headers tell; empty where it can."""
    try:
        video.properties(path, frames_per_second)
    except InputError as error:
        return str(error)
    return ""


def name_of(file: str) -> str:
    return item_name(PurePosixPath(file).with_suffix("").as_posix())


def _is_in(file: str, place: str) -> bool:
    """Whether it is this file or one in this folder."""
    return PurePosixPath(file).is_relative_to(PurePosixPath(place))


def _item(source: params.Videos, file: str, split: str | None) -> Item:
    named = any(_is_in(file, place) for place in source.test_videos)
    test = {"train": 0, "test": "all", None: "all" if named else source.test_frames}[split]
    parameters = {"test": test, "rate": source.frames_per_second, "scene_threshold": source.scene_threshold}
    return Item(name_of(file), source.kind, (file,), parameters, splits.problem(source, file, split))
