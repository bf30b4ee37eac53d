"""Parent flows over DVC's graph, against a real server, a real DVC project and real deployments."""

import json
import signal
import sys
import time

import psutil
import pytest
from conftest import Server
from prefect import State
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from processes import assert_ended, wait_for
from tiny_project import DATASET, IN_CATALOG, Project

from flows.preprocess import preprocess

pytestmark = pytest.mark.server

CLIPS, SEGMENTATION, OPTICAL_FLOW, WHOLE = (f"{stage}@{DATASET}" for stage in ("clips", "segmentation", "optical_flow", "dataset"))


def test_a_deployment_run_does_what_dvc_repro_does(server: Server) -> None:
    project = server.project
    watched = project.run("prefect", "deployment", "run", f"preprocess/{DATASET}", "--watch")
    assert watched.returncode == 0, watched.stdout + watched.stderr
    assert up_to_date(project)
    repro = project.run("dvc", "repro", f"dataset@{DATASET}")
    assert "Running stage" not in repro.stdout
    assert "up to date" in repro.stdout


def test_after_dvc_repro_the_parent_flow_runs_nothing(tracked: Project) -> None:
    without_server = Project(tracked.root)
    assert without_server.run("dvc", "repro", "-q", f"dataset@{DATASET}").returncode == 0
    end = preprocess(DATASET, return_state=True)
    assert end.is_completed()
    assert end.message == "0 stages ran, 4 were up to date"
    assert up_to_date(tracked)


def test_a_failed_stage_stops_what_depends_on_it_and_nothing_else(tracked: Project) -> None:
    tracked.raw(two="bad")
    end = preprocess(DATASET, return_state=True)
    assert end.is_failed()
    assert end.message == f"{SEGMENTATION}: two: the labels are upside down"
    assert results(end) == {CLIPS: "ran", SEGMENTATION: "failed", OPTICAL_FLOW: "ran", WHOLE: "not run"}
    assert children(end) == {CLIPS: "COMPLETED", SEGMENTATION: "FAILED", OPTICAL_FLOW: "COMPLETED"}


def test_killed_it_takes_everything_along_and_leaves_no_lock(tracked: Project) -> None:
    tracked.raw(one="slow", two="2")
    process = psutil.Popen([sys.executable, "-c", f"from flows.preprocess import preprocess; preprocess({DATASET!r})"])
    while not (tracked.root / "slow").exists():
        assert process.poll() is None
        time.sleep(0.1)
    tree = process.children(recursive=True)
    assert any("tiny_journey" in child.cmdline() for child in tree)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert_ended(tree, 60)
    wait_for(lambda: still_running(CLIPS) == [], 60)
    tracked.raw(one="1")
    assert Project(tracked.root).run("dvc", "repro", "-q", CLIPS).returncode == 0


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        (IN_CATALOG, f"add it with `python -m pipeline new-dataset {IN_CATALOG} --path FOLDER`"),
        ("tiny-stret", f"datasets has no tiny-stret; did you mean {DATASET}?"),
    ],
)
def test_a_data_set_that_is_not_there_ends_in_one_sentence(tracked: Project, dataset: str, sentence: str) -> None:
    end = preprocess(dataset, return_state=True)
    assert end.is_failed()
    assert end.message is not None
    assert end.message.endswith(sentence)
    assert "\n" not in end.message


def test_only_say_runs_nothing_and_names_what_would_run(tracked: Project) -> None:
    said = preprocess(DATASET, only_say=True, return_state=True)
    assert said.message is not None and said.message.startswith("would run: ")
    assert {name for name in (CLIPS, SEGMENTATION, OPTICAL_FLOW, WHOLE) if name in said.message} == {
        CLIPS,
        SEGMENTATION,
        OPTICAL_FLOW,
        WHOLE,
    }
    assert not (tracked.root / "data" / DATASET).exists()

    preprocess(DATASET, return_state=True)
    assert preprocess(DATASET, only_say=True, return_state=True).message == "everything is up to date"

    tracked.raw(two="2")
    changed = preprocess(DATASET, only_say=True, return_state=True).message
    assert changed is not None and changed.startswith(f"would run: {CLIPS}; and, unless what they read comes out equal: ")
    assert all(name in changed for name in (SEGMENTATION, OPTICAL_FLOW, WHOLE))


def test_the_stages_table_counts_clips(tracked: Project) -> None:
    tracked.raw(two="bad")
    rows = {row["stage"]: row for row in table(preprocess(DATASET, return_state=True))}
    assert [rows[CLIPS][name] for name in ("computed", "reused", "failed")] == [2, 0, 0]
    assert [rows[SEGMENTATION][name] for name in ("computed", "reused", "failed")] == [1, 0, 1]
    assert [rows[WHOLE][name] for name in ("computed", "reused", "failed")] == ["", "", ""]


def still_running(flow_run_name: str) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(flow_run_filter=FlowRunFilter(name={"any_": [flow_run_name]}, state={"type": {"any_": ["RUNNING"]}}))


def up_to_date(project: Project) -> bool:
    return "up to date" in project.run("dvc", "status").stdout


def results(end: State[None]) -> dict[str, str]:
    return {row["stage"]: row["result"] for row in table(end)}


def table(end: State[None]) -> list[dict[str, str]]:
    """The one beside the parent's flow run."""
    with get_client(sync_client=True) as client:
        (artifact,) = client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id={"any_": [end.state_details.flow_run_id]}))
    rows: list[dict[str, str]] = json.loads(artifact.data)
    return rows


def children(end: State[None]) -> dict[str, str]:
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id={"any_": [end.state_details.flow_run_id]}))
    return {run.name: run.state_type.value for run in runs if run.state_type}
