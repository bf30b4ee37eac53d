"""Files in which people keep poses and landmarks: OpenPose's JSON, DensePose's images, COCO's annotations, 68 landmarks as text."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from pipeline.errors import InputError, is_machine_fault, one_line
from pipeline.pose_points import BODY, COCO_BODY, COCO_FEET, FACE, LEFT_HAND, PARTS, POINTS, RIGHT_HAND, person
from pipeline.sources import image_files

OPENPOSE = {"pose": BODY, "face": FACE, "hand_left": LEFT_HAND, "hand_right": RIGHT_HAND}
"""By the first part of their names in its JSON, which go on `_keypoints_2d`."""

WHOLE_BODY = {"foot": COCO_FEET, "face": range(25, 93), "lefthand": range(95, 116), "righthand": range(116, 137)}
"""By the first part of their names in COCO-WholeBody, which go on `_kpts`."""


def read_openpose(path: Path) -> Float32[np.ndarray, "person 137 3"]:
    """JSON of version 1.3 with BODY_25; without face or hands, their points are not found."""
    try:
        written = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        if is_machine_fault(error):
            raise
        raise InputError(f"{path}: is no readable JSON ({one_line(error)})") from None
    people = written.get("people") if isinstance(written, dict) else None
    if not isinstance(people, list) or not all(isinstance(someone, dict) for someone in people):
        raise InputError(f"{path}: has no list `people` as OpenPose writes it")
    return np.stack([_openpose_person(someone, path) for someone in people]) if people else np.zeros((0, POINTS, 3), np.float32)


def _openpose_person(written: Mapping[str, Any], path: Path) -> Float32[np.ndarray, "137 3"]:
    keypoints = np.zeros((POINTS, 3), np.float32)
    for name, where in OPENPOSE.items():
        numbers, count = written.get(f"{name}_keypoints_2d", None if name == "pose" else []), 3 * (where.stop - where.start)
        if not isinstance(numbers, list) or len(numbers) not in (0, count):
            found = len(numbers) if isinstance(numbers, list) else "no list of"
            raise InputError(f"{path}: {name}_keypoints_2d has {found} numbers, {count} are right (x, y, score; of the body: BODY_25)")
        keypoints[where] = _numbers(numbers, path).reshape(-1, 3) if numbers else 0
    keypoints[keypoints[:, 2] <= 0] = 0
    return keypoints


def _numbers(written: list[Any], path: Path) -> Float32[np.ndarray, " n"]:
    if not all(isinstance(number, int | float) for number in written) or not np.isfinite(numbers := np.array(written, np.float32)).all():
        raise InputError(f"{path}: something else than numbers stands among its points")
    return numbers


def write_openpose(path: Path, keypoints: Float32[np.ndarray, "person 137 3"]) -> None:
    """A group without any point is an empty list. Numbers have as many digits as give the same float32 again."""
    people = []
    for points in keypoints:
        groups = {f"{name}_keypoints_2d": _digits(points[where]) if points[where].any() else [] for name, where in OPENPOSE.items()}
        people.append({"person_id": [-1], **groups, **{f"{name}_keypoints_3d": [] for name in OPENPOSE}})
    path.write_text(json.dumps({"version": 1.3, "people": people}, separators=(",", ":")))


def _digits(points: Float32[np.ndarray, "n 3"]) -> list[float]:
    return [float(str(number)) for number in points.ravel()]


def read_iuv(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """DensePose's image, whose blue is the part 0..24, green U and red V -> part, U, V."""
    mode, rgb = image_files.read(path, lambda image: (image.mode, np.asarray(image)))
    if mode != "RGB":
        raise InputError(
            f"{path}: a DensePose image has three channels of 8 bits (part, U, V as blue, green, red), this one has mode {mode}"
        )
    if rgb[..., 2].max() > PARTS:
        raise InputError(f"{path}: its blue channel has {rgb[..., 2].max()}; DensePose's parts are 0..{PARTS} (and no JPEG keeps them)")
    return np.ascontiguousarray(rgb[..., ::-1])


def write_iuv(path: Path, iuv: UInt8[np.ndarray, "h w 3"]) -> None:
    Image.fromarray(np.ascontiguousarray(iuv[..., ::-1])).save(path)


def read_inds(path: Path) -> UInt8[np.ndarray, "h w"]:
    """DensePose's other image: the number of each pixel's person, 0 = nobody."""
    mode, person_number = image_files.read(path, lambda image: (image.mode, np.asarray(image)))
    if mode != "L":
        raise InputError(f"{path}: an image of DensePose's people has one channel of 8 bits, this one has mode {mode}")
    return person_number


def write_inds(path: Path, person_number: UInt8[np.ndarray, "h w"]) -> None:
    Image.fromarray(person_number).save(path)


def read_landmarks(path: Path) -> Float32[np.ndarray, "68 2"]:
    """A line `x,y` for each of 68 points of a face; `nan,nan` where one was not found."""
    try:
        points = np.loadtxt(path, np.float32, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        if is_machine_fault(error):
            raise
        raise InputError(f"{path}: its lines are no `x,y` ({one_line(error)})") from None
    if points.shape != (68, 2):
        raise InputError(f"{path}: has {points.shape[0]} lines of {points.shape[1]} numbers; a face has 68 lines `x,y`")
    return points


def read_coco(path: Path) -> dict[str, list[Float32[np.ndarray, "137 3"]]]:
    """By the name of the image, its people: COCO's 17 points, and COCO-WholeBody's feet, face and hands where they stand there."""
    try:
        written = json.loads(path.read_text())
        names = {image["id"]: image["file_name"] for image in written["images"]}
        people: dict[str, list[np.ndarray]] = {name: [] for name in names.values()}
        for annotation in written["annotations"]:
            people[names[annotation["image_id"]]].append(from_coco(annotation))
    except (OSError, ValueError, LookupError, TypeError) as error:
        if is_machine_fault(error):
            raise
        raise InputError(f"{path}: is no file of COCO's people ({one_line(error)})") from None
    return people


def from_coco(annotation: Mapping[str, Any]) -> Float32[np.ndarray, "137 3"]:
    """Its visibility 0, 1 (hidden), 2 becomes a score of 0, 0.5, 1."""
    found = {"keypoints": COCO_BODY, **{f"{name}_kpts": tuple(places) for name, places in WHOLE_BODY.items()}}
    there = {name: places for name, places in found.items() if name in annotation}
    points = np.concatenate([np.float32(annotation[name]).reshape(-1, 3) for name in there])
    return person(points * np.array([1, 1, 0.5], np.float32), tuple(place for places in there.values() for place in places))


def to_coco(keypoints: Float32[np.ndarray, "137 3"]) -> dict[str, list[float]]:
    """The points of an annotation, those of COCO-WholeBody with them. What COCO does not have (neck, hips' middle, pupils) is left out."""
    groups = {"keypoints": COCO_BODY, **{f"{name}_kpts": tuple(places) for name, places in WHOLE_BODY.items()}}
    return {name: _digits(keypoints[list(places)] * np.array([1, 1, 2], np.float32)) for name, places in groups.items()}
