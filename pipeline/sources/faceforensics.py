"""FaceForensics and FaceForensics++: videos of one talking person each, cut to the face; no labels.

Folders as they unpack:
    original_sequences/youtube/{raw,c23,c40}/videos/NNN.mp4                          FaceForensics++, 1,000 videos; actors/: 363
    {train,val,test}/original/<YouTube id>_<n>_<YouTube id>_<n>.avi                  FaceForensics, 704, 150 and 150
The paper's 854 are train and val. Only originals are taken: a manipulated video shows the face of somebody else, who may be on the
other side of the split.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline import face_square, faces, params, splits, video, weights
from pipeline.errors import InputError
from pipeline.sources import Box, Finding, Footage, Item, item_name
from pipeline.sources.videos import footage_of, problem, video_files

MANIPULATED = ("manipulated_sequences", "altered", "mask", "masks")
"""Parts of the paths of videos that show no original."""

OFFICIAL = {
    **{f"original_sequences/youtube/{quality}/videos": 1000 for quality in ("raw", "c23", "c40")},
    **{f"original_sequences/actors/{quality}/videos": 363 for quality in ("raw", "c23", "c40")},
    **{"train/original": 704, "val/original": 150, "test/original": 150},
}
"""Videos in each folder."""

PERSON = re.compile(r"[\w-]{11}(?=_\d+(?:_|$))|\d\d(?=__)", re.ASCII)
"""What names begin with of which several show one person: FaceForensics' YouTube id, or the number of an actor in FaceForensics++."""


def items(source: params.FaceForensics, files: list[str]) -> list[Item]:
    found = _videos(source, files)
    split_of = splits.read(source, found) if source.splits else {}
    return [_item(source, file, split_of.get(file)) for file in found if split_of.get(file) != "none"]


def open_item(item: Item, root: Path) -> Footage:
    path, values = root / item.files[0], item.parameters
    footage = footage_of(path, values["rate"], values["scene_threshold"])
    seen = faces.looks(video.frames(path, values["rate"]), values["every"], weights.path_of(values["face_weights"], "source.face_weights"))
    found = video.properties(path, values["rate"])
    return replace(
        footage,
        test_from=0 if values["split"] == "test" else footage.num_frames,
        crop=partial(_boxes, seen, found, values),
    )


def check(source: params.FaceForensics, files: Mapping[str, int], root: Path) -> list[Finding]:
    """Each video's headers are read; whether they show faces, the stage `clips` finds out."""
    findings = []
    for folder in source.folders:
        found = [file for file in video_files(list(files)) if PurePosixPath(file).parent == PurePosixPath(folder)]
        wrong = tuple(filter(None, (problem(root / file, source.frames_per_second) for file in found)))
        findings.append(Finding(f"{folder}: videos", len(found), OFFICIAL.get(PurePosixPath(folder).as_posix()), wrong))
    return findings


def person(file: str) -> str:
    """Whom a video shows, as far as its name tells."""
    stem = PurePosixPath(file).stem
    known = PERSON.match(stem)
    return known[0] if known else stem


def is_for_testing(file: str, test_share: float) -> bool:
    """By a hash of the person, so that it stays as it is when others come."""
    number = int.from_bytes(hashlib.sha256(person(file).encode(errors="surrogateescape")).digest()[:8])
    return number < test_share * 2**64


def _videos(source: params.FaceForensics, files: list[str]) -> list[str]:
    there = video_files(files)
    for folder in map(PurePosixPath, source.folders):
        if wrong := set(folder.parts) & set(MANIPULATED):
            raise InputError(f"source.folders: {folder} holds manipulated videos ({wrong.pop()}); name folders of originals")
        if not any(PurePosixPath(file).parent == folder for file in there):
            others = sorted({PurePosixPath(file).parent.as_posix() for file in there})
            raise InputError(f"source.folders: there are no videos in {folder}; there are some in {', '.join(others[:10]) or 'no folder'}")
    return [file for file in there if PurePosixPath(file).parent in map(PurePosixPath, source.folders)]


def _item(source: params.FaceForensics, file: str, split: str | None) -> Item:
    parameters = {
        "split": split or ("test" if is_for_testing(file, source.test_share) else "train"),
        "rate": source.frames_per_second,
        "scene_threshold": source.scene_threshold,
        "face_weights": source.face_weights,
        "every": source.face_every,
        "lost": source.face_lost,
        "enlarge": source.face_enlarge,
        "follow": source.face_follow,
    }
    return Item(item_name(PurePosixPath(file).stem), source.kind, (file,), parameters, splits.problem(source, file, split))


def _boxes(seen: faces.Looks, found: video.VideoProperties, values: dict[str, Any], frames: range) -> list[Box]:
    person, enlarge = faces.followed(seen, frames, values["lost"]), values["enlarge"]
    if values["follow"] is None:
        return [face_square.square(list(person.values()), enlarge, found.height, found.width)] * len(frames)
    return face_square.squares(person, frames, values["follow"], enlarge, found.height, found.width)
