"""clips with some true labels -> segmentation_model: a DeepLabV3 trained on them, and how well it labels the test clips.

It sees every `label_every`-th frame of the training clips; all other labels are held out. Stopped anywhere and started
again, it goes on from its last saved state with the batches it would have seen.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import nn
from torch.nn import functional as F

from pipeline import arrays, deeplabv3, layout, manifest, palettes, params, progress
from pipeline.checkpoint import replace_at_once
from pipeline.deeplabv3 import Segmenter
from pipeline.errors import InputError
from pipeline.metrics.segmentation import confusion, iou, mean_iou
from pipeline.palettes import VOID, Palette

SAVE_EVERY = 20
"""Steps between two saved states: what a kill can cost."""

STATISTICS_BATCHES = 200
"""Over at most so many batches the batch-norm statistics are taken anew."""


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


def run(
    clips: Path, out: Path, work: Path, p: params.SegmentationModel, labelling: params.Segmentation, dataset_name: str, device: str
) -> None:
    """`labelling` says whether this data set needs a model of its own at all."""
    if labelling.backend != "deeplabv3" or labelling.weights_from != dataset_name:
        _write_scores(out, {"used": False})
        return
    frames = labelled_frames(clips, "train")
    seen, held_out = [f for f in frames if f.number % p.label_every == 0], labelled_frames(clips, "test")
    segmenter = _given(p.weights, held_out or seen, device) if p.weights else _trained(seen, work, p, dataset_name, device)
    segmenter.save(layout.segmentation_checkpoint(out))
    _write_scores(out, {"used": True, "seen_frames": len(seen), "held_out_frames": len(held_out), **_scores(segmenter, seen, held_out)})


def labelled_frames(clips: Path, split: str) -> list[LabelledFrame]:
    """All frames of a split's clips that have a true label, in the order of the clips."""
    found = []
    for row in manifest.clips(clips, split).to_dict("records"):
        folder = clips / row["clip"]
        if layout.arrays(folder, "segmentation").is_file():
            times = arrays.reading(layout.arrays(folder, "segmentation")).attributes["labelled_frames"]
            found += [LabelledFrame(folder, t, row["sequence"], row["first_frame"] + t) for t in times]
    return found


def _given(weights: str, labelled: list[LabelledFrame], device: str) -> Segmenter:
    segmenter = Segmenter.load(Path(weights), device)
    if labelled and (palette := _palette_of(labelled[0])) != segmenter.palette:
        raise InputError(f"segmentation_model.weights: {weights} has palette {segmenter.palette.name}, the clips' labels {palette.name}")
    return segmenter


def _trained(seen: list[LabelledFrame], work: Path, p: params.SegmentationModel, dataset_name: str, device: str) -> Segmenter:
    if not seen:
        raise InputError(
            f"{dataset_name}: no training frame has a label to learn from: set datasets.{dataset_name}.segmentation.weights_from "
            f"to a data set that has labels, or segmentation_model.weights to a checkpoint (label_every is {p.label_every})"
        )
    torch.manual_seed(p.seed)
    segmenter = Segmenter.untrained(p.architecture, _palette_of(seen[0]), p.enlarge, device)
    train(segmenter, seen, layout.training_state(work), p)
    settle_statistics(segmenter, seen, p.batch_size)
    return segmenter


def train(segmenter: Segmenter, seen: list[LabelledFrame], state_file: Path, p: params.SegmentationModel) -> None:
    network = segmenter.network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=p.learning_rate, momentum=0.9, weight_decay=1e-4)
    first = _resume(state_file, network, optimizer) + 1
    for step in progress.track(range(first, p.steps + 1), "segmentation_model", p.steps - first + 1):
        random = _random(p.seed, step)
        rgb, label = batch(seen, p, random)
        optimizer.param_groups[0]["lr"] = p.learning_rate * (1 - (step - 1) / p.steps) ** p.power

        logits = segmenter.logits(rgb)
        loss = F.cross_entropy(logits, segmenter.channels_of(label).to(logits.device), ignore_index=VOID)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

        if step % SAVE_EVERY == 0 or step == p.steps:
            replace_at_once(state_file, {"step": step, "network": network.state_dict(), "optimizer": optimizer.state_dict()})


