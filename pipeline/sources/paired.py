"""Folders as vid2vid's readers want them: train_... and test_..., a sequence a subfolder, or one sequence without subfolders.

    _A, _B, _inst                                  label maps (ids), frames, instances (8 bits; 255 = no object); _inst may lack
    _img, _keypoints, _openpose, _densepose        frames; 68 landmarks "x,y" a line; OpenPose's JSON; DensePose's images

The n-th file of a folder belongs to the n-th frame, whatever their names.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import UInt8, UInt16

from pipeline import palettes, params, pose_formats
from pipeline.errors import InputError
from pipeline.palettes import VOID, Palette
from pipeline.sources import Finding, Footage, Item, SourceFrame, image_files, item_name, rate
from pipeline.sources.frames import IMAGES, by_number

NO_OBJECT = 255

ENDINGS = {"keypoints": (".txt",), "openpose": (".json",)}
"""Of files that are no images."""

BESIDE = {"B": ("A", "inst"), "img": ("keypoints", "openpose", "densepose")}
"""What lies beside frames in folders of this name."""

Sequences = dict[str, list[str]]
"""By folder, the files in their order."""


def items(source: params.Paired, files: list[str]) -> list[Item]:
    found = [(split, part) for split in ("train", "test") for part in BESIDE if _sequences(files, split, part)]
    if not found:
        raise InputError(f"source.path: there is no train_B, test_B, train_img or test_img with images in {source.path}")
    return [item for split, part in found for item in _items(source, files, split, part)]


def open_item(item: Item, root: Path) -> Footage:
    values = item.parameters
    return Footage(
        frames=_frames(item, root),
        num_frames=values["num_frames"],
        test_from=0 if values["split"] == "test" else values["num_frames"],
        frames_per_second=values["frames_per_second"],
        palette=palettes.from_attributes(values["palette"]) if values["palette"] else None,
        instances_linked=False,
    )


def check(source: params.Paired, files: Mapping[str, int], root: Path) -> list[Finding]:
    """Counts; the header of each sequence's first frame."""
    findings = []
    for split in ("train", "test"):
        for part, others in BESIDE.items():
            frames = _sequences(list(files), split, part)
            if frames:
                first = tuple(filter(None, (image_files.size_problem(root / group[0]) for group in frames.values())))
                findings.append(Finding(f"{split}_{part}: frames", sum(map(len, frames.values())), wrong=(*_empty(frames, files), *first)))
                findings += [_beside(split, part, other, frames, files) for other in others if _sequences(list(files), split, other)]
    return findings


def _items(source: params.Paired, files: list[str], split: str, part: str) -> list[Item]:
    palette = palettes.load(source.palette).as_attributes() if part == "B" and source.palette else None
    frames = _sequences(files, split, part)
    beside = {other: _sequences(files, split, other) for other in BESIDE[part] if part == "img" or palette}
    needed = [other for other, sequences in beside.items() if sequences or other == "A"]
    found = []
    for folder in sorted({**frames, **{folder: [] for sequences in beside.values() for folder in sequences}}):
        here = frames.get(folder, [])
        groups = {other: beside[other].get(folder, []) for other in needed}
        parameters = {
            "split": split,
            "num_frames": len(here),
            "frames_per_second": rate(source.frames_per_second),
            "truth": needed,
            "with_instances": bool(groups.get("inst")) or palette is None,
            "palette": palette,
        }
        name = item_name(split if folder == "." else f"{split}-{folder}")
        listed = (*here, *(file for group in groups.values() for file in group))
        found.append(Item(name, source.kind, listed, parameters, _pairing(split, folder, part, here, groups)))
    return found


def _sequences(files: list[str], split: str, part: str) -> Sequences:
    below, found = f"{split}_{part}", Sequences()
    for file in files:
        path = PurePosixPath(file)
        if path.parts[0] == below and len(path.parts) > 1 and path.suffix.lower() in ENDINGS.get(part, IMAGES):
            found.setdefault(path.parent.relative_to(below).as_posix(), []).append(file)
    return {folder: sorted(group, key=by_number) for folder, group in found.items()}


def _pairing(split: str, folder: str, part: str, frames: list[str], others: Mapping[str, list[str]]) -> str:
    """Why the files of one sequence are no pairs; empty where they are, one of each kind a frame."""
    for other, group in others.items():
        here, there = f"{split}_{other}/{folder}".removesuffix("/."), f"{split}_{part}/{folder}".removesuffix("/.")
        if len(group) != len(frames):
            return f"{here} has {len(group)} files, {there} has {len(frames)} frames: each frame needs one"
        names, wanted = set(map(_frame_name, group)), set(map(_frame_name, frames))
        if names & wanted and names != wanted:
            return f"{here} and {there}: only one of them has {min(names ^ wanted)}, though they share other names"
    return ""


def _frame_name(file: str) -> str:
    return PurePosixPath(file).stem.removesuffix("_keypoints")


def _beside(split: str, part: str, other: str, frames: Sequences, files: Mapping[str, int]) -> Finding:
    found = _sequences(list(files), split, other)
    problems = [_pairing(split, folder, part, frames.get(folder, []), {other: found.get(folder, [])}) for folder in {**frames, **found}]
    wrong = (*_empty(found, files), *filter(None, problems))
    return Finding(f"{split}_{other}: files", sum(map(len, found.values())), sum(map(len, frames.values())), wrong)


def _empty(sequences: Sequences, files: Mapping[str, int]) -> list[str]:
    return [sentence for group in sequences.values() for sentence in image_files.empty(group, files)]


def _frames(item: Item, root: Path) -> Iterator[SourceFrame]:
    count = item.parameters["num_frames"]
    palette = palettes.from_attributes(item.parameters["palette"]) if item.parameters["palette"] else None
    for t, rgb in enumerate(image_files.sequence(root, item.files[:count])):
        files = dict(zip(item.parameters["truth"], item.files[count + t :: count], strict=True))
        yield SourceFrame(rgb, **_truth(files, root, rgb.shape, palette))  # type: ignore[arg-type]  # it has dicts, too


def _truth(files: Mapping[str, str], root: Path, shape: tuple[int, ...], palette: Palette | None) -> dict[str, np.ndarray]:
    """Of a frame, by the names that SourceFrame has for it; `files` by the ending of their folder."""
    found: dict[str, np.ndarray] = {}
    if palette is not None:
        found["label"] = palette.store_labels(image_files.label_ids(root / files["A"], shape), files["A"])
    if "inst" in files:
        found["instance"] = _instances(image_files.label_ids(root / files["inst"], shape), found["label"])
    if "keypoints" in files:
        found["landmarks"] = pose_formats.read_landmarks(root / files["keypoints"])
    if "openpose" in files:
        found["keypoints"] = pose_formats.read_openpose(root / files["openpose"])
    if "densepose" in files:
        found["iuv"] = pose_formats.read_iuv(root / files["densepose"])
        if found["iuv"].shape != shape:
            sizes = [f"{width}x{height}" for height, width, _ in (found["iuv"].shape, shape)]
            raise InputError(f"{root / files['densepose']}: is {sizes[0]}, its frame {sizes[1]}")
    return found


def _instances(ids: UInt8[np.ndarray, "h w"], label: UInt8[np.ndarray, "h w"]) -> UInt16[np.ndarray, "h w"]:
    """What has no label is no object."""
    return np.where((ids == NO_OBJECT) | (label == VOID), 0, ids.astype(np.uint16) + 1).astype(np.uint16)
