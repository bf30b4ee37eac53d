"""A stage in processes that torchrun has started, on one machine or several: the first leads, the others follow.

The first alone plans, looks into the store, takes locks, writes and prints. Over torchrun's key-value store it tells the others what to
compute, or that there is nothing: so they cannot find different things. Who fails says so there, and all end.
"""

import os
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from queue import Empty, Queue
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

from pipeline import launched
from pipeline.plan import Job
from pipeline.worker import Failed, Outcome, call, end_with_parent, failure, require_gpus

JOB, FAILED, OVER = "job", "failed", "over"
"""What the first computes (None: nothing); what another has failed with; the status with which the first ends, and all others after it."""
PATIENCE = timedelta(days=7)
"""Nobody waits for somebody who is gone: torchrun ends all processes then, or the connection breaks."""
TELL_SECONDS = 5.0
"""For a process to end by itself, once another has failed: waiting for it, it may hang."""


def follows() -> bool:
    """Whether another process leads."""
    here = launched.by_torchrun()
    return here is not None and here.number > 0


def follow() -> int:
    """Computes what the first process says, and writes nothing. The status to end with: the first's, or torchrun waits for minutes."""
    end_with_parent(os.getppid())
    channel = _channel()
    job: Job | None = pickle.loads(channel.get(JOB))
    if job is not None and not _computed(job, channel):
        with suppress(RuntimeError):  # before, torchrun would end the first, which may be telling it
            channel.wait([OVER], timedelta(seconds=2 * TELL_SECONDS))
        return 1
    return int(channel.get(OVER))


def _computed(job: Job, channel: Any) -> bool:
    """Whether it went well; if not, the others are told."""
    ended = Event()
    _watch(OVER, lambda: ended.wait(TELL_SECONDS) or os._exit(1))
    with TemporaryDirectory(prefix="follower-") as out:
        try:
            require_gpus_here(job)
            _call(job, Path(out))
        except Exception as error:
            channel.set(FAILED, pickle.dumps(failure(job, error)))
            _disconnect()
            return False
        finally:
            ended.set()
    return True


def lead(job: Job, out: Path) -> None:
    """Calls the stage's function here, into `out`, and in all other processes. Raises Failed where one of them does first."""
    told, ended = Queue[Outcome](), Event()

    def end() -> None:
        told.put(pickle.loads(_channel().get(FAILED)))
        if not ended.wait(TELL_SECONDS):
            outcome = told.get()
            print(outcome.trace or outcome.problem, file=sys.stderr, flush=True)
            _dismiss(1)
            os._exit(1)

    _channel().set(JOB, pickle.dumps(job))
    _watch(FAILED, end)
    try:
        _call(job, out)
    except Exception:
        ended.set()
        with suppress(Empty):
            raise Failed(told.get(timeout=TELL_SECONDS)) from None
        raise
    finally:
        ended.set()


def leading(work: Callable[[], int]) -> int:
    """The status of the work, which the first process does; whatever becomes of it, the others end after it. Elsewhere, just the work."""
    if not launched.by_torchrun():
        return work()
    end_with_parent(os.getppid())
    status = 1
    try:
        status = work()
    finally:
        _dismiss(status)
    return status


def _dismiss(status: int) -> None:
    with suppress(RuntimeError):  # they are gone
        channel = _channel()
        if not channel.check([JOB]):
            channel.set(JOB, pickle.dumps(None))
        channel.set(OVER, str(status))


def require_gpus_here(job: Job) -> None:
    here = launched.by_torchrun()
    if here and job.device == "cuda":
        require_gpus(here.here, "torchrun's --nproc-per-node")


def _call(job: Job, out: Path) -> None:
    os.environ["OMP_NUM_THREADS"] = str(job.threads)  # without it, accelerate takes a number of its own
    call(job, out)


def _disconnect() -> None:
    """Who waits for this process learns that it is in vain. On GPUs, ending the connection may wait itself: there, time runs out."""
    from torch import distributed

    if distributed.is_initialized() and distributed.get_backend() == "gloo":
        distributed.destroy_process_group()


def _watch(key: str, act: Callable[[], object]) -> None:
    """Acts, in a thread of its own, when somebody sets the key."""

    def wait() -> None:
        with suppress(RuntimeError):
            _channel().wait([key], PATIENCE)
            act()

    Thread(target=wait, daemon=True).start()


def _channel() -> Any:
    """A new connection: one that waits does nothing else."""
    from torch import distributed  # seconds

    store, *_ = next(distributed.rendezvous("env://"))  # type: ignore[attr-defined]
    store.set_timeout(PATIENCE)
    return distributed.PrefixStore(  # type: ignore[attr-defined]
        f"stage/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store
    )
