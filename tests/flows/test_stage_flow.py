"""The command of a DVC stage where a Prefect server answers."""

import json
import signal
import time
from typing import Any
from uuid import UUID

import psutil
import pytest
import tiny_jobs
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, FlowRunFilter, TaskRunFilter
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.states import Running
from processes import assert_ended
from tiny_project import DATASET, Project

from flows.link import PARENT_FLOW_RUN
from flows.stage_flow import BATCH, SINGLE_TASKS, batches

pytestmark = pytest.mark.server


@flow(name="parent")
def parent() -> None:
    pass


@pytest.fixture
def parent_run(tracked: Project) -> FlowRun:
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(parent, state=Running())
    tracked.variables[PARENT_FLOW_RUN] = str(run.id)
    return run


def test_each_miss_is_a_task_of_the_stages_flow_run_below_its_parent(tracked: Project, parent_run: FlowRun) -> None:
    tracked.raw(two="bad", three="unlucky")
    tracked.stage("clips")
    done = tracked.stage("segmentation")
    assert (done.returncode, done.stderr) == (1, "two: the labels are upside down\n")
    assert "2 computed, 0 reused, 1 failed" in done.stdout

    stages = {run.name: run for run in children(parent_run.id)}
    assert {name: state_type(run) for name, run in stages.items()} == {f"clips@{DATASET}": "COMPLETED", f"segmentation@{DATASET}": "FAILED"}
    run = stages[f"segmentation@{DATASET}"]
    assert set(run.tags) == {f"dataset:{DATASET}", "stage:segmentation"}
    assert run.state is not None and run.state.message == "two: the labels are upside down"
    assert {name: (state_type(task), task.run_count) for name, task in tasks_of(run.id).items()} == {
        "one": ("COMPLETED", 1),
        "two": ("FAILED", 1),  # bad data is not tried again
        "three": ("COMPLETED", 2),
    }
    assert {"result": "failed", "clips": "two", "why": "the labels are upside down"} in table_of(run.id)


def test_a_clip_in_the_store_is_no_task(tracked: Project, parent_run: FlowRun) -> None:
    without_server = Project(tracked.root)
    without_server.stage("clips")
    tracked.raw(two="2")
    assert "1 computed, 1 reused, 0 failed" in tracked.stage("clips").stdout
    assert list(tasks_of(children(parent_run.id)[0].id)) == ["two"]


def test_sigterm_ends_the_stage_its_workers_and_its_flow_run(tracked: Project, parent_run: FlowRun) -> None:
    tracked.raw(one="slow", two="2")
    process = tracked.start("tiny_journey", "clips", "--dataset", DATASET)
    while not (tracked.root / "slow").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert_ended(workers, 60)
    assert [state_type(run) for run in children(parent_run.id)] == ["CRASHED"]


def test_a_training_in_two_processes_is_one_task(tracked: Project, parent_run: FlowRun) -> None:
    without_server = Project(tracked.root)
    for stage in ("clips", "segmentation", "optical_flow", "dataset"):
        without_server.stage(stage)
    file = tracked.root / "params.yaml"
    text = file.read_text()
    assert "devices: 1 " in text
    file.write_text(text.replace("devices: 1 ", "devices: 2 ", 1))
    done = tracked.stage("train")
    assert (tracked.manifest("train").parent / "text").read_text() == "3 by 2, written by 0", done.stderr
    assert {name: state_type(task) for name, task in tasks_of(children(parent_run.id)[0].id).items()} == {"train": "COMPLETED"}


def test_thousands_of_misses_are_batched() -> None:
    jobs = [tiny_jobs.job(str(number)) for number in range(SINGLE_TASKS + 1)]
    assert [len(batch) for batch in batches(jobs)] == [BATCH] * 8 + [1]
    assert [job for batch in batches(jobs) for job in batch] == jobs
    assert len(batches(jobs[:-1])) == SINGLE_TASKS


def children(flow_run: UUID) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id={"any_": [flow_run]}))


def tasks_of(flow_run: UUID) -> dict[str, TaskRun]:
    """The server writes task runs down some moments after they end."""
    until = time.monotonic() + 10
    with get_client(sync_client=True) as client:
        while True:
            tasks = client.read_task_runs(task_run_filter=TaskRunFilter(flow_run_id={"any_": [flow_run]}))
            if all(is_final(task.state) for task in tasks) or time.monotonic() > until:
                return {task.name: task for task in tasks}
            time.sleep(0.2)


def table_of(flow_run: UUID) -> list[dict[str, Any]]:
    with get_client(sync_client=True) as client:
        (artifact,) = client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id={"any_": [flow_run]}))
    rows: list[dict[str, Any]] = json.loads(artifact.data)
    return rows


def is_final(state: State[Any] | None) -> bool:
    return state is not None and state.is_final()


def state_type(run: FlowRun | TaskRun) -> str:
    return run.state_type.value if run.state_type else ""
