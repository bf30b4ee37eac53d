"""DensePose's surfaces and OpenPose's keypoints of the same people, as in the paper: matched by the points that lie in a surface."""

from typing import Literal

import numpy as np
from jaxtyping import UInt8

from pipeline.extractors.pose import Person, Poses, densepose, openpose
from pipeline.params import Fraction, Pixels
from pipeline.people import joined


def build(
    weights: str,
    folder_weights: str,
    device: str,
    network: Literal["R_50_FPN_s1x", "R_101_FPN_s1x", "R_50_FPN_DL_s1x", "R_101_FPN_DL_s1x"] = "R_50_FPN_s1x",
    min_score: Fraction = 0.7,
    shortest_side: Pixels = 800,
    net_resolution: str = "-1x368",
    face: bool = True,
    hands: bool = True,
) -> Poses:
    """The options of both."""
    surfaces = densepose.build(weights, device, network, min_score, shortest_side)
    skeletons = openpose.build(folder_weights, net_resolution, face, hands)

    def find(rgb: UInt8[np.ndarray, "b h w 3"], frames: range) -> list[list[Person]]:
        return [joined(points, parts) for points, parts in zip(skeletons.find(rgb, frames), surfaces.find(rgb, frames), strict=True)]

    return Poses(find, keypoints=True, surface=True)
