"""clips with some true labels -> segmentation_model: a DeepLabV3 trained on them, and validation.csv, how well it did on the way.

It sees every `label_every`-th frame of the training clips. Labelled frames of these clips that it does not see say which of its states
is kept and when there is nothing more to gain; test clips have no part in that. Stopped anywhere and started again, it goes on from
its last saved state with the batches it would have seen.
"""

import logging
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from pipeline import layout, params, progress, torchvision_weights
from pipeline.deeplabv3 import Segmenter
from pipeline.errors import InputError
from pipeline.labelled_frames import LabelledFrame, TrainingFrames, training_frames
from pipeline.overlap import ahead
from pipeline.palettes import VOID
from pipeline.segmentation_examples import batch, class_weights
from pipeline.segmentation_training import Training, settled
from pipeline.weights import path_of

log = logging.getLogger(__name__)


def run(clips: Path, out: Path, work: Path, p: params.SegmentationModel, dataset_name: str, own_model: bool, device: str) -> None:
    """`own_model`: whether this data set needs one at all; otherwise nothing is written."""
    if not own_model:
        return
    frames = training_frames(clips, p)
    segmenter = _given(p.weights, frames.seen, device) if p.weights else _trained(frames, out, work, p, dataset_name, device)
    segmenter.save(layout.segmentation_checkpoint(out))


def _given(weights: str, labelled: list[LabelledFrame], device: str) -> Segmenter:
    segmenter = Segmenter.load(path_of(weights, "segmentation_model.weights"), device)
    if labelled and (palette := labelled[0].palette()) != segmenter.palette:
        raise InputError(f"segmentation_model.weights: {weights} has palette {segmenter.palette.name}, the clips' labels {palette.name}")
    return segmenter


def _trained(frames: TrainingFrames, out: Path, work: Path, p: params.SegmentationModel, dataset_name: str, device: str) -> Segmenter:
    if not frames.seen:
        raise InputError(
            f"{dataset_name}: no training frame has a label to learn from: set datasets.{dataset_name}.segmentation.weights_from "
            f"to a data set that has labels, or segmentation_model.weights to a checkpoint (label_every is {p.label_every})"
        )
    torch.manual_seed(p.seed)
    segmenter = Segmenter.untrained(p.architecture, frames.seen[0].palette(), p.enlarge, device)
    if p.backbone_weights:
        torchvision_weights.load(segmenter, path_of(p.backbone_weights, torchvision_weights.PARAMETER), p.backbone_weights)
    if p.validation.every and not frames.held_out:
        log.warning("%s: no labelled training frame is left to validate with: the last state of the training is kept", dataset_name)
    training = train(segmenter, frames, work, p)
    training.write_table(layout.validation(out))
    return training.best(device) or settled(segmenter, frames.seen, p)


def train(segmenter: Segmenter, frames: TrainingFrames, work: Path, p: params.SegmentationModel) -> Training:
    network = segmenter.network.train()
    device = next(network.parameters()).device
    optimizer = torch.optim.SGD(network.parameters(), lr=p.learning_rate, momentum=0.9, weight_decay=1e-4)
    training = Training.resumed(work, segmenter, optimizer)
    weights = torch.from_numpy(class_weights(frames.seen, segmenter.palette, p.class_weighting)).float().to(device)
    steps = range(training.step + 1, p.steps + 1) if not training.is_over(p) else range(0)
    batches = ahead(batch(frames.seen, p, step) for step in steps)
    for step, (rgb, label) in progress.track(zip(steps, batches, strict=True), "segmentation_model", len(steps)):
        torch.manual_seed(p.seed * 2**32 + step)  # of the dropout
        optimizer.param_groups[0]["lr"] = p.learning_rate * (1 - (step - 1) / p.steps) ** p.power

        with torch.autocast(device.type, torch.bfloat16, enabled=p.precision == "bfloat16"):
            logits = segmenter.logits(rgb)
        loss = error(logits.float(), segmenter.channels_of(label).to(device), weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

        training.log(step, loss)
        if frames.held_out and (step % (p.validation.every or p.steps) == 0 or step == p.steps):
            training.validate(frames, p)
        if training.is_over(p) or step % p.save_every == 0:
            training.save()
        if training.is_over(p):
            break
    return training


def error(logits: Float[Tensor, "b n h w"], channel: Int64[Tensor, "b h w"], weights: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Cross entropy, the mean over labelled pixels by the weights of their classes; 0 for a batch that has none."""
    labelled = channel != VOID
    weight = weights[channel.where(labelled, 0)][labelled].sum()
    return F.cross_entropy(logits, channel, weights, ignore_index=VOID, reduction="sum") / weight.clamp(min=1e-6)
