"""Points of a face by MediaPipe's face mesh, run by OpenCV: 68 of its 468, as the table face_mesh.csv chooses them."""

import csv
from dataclasses import dataclass
from math import atan2, cos, sin
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from pipeline.errors import InputError
from pipeline.faces import Face

TABLE = Path(__file__).with_suffix(".csv")

SIDE = 192
"""Pixels of the upright square that the network sees."""

ENLARGE = 1.5
"""Side of that square, in the longer side of what it shows of a face."""

EYES = (33, 263)
"""The outer corners, left and right in the picture."""

OUTPUTS = ("conv2d_21", "conv2d_31")
"""468 points (x, y, depth), in pixels of the square, whose first pixel goes from 0 to 1; and a number above 0 if it shows a face."""


@dataclass(frozen=True)
class Square:
    """Centre, side in pixels, and radians by which it is turned clockwise."""

    x: float
    y: float
    side: float
    roll: float

    def from_picture(self) -> Float32[np.ndarray, "2 3"]:
        """The affine map from pixels of the picture to those of the network's square."""
        scale = SIDE / self.side
        c, s = scale * cos(self.roll), scale * sin(self.roll)
        middle = (SIDE - 1) / 2
        return np.array([[c, s, middle - c * self.x - s * self.y], [-s, c, middle + s * self.x - c * self.y]], np.float32)


class FaceMesh:
    def __init__(self, weights: Path) -> None:
        """InputError for a file that holds no such network."""
        try:
            self._network = cv2.dnn.readNetFromTFLite(str(weights))
            found = set(self._network.getUnconnectedOutLayersNames())
        except cv2.error:
            found = set()
        if found != set(OUTPUTS):
            raise InputError(f"{weights}: holds no face mesh of MediaPipe's (.tflite, 468 points) that this OpenCV can read")
        with TABLE.open(newline="") as file:
            self._chosen = [int(row["mesh"]) for row in csv.DictReader(file)]

    def landmarks(self, rgb: UInt8[np.ndarray, "h w 3"], face: Face) -> Float32[np.ndarray, "68 2"] | None:
        """(x, y) in pixels, also outside the picture; None where the network sees no face.

        Looks twice: what the first look finds centres the second one, whose points depend less on where a detector saw the face.
        """
        first = self._points(rgb, around(face))
        second = None if first is None else self._points(rgb, around_points(first))
        return None if second is None else second[self._chosen]

    def _points(self, rgb: UInt8[np.ndarray, "h w 3"], square: Square) -> Float32[np.ndarray, "468 2"] | None:
        there = square.from_picture()
        seen = cv2.warpAffine(rgb, there, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
        self._network.setInput(cv2.dnn.blobFromImage(seen, 1 / 255))
        points, sure = self._network.forward(OUTPUTS)
        if sure.item() <= 0:
            return None
        back = cv2.invertAffineTransform(there).astype(np.float32)
        moved: np.ndarray = (points.reshape(468, 3)[:, :2] - 0.5) @ back[:, :2].T + back[:, 2]
        return moved.astype(np.float32)


def around(face: Face) -> Square:
    side = ENLARGE * max(face.right - face.left, face.bottom - face.top)
    return Square((face.left + face.right) / 2, (face.top + face.bottom) / 2, side, face.roll)


def around_points(points: Float32[np.ndarray, "468 2"]) -> Square:
    """Upright to the eyes, centred on the bounds of all points."""
    right, down = points[EYES[1]] - points[EYES[0]]
    roll = atan2(down, right)
    turned = np.array([[cos(roll), sin(roll)], [-sin(roll), cos(roll)]])  # into axes along the eyes and across
    upright = points @ turned.T
    low, high = upright.min(axis=0), upright.max(axis=0)
    x, y = (low + high) / 2 @ turned
    return Square(float(x), float(y), ENLARGE * float(max(high - low)), roll)
