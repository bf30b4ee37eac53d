"""A folder of videos, one file a sequence; no labels. Decoding is PyAV's (pipeline/video.py)."""

from pathlib import Path, PurePosixPath

from pipeline import params, video
from pipeline.errors import InputError
from pipeline.sources import Footage, Item, SourceFrame, item_name

VIDEOS = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v")


def items(source: params.Videos, files: list[str]) -> list[Item]:
    found = [file for file in files if PurePosixPath(file).suffix.lower() in VIDEOS]
    for name in source.test_videos:
        if name not in found:
            raise InputError(f"source.test_videos: there is no {name} in {source.path}; there are {', '.join(found[:10]) or 'no videos'}")
    return [
        Item(
            item_name(PurePosixPath(file).with_suffix("").as_posix()),
            source.kind,
            (file,),
            {"all_test": file in source.test_videos, "test_frames": source.test_frames},
        )
        for file in found
    ]


def open_item(item: Item, root: Path) -> Footage:
    path = root / item.files[0]
    found = video.properties(path)
    test_from = 0 if item.parameters["all_test"] else found.num_frames - item.parameters["test_frames"]
    if test_from < 0:
        raise InputError(f"{path}: has {found.num_frames} frames, source.test_frames asks for {item.parameters['test_frames']}")
    return Footage(
        frames=(SourceFrame(rgb) for rgb in video.frames(path)),
        num_frames=found.num_frames,
        test_from=test_from,
        frames_per_second=found.frames_per_second,
        palette=None,
    )
