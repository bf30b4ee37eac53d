"""A training that goes wrong: terms that are no number, or far too large."""

import logging
import math

from pipeline import params
from pipeline.errors import InputError

logger = logging.getLogger(__name__)

TOTALS = ("generator_total", "discriminator_total")


def problem(terms: dict[str, float], p: params.Divergence) -> str | None:
    """What is wrong with a step's terms and the weighted totals among them, by name; None = nothing."""
    if wrong := [name for name, value in terms.items() if not math.isfinite(value)]:
        return f"{', '.join(wrong)} {'are' if len(wrong) > 1 else 'is'} no number"
    too_large = [f"{name} is {terms[name]:.4g}" for name in TOTALS if terms[name] > p.above]
    return f"{' and '.join(too_large)}, above train.divergence.above = {p.above:g}" if too_large else None


def judge(problem: str | None, step: int, skipped: int, p: params.Divergence) -> None:
    """InputError where the training must stop; `skipped`: so many steps in a row, with this one, had a problem."""
    if problem is None:
        return
    if p.action == "skip" and skipped < p.patience:
        logger.warning("train: step %d is skipped: %s", step, problem)
        return
    after = f" for {skipped} steps in a row" if p.action == "skip" else ""
    raise InputError(
        f"train: the training diverges at step {step}{after}: {problem}; lower train.learning_rate, or see train.divergence; "
        "the state of the last save is kept"
    )
