"""One stage of one data set: plan its jobs, look each up in the store, compute the misses, publish all.

`run` needs neither Prefect nor DVC; `map_jobs` says where jobs are computed (here: in worker processes of this machine).
"""

import json
import os
import platform
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from pipeline import clip_list, launched, layout, manifest, params, progress, ranks, torchrun
from pipeline.errors import InputError, storage_problem
from pipeline.journey import STAGES, Stage
from pipeline.params_file import load
from pipeline.plan import Job, plan, require_sound_inputs
from pipeline.store import Store, key_of
from pipeline.worker import Outcome, call, end_with_parent, failure, require_gpus

LOCK_WAIT_SECONDS = 60.0
"""More than a killed run takes to end."""

REASONS = 5
"""Why clips are left out, by how many, as far as a sentence names them."""


@dataclass(frozen=True)
class Summary:
    stage: str
    dataset: str
    computed: int
    reused: int
    failed: list[Outcome]
    seconds: float
    left_out: int = 0
    """Clips that do not show what their source is for, or do so in too few frames."""

    def __str__(self) -> str:
        counts = f"{self.computed} computed, {self.reused} reused, {len(self.failed)} failed"
        listed = layout.left_out(layout.stage(self.dataset, self.stage))
        left_out = f"; {self.left_out} clips are left out, {listed} says why" if self.left_out else ""
        return f"{self.stage}@{self.dataset}: {counts} in {self.seconds:.1f} s{left_out}"


MapJobs = Callable[[list[Job]], Iterable[Outcome]]


def run(stage_name: str, dataset: str, map_jobs: MapJobs | None = None) -> Summary:
    """Leaves the stage's output folder complete, or (if any job failed) absent; finished jobs stay in the store.

    Raises InputError for what makes the whole stage impossible, before any work.
    """
    start = time.monotonic()
    stage, store, all_params = STAGES[stage_name], Store(layout.store()), load(layout.PARAMS)
    folder = layout.stage(dataset, stage_name)
    try:
        store.sweep()
        with store.in_use(LOCK_WAIT_SECONDS), store.only_one(f"output {folder.resolve()}", LOCK_WAIT_SECONDS):
            jobs = plan(stage, dataset, all_params, store)
            misses = [job for job in jobs if not store.has(job.key)]
            if misses:
                require_sound_inputs(stage, dataset, all_params, store)
                require_device(misses, all_params.machine)
            outcomes = _compute_all(
                misses, f"{stage_name}@{dataset}", map_jobs or local(all_params.machine.workers), len(jobs) - len(misses)
            )
            failed = [outcome for outcome in outcomes if outcome.state == "failed"]
            shutil.rmtree(folder, ignore_errors=True)
            left_out = 0 if failed else publish(stage, jobs, store, folder)
            if stage.per == "item" and not failed:
                clip_list.write(dataset)
    except TimeoutError as error:
        raise InputError(f"{error}: wait for that run to end, or cancel it") from None
    except OSError as error:
        if problem := storage_problem(error):
            raise InputError(f"{stage_name}@{dataset}: {problem}") from None
        raise
    computed = sum(outcome.state == "computed" for outcome in outcomes)
    summary = Summary(stage_name, dataset, computed, len(jobs) - computed - len(failed), failed, time.monotonic() - start, left_out)
    _log_run(summary)
    return summary


def require_device(jobs: list[Job], machine: params.Machine) -> None:
    """InputError where GPUs lack. A cluster's workers may have what this machine has not."""
    if machine.device == "cuda" and machine.task_runner == "local" and any("torch" in job.made_by["libraries"] for job in jobs):
        if launched.by_torchrun():
            torchrun.require_gpus_here(jobs[0])
        else:
            require_gpus(max(job.ranks for job in jobs), "machine.devices")


def compute(job: Job) -> Outcome:
    """Computes one job into the store. Callable anywhere that sees the folders; never raises for what a job did."""
    store = Store(Path(job.store))
    resumable = STAGES[job.stage].takes("work")
    try:
        with store.only_one(job.key, LOCK_WAIT_SECONDS) if resumable else nullcontext():
            if store.has(job.key):
                return Outcome(job.name, "reused")
            with store.writing(job.key) as out:
                if launched.by_torchrun():
                    torchrun.lead(job, out)
                elif job.ranks > 1:
                    ranks.run(job, out)
                else:
                    call(job, out)
    except TimeoutError:
        return Outcome(job.name, "failed", f"{job.stage} is being computed by another run: wait for it to end")
    except Exception as error:
        return failure(job, error)
    return Outcome(job.name, "computed")


def local(workers: int) -> MapJobs:
    """Jobs in worker processes of this machine; a single one in this process."""

    def map_jobs(jobs: list[Job]) -> Iterator[Outcome]:
        if len(jobs) == 1 or workers == 1:
            yield from map(compute, jobs)
            return
        with worker_pool(min(workers, len(jobs))) as pool:
            futures = {pool.submit(compute, job): job for job in jobs}
            try:
                lost = []
                for future in as_completed(futures):
                    if isinstance(future.exception(), BrokenProcessPool):
                        lost.append(futures[future])
                    else:
                        yield future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        yield from map(alone, lost)

    return map_jobs