def _resume(state_file: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """The last finished step."""
    if not state_file.is_file():
        return 0
    saved = torch.load(state_file, map_location="cpu", weights_only=True)
    network.load_state_dict(saved["network"])
    optimizer.load_state_dict(saved["optimizer"])
    step: int = saved["step"]
    return step


def _random(seed: int, step: int) -> np.random.Generator:
    """What a step draws depends on nothing else; dropout included."""
    random = np.random.Generator(np.random.Philox(key=[seed, step]))
    torch.manual_seed(int(random.integers(2**62)))
    return random


def batch(
    seen: list[LabelledFrame], p: params.SegmentationModel, random: np.random.Generator
) -> tuple[UInt8[np.ndarray, "b h w 3"], UInt8[np.ndarray, "b h w"]]:
    """Frames drawn without repetition while they last, each changed by chance."""
    chosen = random.choice(len(seen), p.batch_size, replace=len(seen) < p.batch_size)
    parts = [varied(seen[i].rgb(), seen[i].label(), p.scale_range, random) for i in chosen]
    return np.stack([rgb for rgb, _ in parts]), np.stack([label for _, label in parts])


def varied(
    rgb: UInt8[np.ndarray, "h w 3"], label: UInt8[np.ndarray, "h w"], scale_range: list[float], random: np.random.Generator
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"]]:
    """Scaled, then cropped or padded to the size it had, and mirrored half of the time."""
    height, width = label.shape
    scale = math.exp(random.uniform(*np.log(scale_range)))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    rgb, label = cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR), cv2.resize(label, size, interpolation=cv2.INTER_NEAREST)
    below, right = max(height - size[1], 0), max(width - size[0], 0)
    rgb = cv2.copyMakeBorder(rgb, 0, below, 0, right, cv2.BORDER_CONSTANT, value=deeplabv3.MEAN)
    label = cv2.copyMakeBorder(label, 0, below, 0, right, cv2.BORDER_CONSTANT, value=VOID)
    top, left = random.integers(label.shape[0] - height + 1), random.integers(label.shape[1] - width + 1)
    rgb, label = rgb[top : top + height, left : left + width], label[top : top + height, left : left + width]
    return (rgb[:, ::-1], label[:, ::-1]) if random.random() < 0.5 else (rgb, label)


@torch.no_grad()
def settle_statistics(segmenter: Segmenter, seen: list[LabelledFrame], batch_size: int) -> None:
    """Takes the running batch-norm statistics anew, as plain means over the seen frames.

    Those of a short training lag behind its weights: without this the same network can score an eighth.
    """
    network = segmenter.network.eval()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
        norm.train()
    num_batches = min(math.ceil(len(seen) / batch_size), STATISTICS_BATCHES)
    spread = np.linspace(0, len(seen), batch_size * num_batches, endpoint=False).astype(int).reshape(batch_size, num_batches)
    for chosen in spread.T:  # frames far from each other, and as many as in training
        segmenter.logits(np.stack([seen[i].rgb() for i in chosen]))
    network.eval()


def _scores(segmenter: Segmenter, seen: list[LabelledFrame], held_out: list[LabelledFrame]) -> dict[str, Any]:
    """Of the held-out frames; empty where there are none."""
    if not held_out:
        return {}
    palette, names = segmenter.palette, segmenter.palette.names()
    counts = _compared(held_out, palette, lambda frame: segmenter.predict(frame.rgb()[None])[0])
    return {
        "miou": _rounded(mean_iou(counts)),
        "iou": {names[id_]: _rounded(value) for id_, value in enumerate(iou(counts).tolist()) if not math.isnan(value)},
        "baselines": {
            "copy_nearest_label": copy_nearest_label(seen, held_out, palette),
            "most_frequent_class": most_frequent_class(seen, held_out, palette),
        },
    }


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
    pixels = np.sum([np.bincount(frame.label().ravel(), minlength=256) for frame in seen], axis=0)
    frequent = np.uint8(np.argmax(pixels[: palette.num_labels]))
    return _rounded(mean_iou(_compared(held_out, palette, lambda frame: np.full_like(frame.label(), frequent))))


def _compared(frames: list[LabelledFrame], palette: Palette, label_of: Callable[[LabelledFrame], np.ndarray]) -> np.ndarray:
    """Confusion matrix of all frames together."""
    counts: np.ndarray = np.sum([confusion(frame.label(), label_of(frame), palette.num_labels) for frame in frames], axis=0)
    return counts


def _palette_of(frame: LabelledFrame) -> Palette:
    return palettes.from_attributes(arrays.reading(layout.arrays(frame.folder, "segmentation")).attributes["palette"])


def _rounded(value: float) -> float | None:
    """Six digits are more than rounding errors move."""
    return None if math.isnan(value) else round(value, 6)


def _write_scores(out: Path, scores: dict[str, Any]) -> None:
    layout.scores(out).write_text(json.dumps(scores, indent=1) + "\n")
