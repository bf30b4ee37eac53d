"""What torchrun says, in the environment, to the processes that it launches."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Launched:
    number: int
    """Of this process; 0 is the first."""
    processes: int
    """On all machines."""
    here: int
    """On this one."""


def by_torchrun() -> Launched | None:
    """None where torchrun did not launch this process."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
    return Launched(*(int(os.environ[name]) for name in names)) if all(name in os.environ for name in names) else None
