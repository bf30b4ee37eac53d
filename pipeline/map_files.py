"""Plain files of maps, as people have them -> the array files that the stages write.

A folder has for one video
    labels/                 ids of the palette (images of 8 bits)
    instances/              with labels: ids of things (8 or 16 bits; 0 is none, in 8 bits also 255); may lack: what touches, of one class,
                            is then one thing
    edges/                  lines: 255, all else 0 (8 bits)
    landmarks/              68 points of a face, a line `x,y` each (.txt); its sketch is drawn, with the lines of images/ around the face
    densepose/, openpose/   DensePose's images of part, U and V; OpenPose's .json, of everybody in it
    images/                 frames: needed with landmarks, and where openpose is all that there is, to know the size
or some of them. The n-th file of each belongs to the n-th frame.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8, UInt16

from pipeline import arrays, face_sketch, layout, masks, pose_formats
from pipeline.errors import InputError
from pipeline.maps import MapFolders, MapKind
from pipeline.overlap import ahead, behind
from pipeline.palettes import VOID, Palette
from pipeline.sources import image_files
from pipeline.sources.frames import IMAGES, by_number

NO_OBJECT = 255
"""In instance images of 8 bits, as in `paired`."""

INSTANCE_MODES = ("L", "P", "I;16", "I;16B", "I")

FOLDERS = {
    **dict.fromkeys(("labels", "instances", "edges", "densepose", "images"), IMAGES),
    **{"openpose": (".json",), "landmarks": (".txt",)},
}
"""Endings of the files in each."""

MAPS = tuple(name for name in FOLDERS if name not in ("images", "instances"))


def is_video(folder: Path) -> bool:
    return any((folder / name).is_dir() for name in MAPS)


@dataclass(frozen=True)
class MapFiles:
    """What a folder has of one video."""

    folder: Path
    files: dict[str, list[Path]]
    """By the folder's name; equally many."""

    @classmethod
    def of(cls, folder: Path) -> "MapFiles":
        """InputError where the files of one folder do not fit those of another."""
        files = {name: _files(folder / name, endings) for name, endings in FOLDERS.items() if (folder / name).is_dir()}
        first = next(iter(files))
        for name, found in files.items():
            if len(found) != len(files[first]):
                raise InputError(f"{folder}: {name} has {len(found)} files, {first} {len(files[first])}: each frame needs one of both")
            names, wanted = (set(map(_frame_name, group)) for group in (found, files[first]))
            if names & wanted and names != wanted:
                raise InputError(f"{folder}: of {name} and {first} only one has {min(names ^ wanted)}, though they share other names")
        if "landmarks" in files and "images" not in files:
            raise InputError(f"{folder}: has landmarks and no images: a face's sketch shows what is around the face, too")
        return cls(folder, files)

    def __len__(self) -> int:
        return len(next(iter(self.files.values())))

    @cached_property
    def size(self) -> tuple[int, int]:
        """Height and width, as the first image says."""
        first = next((found[0] for name, found in self.files.items() if FOLDERS[name] == IMAGES), None)
        if first is None:
            raise InputError(f"{self.folder}: nothing there says how large frames are: put the video's own into {self.folder}/images")
        width, height = image_files.read(first, lambda image: image.size, whole=False)
        return height, width

    def kind(self, trained_on: MapKind) -> MapKind:
        """With the labels of the palette that a generator knows."""
        labels = "labels" in self.files
        return MapKind(
            trained_on.palette if labels else None,
            labels and (trained_on.instances or "instances" in self.files),
            face_sketch.CHANNELS * ("landmarks" in self.files) + ("edges" in self.files),
            3 * (("densepose" in self.files) + ("openpose" in self.files)),
        )

    def store(self, out: Path, kind: MapKind, min_pixels: int) -> MapFolders:
        """Reads all, frame by frame, into array files in `out`. Where there are no instance images, things have at least `min_pixels`."""
        height, width = self.size
        about = {"palette": kind.palette.as_attributes()} if kind.palette else {}
        of_modality = {"segmentation": kind.palette, "instances": kind.instances, "edges": kind.edges, "pose": kind.pose}
        modalities = [name for name, there in of_modality.items() if there]
        with ExitStack() as stack:
            append = {}
            for name in modalities:
                attributes = {"height": height, "width": width, **(about if name == "segmentation" else {})}
                append[name] = stack.enter_context(behind(stack.enter_context(arrays.writing(layout.arrays(out, name), attributes)).append))
            for frame in ahead(self._frames(kind, min_pixels)):
                for modality, array, values in frame:
                    append[modality](array, values)
        return MapFolders(**{name: out if name in modalities else None for name in of_modality})

    def _frames(self, kind: MapKind, min_pixels: int) -> Iterator[list[tuple[str, str, np.ndarray]]]:
        """Modality, array and values of each."""
        people = max((len(pose_formats.read_openpose(path)) for path in self.files.get("openpose", [])), default=0)
        for t in range(len(self)):
            files = {name: found[t] for name, found in self.files.items()}
            frame: list[tuple[str, str, np.ndarray]] = []
            if kind.palette:
                label = self._label(files["labels"], kind.palette)
                frame.append(("segmentation", "label", label))
                if kind.instances:
                    frame.append(("instances", "instance", self._instance(files.get("instances"), label, kind.palette, min_pixels)))
            if "edges" in files:
                frame.append(("edges", "edge", self._edge(files["edges"])))
            if "landmarks" in files:
                frame.append(("edges", "edge", self._sketch(files["landmarks"], files["images"])))
            if "densepose" in files:
                frame.append(("pose", "iuv", self._sized(pose_formats.read_iuv(files["densepose"]), files["densepose"])))
            if "openpose" in files:
                frame.append(("pose", "keypoints", _padded(pose_formats.read_openpose(files["openpose"]), max(people, 1))))
            yield frame

    def _label(self, path: Path, palette: Palette) -> UInt8[np.ndarray, "h w"]:
        return palette.store_labels(image_files.label_ids(path, self.size), str(path))

    def _instance(self, path: Path | None, label: UInt8[np.ndarray, "h w"], palette: Palette, min_pixels: int) -> UInt16[np.ndarray, "h w"]:
        """What has no label is no thing."""
        if path is None:
            return masks.components(label, palette.things, min_pixels).instance
        mode, ids = image_files.read(path, lambda image: (image.mode, np.asarray(image)))
        if mode not in INSTANCE_MODES or ids.max() > 65535:
            raise InputError(f"{path}: an instance image has one channel of ids, 8 or 16 bits; this one has mode {mode}")
        nothing = (label == VOID) | ((self._sized(ids, path) == NO_OBJECT) & (mode in ("L", "P")))
        return np.where(nothing, 0, ids).astype(np.uint16)

    def _edge(self, path: Path) -> UInt8[np.ndarray, "h w 1"]:
        edge = image_files.read(path, lambda image: np.asarray(image.convert("L") if image.mode == "1" else image))
        if edge.dtype != np.uint8 or edge.ndim != 2 or not np.isin(edge, (0, 255)).all():
            raise InputError(f"{path}: lines are 255 and all else is 0, in one channel of 8 bits; here is something else")
        return self._sized(edge, path)[..., None]

    def _sketch(self, landmarks: Path, image: Path) -> UInt8[np.ndarray, "h w c"]:
        points = pose_formats.read_landmarks(landmarks)
        if not np.isfinite(points).all():
            raise InputError(f"{landmarks}: has points that were not found (nan); a sketch needs all 68: leave such frames out")
        return face_sketch.draw(self._sized(next(image_files.sequence(image.parent, [image.name])), image), points)

    def _sized(self, values: np.ndarray, path: Path) -> np.ndarray:
        if values.shape[:2] != self.size:
            sizes = [f"{width}x{height}" for height, width in (values.shape[:2], self.size)]
            raise InputError(f"{path}: is {sizes[0]}, the video's first frame {sizes[1]}: all must be equal")
        return values


def _files(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    found = [path for path in folder.iterdir() if path.suffix.lower() in endings]
    if not found:
        raise InputError(f"{folder}: has no files that end in {', '.join(endings)}")
    return sorted(found, key=lambda path: by_number(path.name))


def _frame_name(path: Path) -> str:
    return path.stem.removesuffix("_keypoints")


def _padded(keypoints: Float32[np.ndarray, "person 137 3"], people: int) -> Float32[np.ndarray, "people 137 3"]:
    """People who are not there have a score of 0."""
    return np.pad(keypoints, ((0, people - len(keypoints)), (0, 0), (0, 0)))
