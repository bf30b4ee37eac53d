"""How good a generator is while it is trained: by the first frames of clips that it does not learn from."""

from collections import Counter

import torch
from torch import Tensor

from models.losses import perceptual_term, reconstruction_term, temporal_warp_term
from models.vgg import VggFeatures
from models.video_generator import State
from pipeline import params
from pipeline.batch import Batch
from pipeline.learner import Learner
from pipeline.windows import Window, Windows

AT_ONCE = 4
"""Frames, and never more than a training step makes: so what is judged needs less memory than what is learned."""


class Validation:
    def __init__(self, windows: Windows, p: params.Train) -> None:
        """`windows` are of the clips that judge."""
        from_nothing = p.start_from_nothing > 0  # else it never learned to
        clips = range(len(windows.clips))
        self._at_once = min(AT_ONCE, p.window_frames)
        self._whole = [windows.beginning(clip, p.validation.frames, from_nothing=from_nothing) for clip in clips]

    @torch.no_grad()
    def judge(self, learning: Learner) -> dict[str, float]:
        """The terms of the blended frames against the real ones, unweighted: means over the clips."""
        rows = [self._judged(learning, window) for window in self._whole]
        return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}

    def _judged(self, learning: Learner, window: Window) -> dict[str, float]:
        """Means over the frames."""
        generator, kind = learning.result(), learning.kind
        batch = Batch.of(window, learning.maps, next(generator.parameters()).device, 0)
        num_frames, sums = batch.real.shape[1], Counter[str]()
        foreground = batch.foreground if kind.foreground else None
        past: Tensor | State | None = batch.past(kind.past_frames)
        before = batch.before[:, -1:] if batch.before.shape[1] else None
        for first in range(0, num_frames, self._at_once):
            frames = slice(first, first + self._at_once)
            shown = slice(first, first + kind.past_frames + self._at_once)
            made = generator(batch.maps[:, shown], None if foreground is None else foreground[:, shown], past)
            terms = _terms(learning.networks.vgg, made.image, before, batch, frames)
            sums.update({name: float(term) * made.image.shape[1] for name, term in terms.items()})
            past, before = made.state, made.image[:, -1:]
        return {name: value / num_frames for name, value in sums.items()}


def _terms(vgg: VggFeatures | None, made: Tensor, before: Tensor | None, batch: Batch, frames: slice) -> dict[str, Tensor]:
    """Of these frames; where there is none before the first, confidence is 0."""
    fake, real = made.flatten(0, 1), batch.real[:, frames].flatten(0, 1)
    previous = torch.cat([made[:, :1] if before is None else before, made[:, :-1]], dim=1).flatten(0, 1)
    moved, sure = batch.optical_flow[:, frames].flatten(0, 1), batch.confidence[:, frames].flatten(0, 1)
    terms = {"reconstruction": reconstruction_term([fake], real), "temporal_warp": temporal_warp_term(fake, previous, moved, sure)}
    return terms if vgg is None else {**terms, "perceptual": perceptual_term(vgg, [fake], real)}
