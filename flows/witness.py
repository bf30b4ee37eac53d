"""A process that outlives a flow run's own, and tells the server how that one ended if it could not.

Prefect writes a run's end from inside its process. One that is killed says nothing, and its runs would stay `Running` in the
UI for ever. So each flow run has a witness, outside its process group: `python -m flows.witness FLOW_RUN` waits at the other
end of a pipe, and where that breaks without a word it settles the run's state and those of its tasks.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from flows import environment

WELL = b"ended by itself"


@contextmanager
def witnessed(flow_run: UUID) -> Iterator[None]:
    """A block that is left by an exception, or never (its process was killed), is told of by a witness."""
    witness = subprocess.Popen(
        [sys.executable, "-m", "flows.witness", str(flow_run)],
        env=environment.for_tools(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,  # an inherited pipe would keep its reader waiting
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert witness.stdin is not None
    ended_well = False
    try:
        yield
        ended_well = True
    finally:
        with suppress(BrokenPipeError), witness.stdin:  # a witness that is gone harms nobody
            witness.stdin.write(WELL if ended_well else b"")
    witness.wait()


def main(flow_run: UUID) -> None:
    told = b""
    while part := os.read(0, 1024):
        told += part
    if told != WELL:
        from flows.settle import settle  # costs seconds, and is seldom needed: imports Prefect

        settle(flow_run)


if __name__ == "__main__":
    main(UUID(sys.argv[1]))
