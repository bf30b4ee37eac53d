"""Connected components of each class of things: what touches is one object."""

import cv2
import numpy as np
from jaxtyping import UInt8

from pipeline.extractors.instances import Find, Found, Thing
from pipeline.palettes import Palette


def build(palette: Palette, min_pixels: int) -> Find:
    def find(rgb: UInt8[np.ndarray, "h w 3"], label: UInt8[np.ndarray, "h w"], t: int) -> Found:
        instance = np.zeros(label.shape, np.uint16)
        things: dict[int, Thing] = {}
        for class_ in palette.things:
            count, components, statistics, _ = cv2.connectedComponentsWithStats((label == class_).astype(np.uint8), connectivity=8)
            large = [n for n in range(1, count) if statistics[n, cv2.CC_STAT_AREA] >= min_pixels]
            numbers = np.zeros(count, np.uint16)
            numbers[large] = np.arange(len(large)) + len(things) + 1
            instance += numbers[components]  # classes do not overlap
            things |= {int(numbers[n]): Thing(class_, 1.0) for n in large}
        return Found(instance, things, linked=False)

    return find
