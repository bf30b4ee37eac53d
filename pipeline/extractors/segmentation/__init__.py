"""Which class each pixel belongs to. A back-end has `build(...) -> Labels`; what a `build` may ask for beside its options:

clips   the clip's folder (frames.zip and the source's truth)
model   the folder of the stage segmentation_model
device  "cpu" or "cuda"
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from pipeline.palettes import Palette


@dataclass(frozen=True)
class Labels:
    palette: Palette
    find: Callable[[UInt8[np.ndarray, "b h w 3"], range], UInt8[np.ndarray, "b h w"]]
    """Frames (RGB) and their numbers in the clip -> label ids of the palette, 255 = void. Equal input gives equal labels."""

    def __call__(self, rgb: UInt8[np.ndarray, "b h w 3"], frames: range) -> UInt8[np.ndarray, "b h w"]:
        return self.find(rgb, frames)
