"""clips with some true labels -> segmentation_model: a DeepLabV3 trained on them.

It sees every `label_every`-th frame of the training clips. Stopped anywhere and started again, it goes on from its last
saved state with the batches it would have seen.
"""

import math
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline import deeplabv3, layout, params, progress
from pipeline.checkpoint import read_state, replace_at_once
from pipeline.deeplabv3 import Segmenter
from pipeline.errors import InputError
from pipeline.labelled_frames import LabelledFrame, seen_frames
from pipeline.palettes import VOID
from pipeline.weights import path_of

SAVE_EVERY = 20
"""Steps between two saved states: what a kill can cost."""

STATISTICS_BATCHES = 40
"""Over so many batches the batch-norm statistics are taken anew."""


def run(clips: Path, out: Path, work: Path, p: params.SegmentationModel, dataset_name: str, own_model: bool, device: str) -> None:
    """`own_model`: whether this data set needs one at all; otherwise nothing is written."""
    if not own_model:
        return
    seen = seen_frames(clips, p.label_every)
    segmenter = _given(p.weights, seen, device) if p.weights else _trained(seen, work, p, dataset_name, device)
    segmenter.save(layout.segmentation_checkpoint(out))


def _given(weights: str, labelled: list[LabelledFrame], device: str) -> Segmenter:
    segmenter = Segmenter.load(path_of(weights, "segmentation_model.weights"), device)
    if labelled and (palette := labelled[0].palette()) != segmenter.palette:
        raise InputError(f"segmentation_model.weights: {weights} has palette {segmenter.palette.name}, the clips' labels {palette.name}")
    return segmenter


def _trained(seen: list[LabelledFrame], work: Path, p: params.SegmentationModel, dataset_name: str, device: str) -> Segmenter:
    if not seen:
        raise InputError(
            f"{dataset_name}: no training frame has a label to learn from: set datasets.{dataset_name}.segmentation.weights_from "
            f"to a data set that has labels, or segmentation_model.weights to a checkpoint (label_every is {p.label_every})"
        )
    torch.manual_seed(p.seed)
    segmenter = Segmenter.untrained(p.architecture, seen[0].palette(), p.enlarge, device)
    train(segmenter, seen, layout.training_state(work), p)
    settle_statistics(segmenter, seen, p)
    return segmenter


def train(segmenter: Segmenter, seen: list[LabelledFrame], state_file: Path, p: params.SegmentationModel) -> None:
    network = segmenter.network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=p.learning_rate, momentum=0.9, weight_decay=1e-4)
    first = _resume(state_file, network, optimizer) + 1
    for step in progress.track(range(first, p.steps + 1), "segmentation_model", p.steps - first + 1):
        random = _random(p.seed, step)
        rgb, label = batch(seen, p, random)
        optimizer.param_groups[0]["lr"] = p.learning_rate * (1 - (step - 1) / p.steps) ** p.power

        loss = error(segmenter.logits(rgb), segmenter.channels_of(label))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

        if step % SAVE_EVERY == 0 or step == p.steps:
            replace_at_once(state_file, {"step": step, "network": network.state_dict(), "optimizer": optimizer.state_dict()})


def error(logits: Float[Tensor, "b n h w"], channel: Int64[Tensor, "b h w"]) -> Float[Tensor, ""]:
    """Cross entropy per labelled pixel; 0 for a batch that has none."""
    channel = channel.to(logits.device)
    return F.cross_entropy(logits, channel, ignore_index=VOID, reduction="sum") / (channel != VOID).sum().clamp(min=1)


def _resume(state_file: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """The last finished step."""
    if not state_file.is_file():
        return 0
    saved = read_state(state_file)
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
    rgb, label = cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR), cv2.resize(label, size, interpolation=cv2.INTER_NEAREST_EXACT)
    below, right = max(height - size[1], 0), max(width - size[0], 0)
    rgb = cv2.copyMakeBorder(rgb, 0, below, 0, right, cv2.BORDER_CONSTANT, value=deeplabv3.MEAN)
    label = cv2.copyMakeBorder(label, 0, below, 0, right, cv2.BORDER_CONSTANT, value=VOID)
    top, left = random.integers(label.shape[0] - height + 1), random.integers(label.shape[1] - width + 1)
    rgb, label = rgb[top : top + height, left : left + width], label[top : top + height, left : left + width]
    return (rgb[:, ::-1], label[:, ::-1]) if random.random() < 0.5 else (rgb, label)


@torch.no_grad()
def settle_statistics(segmenter: Segmenter, seen: list[LabelledFrame], p: params.SegmentationModel) -> None:
    """Takes the running batch-norm statistics anew, as plain means over batches as the training saw them.

    Those of a short training lag behind its weights: without this the same network can score an eighth. And the frames must be
    varied as in training: the few seen ones alone are so alike that everything else looks far out after global pooling.
    """
    network = segmenter.network.eval()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
        norm.train()
    for number in range(1, STATISTICS_BATCHES + 1):
        segmenter.logits(batch(seen, p, _random(p.seed, p.steps + number))[0])
    network.eval()
