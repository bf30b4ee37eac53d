"""`python -m tiny_ranks MEETING_PLACE PARENT`: pipeline.rank with one more stage, which needs no data; its argument says how it goes.

`python -m tiny_ranks STORE`: computes a job of it that lasts.
"""

import inspect
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from pipeline import rank, ranks, runner
from pipeline.errors import InputError
from pipeline.journey import STAGES, Stage
from pipeline.plan import Job

RANKS, THREADS = 2, 2


def job(store: Path, how: str) -> Job:
    libraries = {} if how == "lasts" else {"torch": "1"}
    return Job("adding", "*", "ab12", str(store), {"how": how}, {}, {"libraries": libraries}, "cpu", THREADS, str(store / "watch"), RANKS)


def adding(how: str, out: Path, work: Path, device: str) -> None:
    """Adds 1 and 10 (the ranks' own numbers) and their numbers of threads."""
    if how == "lasts":
        _last(int(os.environ["RANK"]), work)
    import torch  # seconds, in each rank
    from accelerate import PartialState

    here = PartialState(cpu=device == "cpu")
    if how in ("refused", "raises") and here.process_index == 1:
        raise InputError("the maps are upside down") if how == "refused" else RuntimeError("the disk coughed")
    added = torch.tensor([10 ** (here.process_index % 2), torch.get_num_threads()])
    torch.distributed.all_reduce(added)
    (out / f"{here.process_index}.txt").write_text(" ".join(map(str, added.tolist())))


def _last(number: int, work: Path) -> None:
    """Until it is told to end; then it saves something and ends."""
    told: list[int] = []

    def remember(signal_number: int, _: FrameType | None) -> None:
        told.append(signal_number)

    signal.signal(signal.SIGTERM, remember)
    (work / f"{number}.pid").write_text(str(os.getpid()))
    while not told:
        time.sleep(0.05)
    time.sleep(0.5)  # as long as a step and saving
    (work / f"{number}.saved").write_text(f"told {len(told)} time")
    sys.exit(128 + signal.SIGTERM)


class TinyStage(Stage):
    def parameters(self) -> dict[str, str]:
        return dict.fromkeys(inspect.signature(self.load()).parameters, "")


STAGE = TinyStage("adding", "tiny_ranks:adding", per="dataset", in_ranks=True)
COMMAND = (sys.executable, "-m", "tiny_ranks")


def add_stage() -> None:
    """For good: a test takes it back."""
    STAGES["adding"] = STAGE
    ranks.COMMAND = COMMAND


if __name__ == "__main__":
    add_stage()
    if len(sys.argv) == 3:
        sys.exit(rank.main(Path(sys.argv[1]), int(sys.argv[2])))
    print(runner.compute(job(Path(sys.argv[1]), "lasts")))
