"""What every process that works on a job does: it calls the stage's function, says how that went, and ends with whoever started it."""

import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from pipeline.errors import InputError, storage_problem
from pipeline.journey import STAGES
from pipeline.plan import Job
from pipeline.store import Store


@dataclass(frozen=True)
class Outcome:
    name: str
    state: str
    """computed, reused or failed"""
    problem: str = ""
    """One sentence where failed."""
    trace: str = ""
    """Set where the failure is no bad input."""


class Failed(Exception):
    """A job has failed in another process, which has told how."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.problem)
        self.outcome = outcome


def call(job: Job, out: Path) -> None:
    """The stage's function, with what its signature asks for."""
    _settle_threads(job)
    stage = STAGES[job.stage]
    offered: dict[str, Callable[[], Any]] = {
        "out": lambda: out,
        "work": lambda: Store(Path(job.store)).work(job.key),
        "made_by": lambda: job.made_by,
        "device": lambda: job.device,
        "watch": lambda: Path(job.watch),
    }
    extra = {name: value() for name, value in offered.items() if stage.takes(name)}
    stage.load()(**job.arguments, **job.sections, **extra)


def failure(job: Job, error: Exception) -> Outcome:
    """What is told of an exception that `call` has raised; to be called where it is handled."""
    if isinstance(error, Failed):
        return error.outcome
    if isinstance(error, InputError):
        return Outcome(job.name, "failed", str(error))
    if problem := storage_problem(error, job.store):
        return Outcome(job.name, "failed", problem)
    return Outcome(job.name, "failed", f"{type(error).__name__}: {error}", traceback.format_exc())


def require_gpus(number: int, whose: str) -> None:
    """InputError where torch would find less in the middle of the work."""
    import torch

    if not torch.cuda.is_available():
        raise InputError("machine.device is cuda, but torch finds no GPU with a working driver here: set it to cpu")
    if (found := torch.cuda.device_count()) < number:
        raise InputError(f"{whose} is {number}, each with a GPU of its own, but torch finds {found} here: it may be at most {found}")


def end_with_parent(parent: int) -> None:
    """Ends this process soon after its parent, even one that was killed: nothing goes on unseen."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _settle_threads(job: Job) -> None:
    """Equal thread counts give equal bytes; several workers with a thread each do not fight for the cores."""
    if "opencv-python-headless" in job.made_by["libraries"]:
        import cv2

        cv2.setNumThreads(job.threads)
    if "torch" in job.made_by["libraries"]:
        import torch

        torch.set_num_threads(job.threads)
        torch.use_deterministic_algorithms(job.device == "cpu")
