"""A flow run over DVC's graph: every stage up to a target in dependency order, independent ones side by side.

The order is read from DVC, and DVC alone decides what has to run: the result is the same as that of `dvc repro`.
"""

from graphlib import TopologicalSorter
from typing import Any
from uuid import UUID

from prefect import State, Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows import dvc_project, supervise
from flows.artifacts import PAGES, show_page, show_table
from flows.dvc_project import OutOfDate, Repro
from flows.link import PARENT_FLOW_RUN
from flows.witness import witnessed
from pipeline import layout, prepare
from pipeline.errors import InputError
from pipeline.params_file import load

SIDE_BY_SIDE: TaskRunner[Any] = ThreadPoolTaskRunner[Any](max_workers=8)
"""How many stages at once; each has its own workers."""
BUSY_RETRIES, BUSY_SECONDS = 60, 5
"""How often and after how long a stage is asked for again while another DVC run holds its files."""

BUSY = "Busy"


def run_up_to(target: str, dataset: str, *, only_say: bool) -> State[Any]:
    """The body of a parent flow: scans the raw files, then runs the stages, or only says which. Failed if any stage is."""
    with witnessed(UUID(str(flow_run.id))):
        try:
            stages = _prepared(f"{target}@{dataset}", dataset)
            if only_say:
                return _said(dvc_project.out_of_date(stages), target, dataset)
        except InputError as error:
            return Failed(message=str(error))
        states = _run_all(stages)
        rows = [_row(stage, state) for stage, state in states.items()]
        show_table(target, dataset, "stages", rows=rows, description=f"Stages up to {target}@{dataset}; clips of those that ran")
        for stage in PAGES:
            if f"{stage}@{dataset}" in states and states[f"{stage}@{dataset}"].is_completed():
                show_page(stage, dataset)
        failed = [f"{stage}: {state.message}" for stage, state in states.items() if not state.is_completed() and state.name != "NotReady"]
        return Failed(message="\n".join(failed)) if failed else Completed(message=_count(rows))


def _prepared(target: str, dataset: str) -> dict[str, set[str]]:
    """The stages, each with those it needs; their raw files are scanned."""
    load(layout.PARAMS).require(dataset)
    stages = dvc_project.upstream_stages(target)
    for name in sorted({stage.split("@")[1] for stage in stages}):  # a model may come from another data set
        get_run_logger().info("%s: %d raw files", name, len(prepare.run(name)))
    return stages


def _said(found: OutOfDate, target: str, dataset: str) -> State[Any]:
    rows: list[dict[str, object]] = [{"stage": stage, "would run": "yes"} for stage in found.changed]
    rows += [{"stage": stage, "would run": "unless what it reads comes out equal"} for stage in found.after]
    show_table(target, dataset, "would-run", rows=rows, description=f"What {target}@{dataset} would run now")
    if not rows:
        return Completed(message="everything is up to date")
    after = f"; and, unless what they read comes out equal: {', '.join(found.after)}" if found.after else ""
    return Completed(message=f"would run: {', '.join(found.changed)}{after}")


def _run_all(stages: dict[str, set[str]]) -> dict[str, State[Any]]:
    futures: dict[str, PrefectFuture[Any]] = {}
    try:
        for stage in TopologicalSorter(stages).static_order():
            before = [futures[upstream] for upstream in stages[stage]]
            futures[stage] = repro.submit(stage=stage, parent_flow_run=str(flow_run.id), wait_for=before, return_state=False)
        for future in futures.values():
            future.wait()
    except BaseException:
        supervise.end_all()
        raise
    return {stage: future.state for stage, future in futures.items()}


def _is_busy(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    return state.name == BUSY


@task(
    task_run_name="{stage}",
    retries=BUSY_RETRIES,
    retry_delay_seconds=BUSY_SECONDS,
    retry_condition_fn=_is_busy,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def repro(stage: str, parent_flow_run: str) -> State[Repro]:
    done = dvc_project.repro(stage, environment_of_stage={PARENT_FLOW_RUN: parent_flow_run}, log=get_run_logger().info)
    if done.result in ("ran", "unchanged"):
        return Completed(message=done.result, data=done)
    if supervise.ending.is_set():
        return Cancelled(message="Ended with its run.", data=done)
    return Failed(name=BUSY if done.result == "busy" else "Failed", message=done.sentences(), data=done)


def _row(stage: str, state: State[Any]) -> dict[str, object]:
    done = state.result(raise_on_failure=False) if state.is_final() else None
    counts = done.counts() if isinstance(done, Repro) else {}
    clips: dict[str, object] = {name: counts.get(name, "") for name in ("computed", "reused", "failed")}
    if state.is_completed():
        return {"stage": stage, "result": state.message, **clips, "why": ""}
    if state.is_failed():
        return {"stage": stage, "result": "failed", **clips, "why": state.message}
    return {"stage": stage, "result": "not run", **clips, "why": "a stage before it failed"}


def _count(rows: list[dict[str, object]]) -> str:
    results = [row["result"] for row in rows]
    return f"{results.count('ran')} stages ran, {results.count('unchanged')} were up to date"
