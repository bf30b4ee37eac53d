"""`python -m pipeline.rank MEETING_PLACE PARENT`: one of the processes that `pipeline.ranks` starts for a job."""

import os
import pickle
import sys
from pathlib import Path

from pipeline.ranks import job_file, outcome_file
from pipeline.worker import call, end_with_parent, failure


def main(meeting_place: Path, parent: int) -> int:
    end_with_parent(parent)
    number = int(os.environ["RANK"])
    job, out = pickle.loads(job_file(meeting_place).read_bytes())
    try:
        call(job, out if number == 0 else _thrown_away(meeting_place, number))
    except Exception as error:
        unfinished = meeting_place / f"{number}.unfinished"
        unfinished.write_bytes(pickle.dumps(failure(job, error)))
        unfinished.rename(outcome_file(meeting_place, number))
        return 1
    return 0


def _thrown_away(meeting_place: Path, number: int) -> Path:
    folder = meeting_place / f"{number}.out"
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
