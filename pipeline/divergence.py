"""A training that goes wrong: terms that are no number, or far too large."""

import logging
import math

from pipeline import params
from pipeline.errors import InputError

logger = logging.getLogger(__name__)

TOTALS = ("generator_total", "discriminator_total")
"""Weighted sums; their gradients' lengths are looked at, too."""


def problem(terms: dict[str, float], p: params.Divergence) -> str | None:
    """What is wrong with a step's terms and the weighted totals among them, by name; None = nothing."""
    if wrong := [name for name, value in terms.items() if not math.isfinite(value)]:
        return f"{', '.join(wrong)} {'are' if len(wrong) > 1 else 'is'} no number"
    too_large = [f"{name} is {terms[name]:.4g}" for name in TOTALS if abs(terms.get(name, 0.0)) > p.above]  # hinge has no lower bound
    return f"{' and '.join(too_large)}, beyond train.divergence.above = {p.above:g}" if too_large else None


def judge(problem: str | None, stage: str, step: int, skipped: int, p: params.Divergence, *, tells: bool) -> None:
    """InputError where the training must stop; `skipped`: so many steps in a row, with this one, had a problem. Of several processes one
    `tells` what is skipped."""
    if problem is None:
        return
    if p.action == "skip" and skipped < p.patience:
        if tells:
            logger.warning("%s: step %d is skipped: %s", stage, step, problem)
        return
    after = f" for {skipped} steps in a row" if p.action == "skip" else ""
    raise InputError(f"{stage}: the training diverges at step {step}{after}: {problem}; {GOING_ON[p.action]}")


GOING_ON = {
    "stop": "with a higher train.divergence.above it goes on from its last saved state, with action skip or another rate it begins anew",
    "skip": "with more train.divergence.patience it goes on from its last saved state, with another limit or rate it begins anew",
}
"""What a person may do: settings that are in the training's key make another training."""
