"""Stands for pipeline.runner.compute in worker processes."""

import os
import time
from types import SimpleNamespace

from pipeline.runner import Outcome


def compute(job: SimpleNamespace) -> Outcome:
    if job.name == "guilty":
        os._exit(1)
    time.sleep(0.3)
    return Outcome(job.name, "computed")
