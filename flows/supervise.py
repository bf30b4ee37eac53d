"""`python -m flows.supervise GRACE COMMAND ...`: a command whose whole process group ends with its starter.

The command leads a process group of its own. The group is ended when the starter dies, however it dies (its end of our
standard input closes), when SIGTERM comes, and when the command ends but leaves children behind. Ending is SIGTERM once, and
SIGKILL for what is still there after GRACE seconds.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import psutil  # type: ignore[import-untyped]

POLL_SECONDS = 0.05
PR_SET_PDEATHSIG = 1
"""Of Linux's <sys/prctl.h>."""

_started: set[subprocess.Popen[str]] = set()
ending = Event()


@contextmanager
def supervised(
    command: list[str], environment: dict[str, str], *, grace_seconds: float, output: int | None = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    """Runs a command under a supervisor, and ends it with the block. Both its streams go to `output`, by default a pipe to read."""
    supervisor = [sys.executable, "-m", "flows.supervise", str(grace_seconds)]
    process = subprocess.Popen(
        [*supervisor, *command],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdin is not None
    _started.add(process)
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait()
        _started.discard(process)


def end_all() -> None:
    """Tells every supervisor that this process has started, in any thread, to end its group; `ending` tells the threads why."""
    ending.set()
    for process in list(_started):
        process.terminate()


def end_with_starter() -> None:
    """From now on this process gets SIGTERM when the one that started it is gone, and be it through a shell that stays."""
    starters = _starters()

    def watch() -> None:
        while starters and all(map(_runs, starters)):
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=watch, daemon=True).start()


def _starters() -> list[psutil.Process]:
    """Who started this process, and where that is `SHELL -c COMMAND`, who started the shell: dash waits beside its command."""
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process().parent()
        if parent is not None and parent.cmdline()[-2:-1] == ["-c"]:
            return [parent, *filter(None, [parent.parent()])]
        return [*filter(None, [parent])]
    return []


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def main(grace_seconds: float, command: list[str]) -> int:
    told_to_end = Event()
    signal.signal(signal.SIGTERM, lambda *_: told_to_end.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the starter, too: it decides
    leader = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_end_with_supervisor)
    Thread(target=_watch_input, args=[told_to_end], daemon=True).start()
    while leader.poll() is None and not told_to_end.wait(POLL_SECONDS):
        pass
    _end_group(leader, grace_seconds)
    status = leader.wait()
    return status if status >= 0 else 128 - status


def _end_with_supervisor() -> None:
    """In the command's process: if the supervisor itself is killed, the kernel sends this one SIGTERM."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _watch_input(told_to_end: Event) -> None:
    while os.read(0, 1024):
        pass
    told_to_end.set()


def _end_group(leader: subprocess.Popen[bytes], grace_seconds: float) -> None:
    """A second SIGTERM could break a stage that is just reporting its end: each process gets one."""
    if not _living(leader):
        return
    _signal(leader, signal.SIGTERM)
    until = time.monotonic() + grace_seconds
    while _living(leader):
        if time.monotonic() > until:
            _signal(leader, signal.SIGKILL)
            return
        time.sleep(POLL_SECONDS)


def _living(leader: subprocess.Popen[bytes]) -> bool:
    """Whether anybody in the group still runs; a zombie does not (in a container nobody may collect orphans)."""
    leader.poll()
    return any(_in_group(process, leader.pid) for process in psutil.process_iter(["status"]))


def _in_group(process: psutil.Process, group: int) -> bool:
    with suppress(ProcessLookupError):
        return os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE
    return False


def _signal(leader: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader.pid, number)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
