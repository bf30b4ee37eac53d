"""Frames with a true label: which the segmentation model sees, and which are held out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from pipeline import arrays, layout, manifest, palettes
from pipeline.palettes import Palette


@dataclass(frozen=True)
class LabelledFrame:
    folder: Path
    """Of its clip."""
    t: int
    sequence: str
    number: int
    """In its sequence, so that frames of different clips can be near each other."""

    def rgb(self) -> UInt8[np.ndarray, "h w 3"]:
        return arrays.reading(layout.arrays(self.folder, "frames"))["rgb"][self.t]

    def label(self) -> UInt8[np.ndarray, "h w"]:
        return arrays.reading(layout.arrays(self.folder, "segmentation"))["label"][self.t]

    def palette(self) -> Palette:
        return palettes.from_attributes(arrays.reading(layout.arrays(self.folder, "segmentation")).attributes["palette"])


def seen_frames(clips: Path, label_every: int) -> list[LabelledFrame]:
    """What a model may learn from: every `label_every`-th frame of the training sequences, where it has a label."""
    return [frame for frame in labelled_frames(clips, "train") if frame.number % label_every == 0]


def labelled_frames(clips: Path, split: str) -> list[LabelledFrame]:
    """All frames of a split's clips that have a true label, in the order of the clips."""
    found = []
    for row in manifest.clips(clips, split).to_dict("records"):
        folder = clips / row["clip"]
        if layout.arrays(folder, "segmentation").is_file():
            times = arrays.reading(layout.arrays(folder, "segmentation")).attributes["labelled_frames"]
            found += [LabelledFrame(folder, t, row["sequence"], row["first_frame"] + t) for t in times]
    return found
