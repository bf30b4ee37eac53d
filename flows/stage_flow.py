"""A stage as a Prefect flow run: the clips that are not in the store become tasks.

A clip with bad data fails once and for all; one that failed otherwise, or whose worker died, is tried once more.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from prefect import Flow, State, Task, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.futures import as_completed
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from flows.artifacts import PAGES, show_page, show_table, showing_previews
from flows.link import run_linked
from flows.live import following
from flows.places import Compute, Place, place
from flows.stage import sentence
from pipeline import launched, layout, runner
from pipeline.errors import InputError
from pipeline.journey import STAGES
from pipeline.manifest import WHOLE
from pipeline.params_file import load
from pipeline.plan import Job
from pipeline.runner import MapJobs, Summary
from pipeline.store import Store
from pipeline.worker import Outcome

SINGLE_TASKS = 200
"""Up to so many clips get a task each."""
BATCH = 25
"""Clips per task beyond: a server loses task runs that come by the thousand, and reporting one costs as much as a tiny clip."""


def run(stage: str, dataset: str) -> Summary:
    """Like `pipeline.runner.run`, and seen by the server."""
    where = place(load(layout.PARAMS).machine)
    parameters = {"stage": stage, "dataset": dataset}
    tags = [f"dataset:{dataset}", f"stage:{stage}"]
    state = run_linked(_flow(stage, where), name=f"{stage}@{dataset}", tags=tags, parameters=parameters)
    result = state.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    return cast("Summary", result)


def _flow(name: str, where: Place) -> Flow[Any, Any]:
    @flow(name=f"{name} stage", task_runner=where.task_runner, persist_result=False)
    def run_stage(stage: str, dataset: str) -> State[Any]:
        """Bad input is a failed state, not an exception: its sentence says all, a traceback nothing."""
        try:
            summary = runner.run(stage, dataset, as_tasks(where))
        except InputError as error:
            return Failed(message=str(error), data=error)
        show_table(stage, dataset, rows=_rows(summary), description=str(summary))
        if stage in PAGES and not summary.failed:
            show_page(stage, dataset)
        if summary.failed:
            return Failed(message=_sentences(summary.failed), data=summary)
        return Completed(message=str(summary), data=summary)

    return run_stage


def as_tasks(where: Place) -> MapJobs:
    def map_jobs(jobs: list[Job]) -> Iterator[Outcome]:
        try:
            if len(jobs) == 1 and where.compute_alone:
                with _previews(jobs[0]), following(jobs[0]):
                    yield from _outcomes(compute_clips(_name(jobs), jobs, where.compute_alone, return_state=True))
                return
            futures = [compute_clips.submit(_name(batch), batch, where.compute) for batch in batches(jobs)]
            for future in as_completed(futures):
                future.wait()
                yield from _outcomes(future.state)
        except BaseException:
            where.end()
            raise

    return map_jobs


def _previews(job: Job) -> AbstractContextManager[None]:
    """Only a job with unfinished state leaves any on its way."""
    if not STAGES[job.stage].takes("work"):
        return nullcontext()
    store = Store(Path(job.store))
    return showing_previews(UUID(str(flow_run.id)), str(flow_run.name), store.work(job.key), store.path(job.key))


def batches(jobs: list[Job]) -> list[list[Job]]:
    size = 1 if len(jobs) <= SINGLE_TASKS else BATCH
    return [jobs[start : start + size] for start in range(0, len(jobs), size)]


def _machine_fault(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    outcomes = state.data if isinstance(state.data, list) else []
    return any(outcome.trace for outcome in outcomes) and not launched.by_torchrun()  # the other processes are gone


@task(task_run_name="{clips}", retries=1, retry_condition_fn=_machine_fault, cache_policy=NO_CACHE, persist_result=False)
def compute_clips(clips: str, jobs: list[Job], compute: Compute) -> State[list[Outcome]]:
    """Fails if any of its clips does; what the others gave is in the store."""
    outcomes = compute(jobs)
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    for outcome in failed:
        get_run_logger().error("%s\n%s", sentence(outcome), outcome.trace)
    if failed:
        return Failed(message=_sentences(failed), data=outcomes)
    return Completed(message=f"{len(outcomes)} computed", data=outcomes)


def _outcomes(state: State[Any]) -> list[Outcome]:
    result = state.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    return cast("list[Outcome]", result)


def _name(jobs: list[Job]) -> str:
    first, last = (job.stage if job.name == WHOLE else job.name for job in (jobs[0], jobs[-1]))
    return first if len(jobs) == 1 else f"{first} .. {last}"


def _sentences(failed: list[Outcome]) -> str:
    return "\n".join(sentence(outcome) for outcome in failed)


def _rows(summary: Summary) -> list[dict[str, object]]:
    counts = {"computed": summary.computed, "reused": summary.reused, "failed": len(summary.failed)}
    counts |= {"left out": summary.left_out} if summary.left_out else {}
    rows: list[dict[str, object]] = [{"result": result, "clips": count, "why": ""} for result, count in counts.items()]
    return rows + [{"result": "failed", "clips": outcome.name, "why": outcome.problem} for outcome in summary.failed]
