"""The last word on a flow run whose process is gone: no run and no task of it stays unfinished in the UI."""

import time
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType, TaskRun
from prefect.states import Cancelled, Crashed

RUNNER_SECONDS = 5.0
"""For Prefect's runner to tell how a deployment's run ended; it knows better."""
LATE_SECONDS = 1.5
"""Task runs reach the server's records some moments after the fact."""
POLL_SECONDS = 0.3
NOT_READY = "NotReady"
"""The state of a task for ever when one before it has failed."""

STARTED = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
UNFINISHED = [StateType.SCHEDULED, StateType.PAUSED, *STARTED]


def settle(flow_run_id: UUID) -> None:
    """Cancelled where somebody cancelled the run or the one that started it; otherwise crashed."""
    with get_client(sync_client=True) as client:
        flow_run = _ended(client, flow_run_id)
        cancelled = _is_cancelled(flow_run) or _is_cancelled(_parent(client, flow_run))
        wrong = flow_run.state is None or not flow_run.state.is_final() or (cancelled and flow_run.state.is_crashed())
        if wrong:
            client.set_flow_run_state(flow_run_id, _end(cancelled), force=True)
        until = time.monotonic() + LATE_SECONDS
        while time.monotonic() < until:
            _settle_tasks(client, flow_run_id, cancelled)
            time.sleep(POLL_SECONDS)


def settle_left() -> None:
    """For a server that starts: what its records call running ended with its last process, or with the machine.

    The run of a stage without a parent is left alone: a `dvc repro` by hand may have outlived the server.
    """
    with get_client(sync_client=True) as client:
        running = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=STARTED)))
        left = [run for run in client.read_flow_runs(flow_run_filter=running) if run.deployment_id or run.parent_task_run_id]
        for flow_run in left:
            cancelled = _is_cancelled(flow_run) or _is_cancelled(_parent(client, flow_run))
            client.set_flow_run_state(flow_run.id, _end(cancelled), force=True)
        for flow_run in left:
            _settle_tasks(client, flow_run.id, _is_cancelled(flow_run))


def _settle_tasks(client: SyncPrefectClient, flow_run_id: UUID, cancelled: bool) -> None:
    for task_run in _unfinished_tasks(client, flow_run_id):
        client.set_task_run_state(task_run.id, _end(cancelled), force=True)


def _end(cancelled: bool) -> State[Any]:
    return Cancelled(message="Ended with the run that was cancelled.") if cancelled else Crashed(message="Its process was killed.")


def _ended(client: SyncPrefectClient, flow_run_id: UUID) -> FlowRun:
    """The run, once it has a final state, or nobody is left to give it one."""
    until = time.monotonic() + RUNNER_SECONDS
    while True:
        flow_run = client.read_flow_run(flow_run_id)
        final = flow_run.state is not None and flow_run.state.is_final()
        if final or flow_run.deployment_id is None or time.monotonic() > until:
            return flow_run
        time.sleep(POLL_SECONDS)


def _parent(client: SyncPrefectClient, flow_run: FlowRun) -> FlowRun | None:
    if flow_run.parent_task_run_id is None:
        return None
    stand_in = client.read_task_run(flow_run.parent_task_run_id)
    return client.read_flow_run(stand_in.flow_run_id) if stand_in.flow_run_id else None


def _is_cancelled(flow_run: FlowRun | None) -> bool:
    state = flow_run.state if flow_run else None
    return state is not None and (state.is_cancelling() or state.is_cancelled())


def _unfinished_tasks(client: SyncPrefectClient, flow_run_id: UUID) -> list[TaskRun]:
    """Without the ones that stand for a child: the server keeps their state equal to the child's."""
    unfinished = TaskRunFilterState(type=TaskRunFilterStateType(any_=UNFINISHED))
    wanted = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[flow_run_id]), state=unfinished)
    below = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[flow_run_id]))
    children = client.read_flow_runs(flow_run_filter=below)
    stand_ins = {child.parent_task_run_id for child in children}
    found = client.read_task_runs(task_run_filter=wanted)
    return [task_run for task_run in found if task_run.id not in stand_ins and task_run.state_name != NOT_READY]
