"""How good a generator is while it is trained: by the first frames of clips that it does not learn from."""

import torch

from models.losses import perceptual_term, reconstruction_term, temporal_warp_term
from pipeline import params
from pipeline.batch import Batch
from pipeline.learner import Learner
from pipeline.windows import Windows


class Validation:
    def __init__(self, windows: Windows, p: params.Train) -> None:
        """`windows` are of the clips that judge."""
        from_nothing = p.start_from_nothing > 0  # else it never learned to
        clips = range(len(windows.clips))
        self._whole = [windows.beginning(clip, p.validation.frames, from_nothing=from_nothing) for clip in clips]

    @torch.no_grad()
    def judge(self, learning: Learner) -> dict[str, float]:
        """The terms of the blended frames against the real ones, unweighted: means over the clips."""
        generator, vgg, kind = learning.result(), learning.networks.vgg, learning.kind
        device = next(generator.parameters()).device
        rows = []
        for window in self._whole:
            batch = Batch.of(window, learning.maps, device, 0)
            video = generator(batch.maps, batch.foreground if kind.foreground else None, batch.past(kind.past_frames))
            fake, real = video.image.flatten(0, 1), batch.real.flatten(0, 1)
            before = batch.before[:, -1:] if batch.before.shape[1] else video.image[:, :1]  # with nothing before, confidence is 0
            previous = torch.cat([before, video.image[:, :-1]], dim=1).flatten(0, 1)
            moved, sure = batch.optical_flow.flatten(0, 1), batch.confidence.flatten(0, 1)
            terms = {"reconstruction": reconstruction_term([fake], real), "temporal_warp": temporal_warp_term(fake, previous, moved, sure)}
            if vgg is not None:
                terms["perceptual"] = perceptual_term(vgg, [fake], real)
            rows.append({name: float(term) for name, term in terms.items()})
        return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
