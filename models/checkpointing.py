"""Gradient checkpointing: what a network computes on the way is computed again in the backward pass, instead of being kept."""

from collections.abc import Callable
from typing import Any, TypeVar

from torch.utils.checkpoint import checkpoint

from models.blocks import Norm

Result = TypeVar("Result")


def recomputed(call: Callable[..., Result], *inputs: Any, **keywords: Any) -> Result:
    """`call(*inputs, **keywords)`, with the same gradients; until the backward pass only the inputs and the result are held.

    Each backward pass through it runs `call` once more, under the autocast of the first time. So `call` must do the same then: no random
    numbers, and no batch norm (`refuse_batch_norm`).
    """
    result: Result = checkpoint(call, *inputs, use_reentrant=False, preserve_rng_state=False, **keywords)
    return result


def refuse_batch_norm(norm: Norm) -> None:
    if norm == "batch":
        raise ValueError("checkpointing goes with norm 'instance' alone: in batch norm's running statistics every frame would count twice")
