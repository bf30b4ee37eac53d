"""Two runs over the same data set at the same time: both end well, or the second says in words why it does not."""

import time
from collections.abc import Iterator

import pytest
from conftest import Server
from deployment_run import START_SECONDS, start, started_and_lasting
from processes import wait_for
from tiny_project import DATASET, Project

pytestmark = pytest.mark.server

DATASET_STAGE = f"dataset@{DATASET}"


@pytest.fixture
def served(server: Server, tracked: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The project whose deployments are served; this process is in it."""
    monkeypatch.chdir(server.project.root)
    yield server.project
    go(server.project)  # a failed test must not keep the deployment's only slot


def go(project: Project) -> None:
    (project.root / "go").touch()


def test_a_second_run_of_a_deployment_waits_for_the_first_and_then_has_nothing_to_do(served: Project) -> None:
    first = started_and_lasting(served)
    second = start(served)
    time.sleep(5)
    assert second.stages() == []
    go(served)
    wait_for(lambda: second.state() == "COMPLETED", START_SECONDS, second.message)
    assert first.state() == "COMPLETED"
    assert second.message() == "0 stages ran, 4 were up to date"


def test_dvc_repro_beside_a_deployment_run_says_who_is_in_the_way(served: Project) -> None:
    first = started_and_lasting(served)
    refused = served.run("dvc", "repro", DATASET_STAGE)
    assert refused.returncode != 0
    assert "is busy, it is being blocked by" in refused.stderr
    assert "Traceback" not in refused.stderr
    go(served)
    wait_for(lambda: first.state() == "COMPLETED", START_SECONDS, first.message)


def test_a_deployment_run_beside_dvc_repro_waits_for_it(served: Project) -> None:
    served.raw(one="1", slow=f"slow {time.time()}")
    for mark in ("slow", "go"):
        (served.root / mark).unlink(missing_ok=True)
    by_hand = served.start("dvc", "repro", DATASET_STAGE)
    wait_for((served.root / "slow").exists, START_SECONDS)
    waiting = start(served)
    wait_for(lambda: waiting.state() == "RUNNING", START_SECONDS)
    time.sleep(10)
    go(served)
    printed, _ = by_hand.communicate()
    assert by_hand.returncode == 0, printed
    wait_for(lambda: waiting.state() == "COMPLETED", START_SECONDS, waiting.message)
