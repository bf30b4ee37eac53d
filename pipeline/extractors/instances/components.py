"""Connected components of each class of things: what touches is one object."""

import numpy as np
from jaxtyping import UInt8

from pipeline.extractors.instances import Find, Found
from pipeline.masks import components
from pipeline.palettes import Palette


def build(palette: Palette, min_pixels: int) -> Find:
    def find(rgb: UInt8[np.ndarray, "b h w 3"], labels: UInt8[np.ndarray, "b h w"], frames: range) -> list[Found]:
        return [components(label, palette.things, min_pixels) for label in labels]

    return find
