"""One job in several processes of this machine, its ranks: a training on `machine.devices` GPUs.

Each is `python -m pipeline.rank`, with the environment from which torch.distributed and accelerate learn their number and where the
others are. They are told to end once, by SIGTERM, and may then save their state; whatever happens, none outlives the one who started them.
"""

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil  # type: ignore[import-untyped]

from pipeline.plan import Job
from pipeline.worker import Failed, Outcome

COMMAND = (sys.executable, "-m", "pipeline.rank")
GRACE_SECONDS = 60.0
"""For ranks to finish a step and save their state. Who ends this process sooner (a cancelled run) ends them, too."""
TELL_SECONDS = 3.0
"""For the other ranks to say what they know, once one has failed; then they wait for it in vain."""
POLL_SECONDS = 0.05


def run(job: Job, out: Path) -> None:
    """Calls the stage's function in `job.ranks` processes; the first alone fills `out`. Raises Failed where any of them does."""
    with TemporaryDirectory(prefix="ranks-") as folder, _endings_raised():
        meeting_place, ranks = Path(folder), list[subprocess.Popen[bytes]]()
        job_file(meeting_place).write_bytes(pickle.dumps((job, out)))
        port = _free_port()
        try:
            for number in range(job.ranks):
                ranks.append(_start(number, job, meeting_place, port))
            _wait(ranks)
            statuses = [rank.poll() for rank in ranks]
        except BaseException:
            for rank in ranks:
                rank.terminate()
            _until_ended(ranks, GRACE_SECONDS)
            raise
        finally:
            _kill(ranks)
        if any(statuses):
            raise Failed(_why(job, meeting_place, statuses))


def job_file(meeting_place: Path) -> Path:
    return meeting_place / "job"


def outcome_file(meeting_place: Path, number: int) -> Path:
    """Written by a rank that has failed."""
    return meeting_place / f"{number}.outcome"


def _start(number: int, job: Job, meeting_place: Path, port: int) -> subprocess.Popen[bytes]:
    variables = {
        "RANK": number,
        "LOCAL_RANK": number,
        "WORLD_SIZE": job.ranks,
        "LOCAL_WORLD_SIZE": job.ranks,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "OMP_NUM_THREADS": job.threads,  # without it, accelerate takes a number of its own
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    return subprocess.Popen(
        [*COMMAND, str(meeting_place), str(os.getpid())],
        env={**os.environ, **{name: str(value) for name, value in variables.items()}},
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # what ends this process's group must not reach them twice
    )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(ranks: list[subprocess.Popen[bytes]]) -> None:
    """Until all have ended; or one has failed, and the others have had time to say so."""
    while None in (statuses := [rank.poll() for rank in ranks]):
        if any(statuses):
            _until_ended(ranks, TELL_SECONDS)
            return
        time.sleep(POLL_SECONDS)


def _until_ended(ranks: list[subprocess.Popen[bytes]], seconds: float) -> None:
    until = time.monotonic() + seconds
    while any(rank.poll() is None for rank in ranks) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)


def _kill(ranks: list[subprocess.Popen[bytes]]) -> None:
    """With the processes that load their data, which have groups of their own; those of a rank that has ended see that and end."""
    for rank in ranks:
        if rank.poll() is None:
            with suppress(psutil.NoSuchProcess):
                for loading in psutil.Process(rank.pid).children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        loading.kill()
            rank.kill()
            rank.wait()


@contextmanager
def _endings_raised() -> Iterator[None]:
    """Where nobody handles SIGTERM, or SIGHUP of a closed terminal, it would end this process before its ranks have saved anything."""
    in_main = threading.current_thread() is threading.main_thread()  # elsewhere Python allows no handler
    unhandled = [number for number in (signal.SIGTERM, signal.SIGHUP) if in_main and signal.getsignal(number) is signal.SIG_DFL]

    def handle(handler: Any) -> None:
        for number in unhandled:
            signal.signal(number, handler)

    def end(number: int, _: object) -> None:
        handle(signal.SIG_IGN)
        sys.exit(128 + number)

    handle(end)
    try:
        yield
    finally:
        handle(signal.SIG_DFL)


def _why(job: Job, meeting_place: Path, statuses: list[int | None]) -> Outcome:
    """Bad input before all; then who was ended from outside, since what others tell of it is a broken connection."""
    told = [pickle.loads(file.read_bytes()) for file in sorted(meeting_place.glob("*.outcome"), key=lambda file: file.stat().st_mtime_ns)]
    if refused := [outcome for outcome in told if not outcome.trace]:
        return refused[0]
    ended = [(number, status) for number, status in enumerate(statuses) if status and (status != 1 or not told)]
    if told and all(status == -signal.SIGABRT for _, status in ended):  # so a library ends a rank whose connection is broken
        return told[0]
    problem = "; ".join(f"process {number} of {job.ranks} {_how(status)}" for number, status in ended)
    return Outcome(job.name, "failed", f"{job.stage}: {problem}", "no traceback: the process was ended")


def _how(status: int) -> str:
    if status == -signal.SIGKILL:
        return "was killed (out of memory?)"
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
