"""Where a dancer's face is in a frame, by the stored pose of the main person: what the face discriminator looks at."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, UInt8

from pipeline import arrays
from pipeline.pose_map import LEAST_FACE_SCORE, LEAST_SCORE
from pipeline.pose_points import EARS, EYES, FACE, HEAD_PARTS, NOSE

MAIN_PERSON = 0


def face_centres(pose: arrays.Clip, frames: Sequence[int]) -> Float[np.ndarray, "t 2"]:
    """(x, y) in pixels of these frames of a clip; NaN where no face is seen, also where the pose is another frame's, carried over a gap."""
    carried = pose.attributes.get("carried", [])
    found = {t: np.full(2, np.nan) if t in carried else _centre(pose, t) for t in set(frames)}
    return np.stack([found[t] for t in frames])


def head_points(keypoints: Float32[np.ndarray, "137 3"]) -> Float[np.ndarray, "n 2"]:
    """Of one person: the points of head and face that are sure enough to be drawn."""
    head, face = keypoints[[NOSE, *EYES, *EARS]], keypoints[FACE]
    return np.concatenate([head[head[:, 2] > LEAST_SCORE, :2], face[face[:, 2] > LEAST_FACE_SCORE, :2]]).astype(np.float64)


def head_surface(iuv: UInt8[np.ndarray, "h w 3"], person: UInt8[np.ndarray, "h w"]) -> Float[np.ndarray, "n 2"]:
    """The main person's pixels of the head, seen from wherever."""
    rows, columns = np.nonzero(np.isin(iuv[..., 0], HEAD_PARTS) & (person == MAIN_PERSON + 1))
    return np.stack([columns, rows], axis=-1).astype(np.float64)


def _centre(pose: arrays.Clip, t: int) -> Float[np.ndarray, " 2"]:
    """The middle of all points; where none was found, of the surface."""
    seen = head_points(pose["keypoints"][t][MAIN_PERSON]) if "keypoints" in pose else np.zeros((0, 2))
    if not len(seen) and "iuv" in pose:
        seen = head_surface(pose["iuv"][t], pose["person"][t])
    return (seen.min(axis=0) + seen.max(axis=0)) / 2 if len(seen) else np.full(2, np.nan)
