"""Shapes are checked at run time; errors are relative, as the reference networks' numbers ask for."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor


@pytest.fixture(scope="session")
def relative_error() -> Callable[[Tensor, Tensor], float]:
    """max|a - b| / max|b|."""
    return lambda ours, reference: ((ours - reference).abs().max() / reference.abs().max()).item()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
