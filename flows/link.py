"""Ties the flow run of a stage to the flow run that started DVC, so that Prefect's UI shows one tree, and to its process.

DVC stands between the two, so the parent's id comes in the environment. As with any subflow, the parent gets a task run that
stands for the child; the server keeps its state equal to the child's.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from threading import Event, Thread
from types import FrameType
from typing import Any, NoReturn, cast
from uuid import UUID, uuid4

import httpx
from prefect import Flow, State, Task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound, TerminationSignal
from prefect.flow_engine import run_flow
from prefect.states import Cancelled, Pending

from flows.witness import witnessed

PARENT_FLOW_RUN = "V2V_PARENT_FLOW_RUN"
CANCEL_SECONDS = 2.0
"""How often a run asks whether somebody has cancelled it: Prefect's runner does so for deployments only."""


def run_linked(flow: Flow[Any, Any], *, name: str, tags: list[str], parameters: dict[str, Any]) -> State[Any]:
    """Runs a flow as a child of the flow run that the environment names (of none without it); SIGTERM and Cancel in the UI end it."""
    with get_client(sync_client=True) as client:
        flow_run = _create(client, flow, name=name, tags=tags, parameters=parameters)
        signal.signal(signal.SIGTERM, _terminate)
        with witnessed(flow_run.id), _asking_whether_cancelled(flow_run.id) as cancelled:
            try:
                return cast("State[Any]", run_flow(flow, flow_run=flow_run, parameters=parameters, return_type="state"))
            except TerminationSignal as ended:
                if cancelled.is_set():
                    with suppress(httpx.HTTPError):  # the witness tries again
                        client.set_flow_run_state(flow_run.id, Cancelled(message="Cancelled in the UI."), force=True)
                how = "was cancelled" if cancelled.is_set() else "was ended from outside"
                print(f"{name}: {how}; what it has finished is kept", file=sys.stderr, flush=True)
                sys.exit(128 + ended.signal)


def _create(client: SyncPrefectClient, flow: Flow[Any, Any], *, name: str, tags: list[str], parameters: dict[str, Any]) -> FlowRun:
    parent = os.environ.get(PARENT_FLOW_RUN)
    stand_in = _create_stand_in(client, flow, name, UUID(parent)) if parent else None
    return client.create_flow_run(flow, name=name, tags=tags, parameters=parameters, state=Pending(), parent_task_run_id=stand_in)


def _create_stand_in(client: SyncPrefectClient, flow: Flow[Any, Any], name: str, parent: UUID) -> UUID:
    task = Task(fn=flow.fn, name=name)
    return client.create_task_run(task, flow_run_id=parent, dynamic_key=uuid4().hex, name=name, state=Pending()).id


def _terminate(number: int, _: FrameType | None) -> NoReturn:
    """Prefect calls this after it has recorded the end; without it the process would die before its logs are sent."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise TerminationSignal(signal=number)


@contextmanager
def _asking_whether_cancelled(flow_run: UUID) -> Iterator[Event]:
    """Sends SIGTERM to this process once somebody has cancelled the run; the event tells that it was this."""
    cancelled, over = Event(), Event()

    def ask() -> None:
        with get_client(sync_client=True) as client:
            while not (over.wait(CANCEL_SECONDS) or cancelled.is_set()):
                with suppress(httpx.HTTPError, ObjectNotFound):  # a server that is away for a moment is asked again
                    state = client.read_flow_run(flow_run).state
                    if state is not None and state.is_cancelling() and not over.is_set():
                        cancelled.set()
                        os.kill(os.getpid(), signal.SIGTERM)

    thread = Thread(target=copy_context().run, args=[ask], daemon=True)  # with the settings of this run
    thread.start()
    try:
        yield cancelled
    finally:
        over.set()
        thread.join(CANCEL_SECONDS)
