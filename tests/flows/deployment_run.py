"""A run of the tiny project's deployment that stays at one clip, seen from outside: its processes, its states on the server."""

import time
from dataclasses import dataclass
from uuid import UUID

import psutil
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, TaskRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from processes import wait_for
from tiny_project import DATASET, Project

DEPLOYMENT = f"preprocess/{DATASET}"
START_SECONDS = 240
"""A loaded machine takes its time."""
NOT_READY = "NotReady"
"""A task's state for ever when one before it failed."""


@dataclass(frozen=True)
class DeploymentRun:
    project: Project
    id: UUID

    def processes(self) -> list[psutil.Process]:
        """The flow's own, and all below it."""
        (flow,) = (process for process in psutil.process_iter() if str(self.id) in _environment(process).get("PREFECT__FLOW_RUN_ID", ""))
        return [flow, *flow.children(recursive=True)]

    def find(self, module: str) -> psutil.Process:
        """Started as `python -m module`; not its supervisor, whose command ends with the same words."""
        return next(process for process in self.processes() if process.cmdline()[1:3] == ["-m", module])

    def state(self) -> str:
        with get_client(sync_client=True) as client:
            return _state(client.read_flow_run(self.id))

    def message(self) -> str:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(self.id).state
        return (state and state.message) or ""

    def stages(self) -> list[FlowRun]:
        """Flow runs of stages that this run has started."""
        with get_client(sync_client=True) as client:
            return client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id={"any_": [self.id]}))

    def states(self) -> dict[str, str]:
        """Of the parent and of the stage that was running."""
        return {"parent": self.state(), "stage": _state(self.stages()[0])}

    def task_states(self) -> set[str]:
        """Of the parent's tasks."""
        with get_client(sync_client=True) as client:
            tasks = client.read_task_runs(task_run_filter=TaskRunFilter(flow_run_id={"any_": [self.id]}))
        return {task.state_type.value for task in tasks if task.state_type}

    def clips(self) -> list[str]:
        """States of the tasks of the stage that runs."""
        with get_client(sync_client=True) as client:
            tasks = client.read_task_runs(task_run_filter=TaskRunFilter(flow_run_id={"any_": [self.stages()[0].id]}))
        return [task.state_type.value for task in tasks if task.state_type]

    def unfinished_tasks(self) -> list[str]:
        with get_client(sync_client=True) as client:
            runs = [self.id, *(stage.id for stage in self.stages())]
            tasks = client.read_task_runs(task_run_filter=TaskRunFilter(flow_run_id={"any_": runs}))
        return [task.name for task in tasks if task.state and not (task.state.is_final() or task.state.name == NOT_READY)]


def start(project: Project) -> DeploymentRun:
    run = run_deployment(DEPLOYMENT, timeout=0)
    assert isinstance(run, FlowRun)
    return DeploymentRun(project, run.id)


def started_and_lasting(project: Project) -> DeploymentRun:
    """Computes one clip until there is a file `go`; the two others of the same stage are done."""
    now = time.time()
    project.raw(one=f"one {now}", quick=f"quick {now}", slow=f"slow {now}")  # none is in the store
    for mark in ("slow", "go"):
        (project.root / mark).unlink(missing_ok=True)
    run = start(project)
    wait_for((project.root / "slow").exists, START_SECONDS)
    wait_for(lambda: len(run.stages()) == 1, START_SECONDS)
    wait_for(lambda: run.clips().count("COMPLETED") == 2, START_SECONDS, run.clips)
    return run


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


def _state(run: FlowRun) -> str:
    return run.state_type.value if run.state_type else ""
