"""Runs that are cancelled or killed, against a real server: their processes end, the UI shows the truth, nothing finished is lost."""

import time
from collections.abc import Callable, Iterator

import pytest
from conftest import Server
from deployment_run import DeploymentRun, started_and_lasting
from prefect.client.orchestration import get_client
from prefect.states import Cancelling
from processes import assert_ended, wait_for
from tiny_project import DATASET, Project

pytestmark = pytest.mark.server

CLIPS = f"clips@{DATASET}"
END_SECONDS, SETTLED_SECONDS = 30, 60
"""An idle machine takes a few seconds; a loaded one may take its time."""


@pytest.fixture
def running(server: Server, tracked: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeploymentRun]:
    monkeypatch.chdir(server.project.root)
    yield started_and_lasting(server.project)
    (server.project.root / "go").touch()  # a failed test must not keep the deployment's only slot


def kill(module: str) -> Callable[[DeploymentRun], None]:
    return lambda running: running.find(module).kill()


def kill_flow(running: DeploymentRun) -> None:
    running.processes()[0].kill()


def cancel(running: DeploymentRun) -> None:
    """What the UI's button does."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(running.id, Cancelling())


def cancel_the_stage(running: DeploymentRun) -> None:
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(running.stages()[0].id, Cancelling())


@pytest.mark.parametrize(
    ("end", "states"),
    [
        pytest.param(cancel, {"parent": "CANCELLED", "stage": "CANCELLED"}, id="cancelled"),
        pytest.param(cancel_the_stage, {"parent": "FAILED", "stage": "CANCELLED"}, id="stage-cancelled"),
        pytest.param(kill_flow, {"parent": "CRASHED", "stage": "CRASHED"}, id="flow-killed"),
        pytest.param(kill("dvc"), {"parent": "FAILED", "stage": "CRASHED"}, id="dvc-killed"),
        pytest.param(kill("flows.supervise"), {"parent": "FAILED", "stage": "CRASHED"}, id="supervisor-killed"),
        pytest.param(kill("tiny_journey"), {"parent": "FAILED", "stage": "CRASHED"}, id="stage-killed"),
    ],
)
def test_it_ends_whole_and_the_next_run_does_what_is_missing(
    running: DeploymentRun, end: Callable[[DeploymentRun], None], states: dict[str, str]
) -> None:
    tree = running.processes()
    assert any("tiny_journey" in process.cmdline() for process in tree)
    start = time.monotonic()
    end(running)
    assert_ended(tree, END_SECONDS)
    print(f"ended after {time.monotonic() - start:.1f} s")
    wait_for(lambda: running.states() == states, SETTLED_SECONDS, running.states)
    wait_for(lambda: running.unfinished_tasks() == [], SETTLED_SECONDS, running.unfinished_tasks)
    print(f"settled after {time.monotonic() - start:.1f} s")

    if states["parent"] == "CANCELLED":
        assert "FAILED" not in running.task_states()

    running.project.raw(slow=f"{time.time()}")
    again = running.project.run("dvc", "repro", f"dataset@{DATASET}")
    assert again.returncode == 0, again.stderr
    assert f"{CLIPS}: 1 computed, 2 reused, 0 failed" in again.stdout
