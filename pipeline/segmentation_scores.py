"""segmentation, true labels -> metrics.json: how well the labels of the test clips meet the true ones that were held out."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import arrays, layout, params
from pipeline.errors import InputError
from pipeline.labelled_frames import LabelledFrame, labelled_frames, training_frames
from pipeline.metrics.segmentation import confusion, iou, mean_iou
from pipeline.palettes import Palette, from_attributes


def run(
    clips: Path, segmentation: Path | None, out: Path, p: params.SegmentationModel, labelling: params.Segmentation, own_model: bool
) -> None:
    """Nothing to score where labels were given or no test frame has a true one: `used` is false then."""
    held_out = labelled_frames(clips, "test")
    scores: dict[str, Any] = {"used": False}
    if held_out and segmentation and labelling.backend != "given":
        seen = training_frames(clips, p).seen if own_model else []
        scores = {"used": True, "seen_frames": len(seen), "held_out_frames": len(held_out), **_scores(segmentation, seen, held_out)}
    layout.scores(out).write_text(json.dumps(scores, indent=1) + "\n")


def _scores(segmentation: Path, seen: list[LabelledFrame], held_out: list[LabelledFrame]) -> dict[str, Any]:
    palette, names = held_out[0].palette(), held_out[0].palette().names()
    _require_equal(palette, segmentation / held_out[0].folder.name)

    def stored(frame: LabelledFrame) -> np.ndarray:
        return arrays.reading(layout.arrays(segmentation / frame.folder.name, "segmentation"))["label"][frame.t]

    counts = _compared(held_out, palette, stored)
    return {
        "miou": _rounded(mean_iou(counts)),
        "iou": {names[id_]: _rounded(value) for id_, value in enumerate(iou(counts).tolist()) if not math.isnan(value)},
        "baselines": {
            "copy_nearest_label": copy_nearest_label(seen, held_out, palette),
            "most_frequent_class": most_frequent_class(seen, held_out, palette),
        },
    }


def _require_equal(palette: Palette, labelled: Path) -> None:
    """Ids of different palettes cannot be compared."""
    found = from_attributes(arrays.reading(layout.arrays(labelled, "segmentation")).attributes["palette"])
    if found != palette:
        raise InputError(
            f"{labelled}: was labelled in palette {found.name}, its true labels are in {palette.name}: take labels of one palette "
            "(source.palette, segmentation.weights_from)"
        )


def copy_nearest_label(seen: list[LabelledFrame], held_out: list[LabelledFrame], palette: Palette) -> float | None:
    """mIoU of the label of the nearest seen frame of the same sequence; None where a sequence has no seen frame."""
    if not {frame.sequence for frame in held_out} <= {frame.sequence for frame in seen}:
        return None

    def copied(frame: LabelledFrame) -> np.ndarray:
        near = [other for other in seen if other.sequence == frame.sequence]
        return min(near, key=lambda other: abs(other.number - frame.number)).label()

    return _rounded(mean_iou(_compared(held_out, palette, copied)))


def most_frequent_class(seen: list[LabelledFrame], held_out: list[LabelledFrame], palette: Palette) -> float | None:
    """mIoU of one label everywhere: the most frequent one of the seen frames."""
    if not seen:
        return None
    pixels = np.sum([np.bincount(palette.learned_labels(frame.label()).ravel(), minlength=256) for frame in seen], axis=0)
    frequent = np.uint8(np.argmax(pixels[: palette.num_labels]))
    return _rounded(mean_iou(_compared(held_out, palette, lambda frame: np.full_like(frame.label(), frequent))))


def _compared(frames: list[LabelledFrame], palette: Palette, label_of: Callable[[LabelledFrame], np.ndarray]) -> np.ndarray:
    """Confusion matrix of all frames together; true labels that no model learns count nowhere."""
    truths = ((palette.learned_labels(frame.label()), frame) for frame in frames)
    counts: np.ndarray = np.sum([confusion(truth, label_of(frame), palette.num_labels) for truth, frame in truths], axis=0)
    return counts


def _rounded(value: float) -> float | None:
    """Six digits are more than rounding errors move."""
    return None if math.isnan(value) else round(value, 6)
