"""Frames with a true label: which the segmentation model sees, which it is judged by on the way, and which are for testing."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from pipeline import arrays, layout, manifest, palettes, params
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


@dataclass(frozen=True)
class TrainingFrames:
    """Labelled frames of the training clips."""

    seen: list[LabelledFrame]
    """What a model learns from: every `label_every`-th frame of a sequence, where it has a label and the sequence is not held out."""
    held_out: list[LabelledFrame]
    """What tells while it trains how well it does: others, evenly spread."""


def training_frames(clips: Path, p: params.SegmentationModel) -> TrainingFrames:
    """Sequences are held out whole where no frame is left over between those that are seen."""
    labelled = labelled_frames(clips, "train")
    seen = [frame for frame in labelled if frame.number % p.label_every == 0]
    if p.validation.every is None:
        return TrainingFrames(seen, [])
    if between := [frame for frame in labelled if frame.number % p.label_every]:
        return TrainingFrames(seen, _spread(between, p.validation.frames))
    aside = _set_aside({frame.sequence for frame in seen}, p.validation.share)
    held_out = [frame for frame in seen if frame.sequence in aside]
    return TrainingFrames([frame for frame in seen if frame.sequence not in aside], _spread(held_out, p.validation.frames))


def _set_aside(sequences: set[str], share: float) -> set[str]:
    """By a hash of their names, so that it does not depend on how they are sorted. None of so few that one would be twice the share."""
    by_hash = sorted(sequences, key=lambda name: sha256(name.encode()).digest())
    return set(by_hash[: min(round(share * len(by_hash)), len(by_hash) - 1)])


def _spread(frames: list[LabelledFrame], most: int) -> list[LabelledFrame]:
    count = min(len(frames), most)
    return [frames[(2 * number + 1) * len(frames) // (2 * count)] for number in range(count)]


def labelled_frames(clips: Path, split: str) -> list[LabelledFrame]:
    """All frames of a split's clips that have a true label, in the order of the clips."""
    found = []
    for row in manifest.clips(clips, split).to_dict("records"):
        folder = clips / row["clip"]
        if layout.arrays(folder, "segmentation").is_file():
            times = arrays.reading(layout.arrays(folder, "segmentation")).attributes["labelled_frames"]
            found += [LabelledFrame(folder, t, row["sequence"], row["first_frame"] + t) for t in times]
    return found
