"""A training's live.csv, passed on to DVCLive while it grows: `dvc plots` and DVC's extension for VS Code read the files that this leaves.

Only files below runs/: no experiment is saved, no dvc.yaml written, nothing told to Git, so that a `dvc exp run` that this is a part of
is not disturbed.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flows.beside import beside
from pipeline import layout
from pipeline.errors import one_line
from pipeline.journey import STAGES
from pipeline.live_table import NewRows
from pipeline.plan import Job
from pipeline.runner import MapJobs
from pipeline.worker import Outcome

if TYPE_CHECKING:
    from dvclive.live import Live

LOOK_SECONDS, LAST_LOOK_SECONDS = 5.0, 30.0
"""How often it is looked for new rows; how long the end of a training waits for the last ones, at most: a short one for the import, too."""
MOST_ROWS = 100
"""Passed on at a look; of more, evenly spaced ones. Each costs a millisecond or two of the training's process."""

log = logging.getLogger(__name__)


def followed(map_jobs: MapJobs) -> MapJobs:
    """The same jobs; a training's curves are passed on meanwhile."""

    def map_followed(jobs: list[Job]) -> Iterator[Outcome]:
        with following(jobs[0]):
            yield from map_jobs(jobs)

    return map_followed


@contextmanager
def following(job: Job) -> Iterator[None]:
    if not STAGES[job.stage].takes("watch") or not Path(".dvc").is_dir():  # where DVC is not used, DVCLive would set it up
        yield
        return
    folder = Path(job.watch)
    tables = {"": NewRows(layout.live_steps(folder)), "validation/": NewRows(layout.live_validations(folder))}
    with beside(partial(_follow, folder, tables), every_seconds=LOOK_SECONDS, last_look_seconds=LAST_LOOK_SECONDS):
        yield


def _follow(folder: Path, tables: dict[str, NewRows], looks: Iterator[None]) -> None:
    live = None
    try:
        for _ in looks:
            for group, table in tables.items():
                if rows := table.read():
                    live = live or _live(folder)
                    _pass_on(live, group, rows)
    except Exception as error:  # curves alone are lost
        log.warning("%s gets no more rows (%s)", layout.live_plots(folder), one_line(error))


def _live(folder: Path) -> "Live":
    """Begins anew: after a resume, live.csv still has the rows from before."""
    from dvclive.live import Live  # seconds

    logging.getLogger("dvclive").setLevel(logging.ERROR)  # it warns of what is meant so
    return Live(dir=str(layout.live_plots(folder)), save_dvc_exp=False, dvcyaml=None)


def _pass_on(live: "Live", group: str, rows: list[dict[str, float]]) -> None:
    """Without `next_step`, which reads all its files again at each step, and `end`, which adds files to Git in an experiment."""
    spacing = -(-len(rows) // MOST_ROWS)
    for row in rows[::-spacing][::-1]:  # the last one is among them
        live.step = int(row["step"])
        for name, value in row.items():
            if name != "step":
                live.log_metric(f"{group}{name}", value)
    live.make_summary()  # type: ignore[no-untyped-call]