def alone(job: Job) -> Outcome:
    """In a process of its own: shows which job kills its worker, and lets the others go on."""
    try:
        with worker_pool(1) as pool:
            return pool.submit(compute, job).result()
    except BrokenProcessPool:
        return Outcome(job.name, "failed", "its worker process was killed (out of memory?)", "no traceback: the process was killed")


def worker_pool(workers: int) -> ProcessPoolExecutor:
    """Processes that end with this one, however it ends."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=end_with_parent, initargs=(os.getpid(),))


def publish(stage: Stage, jobs: list[Job], store: Store, folder: Path) -> int:
    """Links every job's entry into the stage's output folder and writes its manifest; nothing is left where that fails.

    Returns how many clips are left out.
    """
    if stage.per == "item":
        _require_clips(jobs, store, folder)
    try:
        for job in jobs:
            if stage.per != "clip":
                store.require_sound(job.key, store.path(job.key))
            store.link(job.key, folder / job.name if stage.per == "clip" else folder)
            if stage.per == "item":
                layout.clips_table(folder).unlink()
            if stage.per in ("item", "split"):
                layout.clips_left_out(folder).unlink(missing_ok=True)  # of this part; the table of all follows
        left_out = _left_out_rows(jobs, store) if stage.per in ("item", "split") else []
        if left_out:
            pd.DataFrame(left_out).to_csv(layout.left_out(folder), index=False, lineterminator="\n")
        manifest.write(folder, _clip_rows(jobs, store) if stage.per == "item" else _rows(jobs))
        return len(left_out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _rows(jobs: list[Job]) -> pd.DataFrame:
    return pd.DataFrame([(job.name, job.key) for job in jobs], columns=["clip", "key"])


def _clip_rows(jobs: list[Job], store: Store) -> pd.DataFrame:
    """An item gives several clips; the key of each follows from the item's."""
    rows = []
    for job in jobs:
        for row in manifest.text_rows(layout.clips_table(store.path(job.key))):
            key = key_of({"item": job.key, "clip": row["clip"]})
            rows.append({"clip": row["clip"], "key": key, "item_key": job.key, **row})
    return pd.DataFrame(rows)


def _require_clips(jobs: list[Job], store: Store, folder: Path) -> None:
    """InputError where every clip is left out; the list of them is all that lies in the stage's folder then."""
    if any(manifest.text_rows(layout.clips_table(store.path(job.key))) for job in jobs):
        return
    folder.mkdir(parents=True)
    listed = pd.DataFrame(_left_out_rows(jobs, store))
    listed.to_csv(layout.left_out(folder), index=False, lineterminator="\n")
    reasons = Counter(reason.partition(": ")[2] or reason for reason in listed["reason"])  # without the frames, which begin it
    shown = "; ".join(f"{count}: {reason}" for reason, count in reasons.most_common(REASONS))
    more = f"; and {len(reasons) - REASONS} other reasons" if len(reasons) > REASONS else ""
    raise InputError(f"every clip is left out ({shown}{more}); {layout.left_out(folder)} lists them")


def _left_out_rows(jobs: list[Job], store: Store) -> list[dict[str, str]]:
    tables = ((job, layout.clips_left_out(store.path(job.key))) for job in jobs)
    rows = [(job, row) for job, table in tables if table.is_file() for row in manifest.text_rows(table)]
    return [{"item_key": job.key, **row} if STAGES[job.stage].per == "item" else row for job, row in rows]


def _compute_all(misses: list[Job], name: str, map_jobs: MapJobs, reused: int) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with progress.bar(name, len(misses)) as bar:
        for outcome in map_jobs(misses) if misses else []:
            outcomes.append(outcome)
            failed = sum(o.state == "failed" for o in outcomes)
            bar.advance(f"{reused} reused, {failed} failed")
    return outcomes


def _log_run(summary: Summary) -> None:
    """Host, date and rates go where nothing is compared; where that cannot be written, the work is done all the same."""
    folder = layout.RUNS / f"{time.strftime('%Y%m%d-%H%M%S')}-{summary.stage}-{summary.dataset}-{os.getpid()}"
    facts = {"host": platform.node(), "seconds": summary.seconds, "computed": summary.computed, "reused": summary.reused}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "run.json").write_text(json.dumps({**facts, "failed": {o.name: o.problem for o in summary.failed}}, indent=1))
        for outcome in summary.failed:
            if outcome.trace:
                (folder / f"{outcome.name.replace('*', 'all')}.traceback.txt").write_text(outcome.trace)
    except OSError as error:
        print(f"{folder} cannot be written: {error.strerror}", file=sys.stderr)
