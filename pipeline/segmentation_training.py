"""A training of the segmentation model that is under way: how it is judged, its best network so far, how it goes on after a stop."""

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from pipeline import layout, params
from pipeline.checkpoint import read_state, replace_at_once
from pipeline.deeplabv3 import Segmenter
from pipeline.labelled_frames import LabelledFrame, TrainingFrames
from pipeline.metrics.segmentation import confusion, iou, mean_iou
from pipeline.palettes import Palette
from pipeline.segmentation_examples import batch

STATISTICS_BATCHES = 40
"""Over so many batches the batch-norm statistics are taken anew."""


class Training:
    """In the folder `work`: the state after the last save, and the network that was best. No data order is kept: batches are functions
    of the step."""

    def __init__(self, work: Path, segmenter: Segmenter, optimizer: torch.optim.Optimizer) -> None:
        self.step = 0
        self._segmenter, self._optimizer = segmenter, optimizer
        self._file, self._best_file = layout.training_state(work), layout.segmentation_checkpoint(work)
        self._rows: list[dict[str, float]] = []
        self._losses: list[float] = []

    @classmethod
    def resumed(cls, work: Path, segmenter: Segmenter, optimizer: torch.optim.Optimizer) -> "Training":
        """As saved in `work`; a fresh one if nothing is."""
        training = cls(work, segmenter, optimizer)
        if training._file.is_file():
            saved = read_state(training._file)
            training.step, training._rows, training._losses = saved["step"], saved["rows"], saved["losses"]
            segmenter.network.load_state_dict(saved["network"])
            optimizer.load_state_dict(saved["optimizer"])
        return training

    def log(self, step: int, loss: Tensor) -> None:
        self.step = step
        self._losses.append(loss.item())

    def validate(self, frames: TrainingFrames, p: params.SegmentationModel) -> None:
        """A row of the table; the best network goes into its file before the state that tells of it."""
        judged = settled(self._segmenter, frames.seen, p)
        row = {"step": self.step, "loss": float(np.mean(self._losses)), **scores(judged, frames.held_out)}
        self._losses = []
        if _miou(row) > max(map(_miou, self._rows), default=-math.inf):
            unfinished = self._best_file.with_suffix(".unfinished")
            judged.save(unfinished)
            unfinished.replace(self._best_file)
        self._rows.append(row)

    def is_over(self, p: params.SegmentationModel) -> bool:
        """All steps done, or so many looks in a row no better than the best."""
        if p.validation.patience is None or not self._rows:
            return self.step >= p.steps
        best = max(range(len(self._rows)), key=lambda number: _miou(self._rows[number]))
        return self.step >= p.steps or len(self._rows) - 1 - best >= p.validation.patience

    def save(self) -> None:
        saved: dict[str, Any] = {"step": self.step, "rows": self._rows, "losses": self._losses}
        saved |= {"network": self._segmenter.network.state_dict(), "optimizer": self._optimizer.state_dict()}
        replace_at_once(self._file, saved)

    def best(self, device: str) -> Segmenter | None:
        """None where none was ever looked at, or no frame that was held out shows a class that is learned."""
        return Segmenter.load(self._best_file, device) if self._best_file.is_file() else None

    def write_table(self, path: Path) -> None:
        pd.DataFrame(self._rows).to_csv(path, index=False, float_format="%.6g", lineterminator="\n")


def _miou(row: dict[str, Any]) -> float:
    """The lowest of all where no held-out frame shows a class that is learned."""
    return -math.inf if math.isnan(row["miou"]) else row["miou"]


@torch.no_grad()
def settled(segmenter: Segmenter, seen: list[LabelledFrame], p: params.SegmentationModel) -> Segmenter:
    """A copy, ready to predict, whose running batch-norm statistics are plain means over batches as the training sees them.

    Those of a short training lag behind its weights: without this the same network can score an eighth. And the frames must be
    varied as in training: the few seen ones alone are so alike that everything else looks far out after global pooling.
    """
    network = copy.deepcopy(segmenter.network).eval()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
        norm.train()
    settling = Segmenter(network, segmenter.palette, segmenter.architecture, segmenter.enlarge)
    for number in range(1, STATISTICS_BATCHES + 1):
        settling.logits(batch(seen, p, p.steps + number)[0])
    network.eval()
    return settling


def scores(segmenter: Segmenter, held_out: list[LabelledFrame]) -> dict[str, float]:
    """Mean IoU, and that of each learned class by its name; NaN for one that does not occur."""
    palette: Palette = segmenter.palette
    truths = ((palette.learned_labels(frame.label()), frame) for frame in held_out)
    counts = sum(confusion(truth, segmenter.predict(frame.rgb()[None])[0], palette.num_labels) for truth, frame in truths)
    assert isinstance(counts, np.ndarray), "no frames"
    of_class, names = iou(counts), palette.names()
    return {"miou": mean_iou(counts), **{names[id_]: float(of_class[id_]) for id_ in palette.learned}}
