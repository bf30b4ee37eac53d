"""68 landmarks of a face -> its map of 15 channels, as vid2vid's: the sketch, and the distance to each of its 14 lines.

Distances are in pixels at any size, as in the reference, whose frames are 512 pixels wide: of smaller frames they reach over a larger
part.
"""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

CONTOUR = (*range(17), *range(82, 67, -1), 0)
"""Jaw and forehead, around the face."""

LINES = (
    CONTOUR,
    *((17, 18, 19, 20, 21), (22, 23, 24, 25, 26)),
    *((28, 31), (31, 32, 33, 34, 35), (35, 28)),
    *((36, 37, 38, 39), (39, 40, 41, 36), (42, 43, 44, 45), (45, 46, 47, 42)),
    *((48, 49, 50, 51, 52, 53, 54), (54, 55, 56, 57, 58, 59, 48)),
    *((60, 61, 62, 63, 64), (64, 65, 66, 67, 60)),
)
"""Contour, brows, nose, eyes, mouth, its opening: one distance map each. Points 68 to 82 are the forehead's."""

CHANNELS = 1 + len(LINES)

MIRRORED = (0, 1, 3, 2, 6, 5, 4, 9, 10, 7, 8, 11, 12, 13, 14)
"""The channels in the order of a mirrored face: brows, sides of the nose and eyes change places."""

FOREHEAD = 2 / 3
"""Height of the forehead over the line between the jaw's ends, in depths of the jaw below it."""

GRADIENTS = (100.0, 200.0)
"""Canny's, of the picture around the face; as in the back-end `canny`."""

FOLDED = 0.1
"""A curve's middle point is at least so far from both its ends, in lengths from end to end: nearer, a parabola would run away."""

FAR = 1e4
"""Pixels: lines are drawn up to here."""


def draw(rgb: UInt8[np.ndarray, "h w 3"], landmarks: Float[np.ndarray, "68 2"]) -> UInt8[np.ndarray, "h w 15"]:
    """First the sketch: 255 on a line of the face, or of the picture around it. Then min(255, distance / 3) to each line, rounded down."""
    points = np.concatenate([landmarks, forehead(landmarks)])
    lines = [curve(points[list(line)]) for line in LINES]
    channels = [surroundings(rgb, lines[0])]
    for line in lines:
        cv2.polylines(channels[0], [line], False, 255)
        channels.append(distance(line, *rgb.shape[:2]))
    return np.stack(channels, axis=-1)


def forehead(landmarks: Float[np.ndarray, "68 2"]) -> Float[np.ndarray, "15 2"]:
    """Points 1 to 15 of the jaw, mirrored about the line between its ends, at two thirds of their distance.

    About that line as it lies: so a tilted head has its forehead where the upright one has it.
    """
    first, last = landmarks[0], landmarks[16]
    along = (last - first) / max(float(np.linalg.norm(last - first)), 1e-6)
    across = np.array([-along[1], along[0]])
    depth = (landmarks[1:16] - first) @ across
    mirrored: np.ndarray = landmarks[1:16] - (1 + FOREHEAD) * depth[:, None] * across
    return mirrored


def curve(points: Float[np.ndarray, "n 2"]) -> np.ndarray:
    """Whole pixels (int32 m 1 2, for cv2.polylines) along parabolas through the first three points, the third to the fifth, and so on."""
    pieces = [piece(points[first : first + 3]) for first in range(0, len(points) - 1, 2)]
    return np.rint(np.concatenate(pieces).clip(-FAR, FAR)).astype(np.int32)[:, None]


def piece(points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "m 2"]:
    """A parabola y(x) through three points, one place a pixel; x(y) where they lie steeply; straight lines where they fold back."""
    extent = np.abs(points[-1] - points[0])
    axis = int(extent[1] > extent[0])  # 0: y over x
    over, values = points[:, axis], points[:, 1 - axis]
    length = over[-1] - over[0]
    if len(points) < 3 or not FOLDED * abs(length) < (over[1] - over[0]) * np.sign(length) < (1 - FOLDED) * abs(length):
        return points
    at = np.linspace(over[0], over[-1], 1 + min(int(np.ceil(abs(length))), int(FAR)))
    fitted = np.polyval(np.polyfit(over - over[0], values, 2), at - over[0])
    return np.stack([at, fitted] if axis == 0 else [fitted, at], axis=-1)


def distance(line: np.ndarray, height: int, width: int) -> UInt8[np.ndarray, "h w"]:
    """A third of each pixel's L1 distance to the line, at most 255; 255 everywhere where the picture does not show it."""
    away = np.full((height, width), 255, np.uint8)
    cv2.polylines(away, [line], False, 0)
    if away.all():
        return away
    pixels = cv2.distanceTransform(away, cv2.DIST_L1, 3)
    return np.minimum(pixels / 3, 255).astype(np.uint8)


def surroundings(rgb: UInt8[np.ndarray, "h w 3"], contour: np.ndarray) -> UInt8[np.ndarray, "h w"]:
    """Canny's edges of the picture, without those of the face."""
    edges = cv2.Canny(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), *GRADIENTS)
    cv2.fillPoly(edges, [contour], 0)
    return edges
