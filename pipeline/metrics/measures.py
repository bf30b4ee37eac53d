"""The measures and methods of the stage evaluate: their names, and which value is better."""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Measure:
    key: str
    """In metrics.json."""
    label: str
    better: Literal["lower", "higher", "near 1"]
    of_windows: bool = False
    """By a video network's features of the windows of all clips together; the others are means over frames."""

    def cost(self, value: float) -> float:
        """The lower, the better."""
        if self.better == "near 1":
            return abs(math.log(value)) if value > 0 else math.inf
        return value if self.better == "lower" else -value

    def is_better(self, value: float | None, other: float | None) -> bool | None:
        """None where one of the values is missing."""
        return None if value is None or other is None else self.cost(value) < self.cost(other)


MEASURES = (
    Measure("warping_error", "warping error", "lower"),
    Measure("gradient_energy_ratio", "gradient energy", "near 1"),
    Measure("psnr", "PSNR", "higher"),
    Measure("ssim", "SSIM", "higher"),
    Measure("miou", "mIoU", "higher"),
    Measure("video_fid", "video FID", "lower", of_windows=True),
    Measure("kernel_video_distance", "kernel video distance", "lower", of_windows=True),
)

METHODS = {
    "vid2vid": "vid2vid",
    "per_frame": "per frame",
    "copy_first_frame": "copy first frame",
    "mean_colour_per_label": "mean colour per label",
    "real": "real video",
}
"""By their keys in metrics.json, what people read."""

FULL, REAL = "vid2vid", "real"
