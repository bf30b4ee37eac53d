"""`python -m double_rank MEETING_PLACE PARENT`: pipeline.rank in double precision."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from pipeline import rank, ranks


@contextmanager
def double_precision() -> Iterator[None]:
    """Networks, and all that is made `float`, are double; in the ranks, too.

    Untrained networks with instance norms, and Adam, blow rounding up: in single precision, gradients differ after a few steps in their
    first digits, whether two windows are convolved in one call or in two.
    """
    single, command = torch.Tensor.float, ranks.COMMAND
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    ranks.COMMAND = (sys.executable, "-m", "double_rank")
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.Tensor.float, ranks.COMMAND = single, command


if __name__ == "__main__":
    with double_precision():
        sys.exit(rank.main(Path(sys.argv[1]), int(sys.argv[2])))
