"""Flow runs whose process or server went away: their states on a real server."""

from uuid import UUID

import psutil
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelling, Pending, Running
from prefect.tasks import Task
from processes import assert_ended, wait_for
from tiny_project import Project

from flows.settle import settle_left
from flows.witness import witnessed

pytestmark = pytest.mark.server


@flow(name="parent")
def parent() -> None:
    pass


def started(state: State[None], below: FlowRun | None = None) -> FlowRun:
    with get_client(sync_client=True) as client:
        stand_in = below and client.create_task_run(Task(fn=parent.fn), flow_run_id=below.id, dynamic_key="0", state=Pending()).id
        return client.create_flow_run(parent, state=state, parent_task_run_id=stand_in)


def state_of(flow_run: UUID) -> str:
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(flow_run).state
    return state.type.value if state else ""


def witness_of(flow_run: UUID) -> psutil.Process:
    def witnesses() -> list[psutil.Process]:
        return [child for child in psutil.Process().children() if str(flow_run) in child.cmdline()]

    wait_for(lambda: len(witnesses()) == 1, 10)  # for a moment after it was started a process has no command line
    return witnesses()[0]


def test_a_run_that_ends_by_itself_is_left_as_it_is(tracked: Project) -> None:
    run = started(Running())
    with witnessed(run.id):
        witness = witness_of(run.id)
    assert_ended([witness])
    assert state_of(run.id) == "RUNNING"


def test_an_exception_is_told_of(tracked: Project) -> None:
    run = started(Running())
    with pytest.raises(SystemExit), witnessed(run.id):
        raise SystemExit(143)
    wait_for(lambda: state_of(run.id) == "CRASHED", 60)


def test_a_child_ends_as_cancelled_where_its_parent_was(tracked: Project) -> None:
    above = started(Cancelling())
    run = started(Running(), below=above)
    with pytest.raises(SystemExit), witnessed(run.id):
        raise SystemExit(143)
    wait_for(lambda: state_of(run.id) == "CANCELLED", 60)


def test_a_witness_that_is_gone_harms_nobody(tracked: Project) -> None:
    run = started(Running())
    with witnessed(run.id):
        witness = witness_of(run.id)
        witness.kill()
        witness.wait()
    assert state_of(run.id) == "RUNNING"


def test_a_server_that_starts_again_settles_what_it_had_left_running(tracked: Project) -> None:
    by_hand = started(Running())
    run = started(Running(), below=by_hand)
    settle_left()
    assert state_of(run.id) == "CRASHED"
    assert state_of(by_hand.id) == "RUNNING"  # without a deployment and without a parent: it may have outlived the server
