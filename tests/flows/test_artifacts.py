"""What is shown beside a run, on a real server."""

from pathlib import Path

import pytest
from PIL import Image
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter
from prefect.client.schemas.objects import Artifact, FlowRun
from prefect.states import Running
from processes import wait_for
from tiny_project import Project

from flows import artifacts, environment
from pipeline import layout

pytestmark = pytest.mark.server


@flow(name="shows")
def shows() -> None:
    artifacts.show_page("report", "a_street")
    artifacts.show_page("quality_page", "a_street")


def of(flow_run: FlowRun) -> list[Artifact]:
    with get_client(sync_client=True) as client:
        return client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id={"any_": [flow_run.id]}))


def save_preview(work: Path, step: int) -> None:
    path = layout.preview(work, step)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (step, 0, 0)).save(path)


def test_the_newest_preview_is_one_artifact_that_is_updated(tracked: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "PREVIEW_SECONDS", 0.2)
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(shows, state=Running())
    with artifacts.showing_previews(run.id, "train@a", tmp_path / "not there yet", tmp_path / "work"):
        assert of(run) == []
        save_preview(tmp_path / "work", 2)
        wait_for(lambda: [shown.description or "" for shown in of(run)] == [artifacts.CAPTION.format(step=2)], 30)
        first = of(run)[0]
        save_preview(tmp_path / "work", 10)
    (last,) = of(run)
    assert (last.id, last.key) == (first.id, "preview-train-a")
    assert "step 10" in (last.description or "")
    assert str(last.data).startswith("![preview](data:image/png;base64,") and last.data != first.data


@pytest.mark.parametrize(
    ("served", "link"),
    [("http://127.0.0.1:4201/", "(http://127.0.0.1:4201/a_street/index.html)"), (None, "/reports/a_street/index.html)")],
)
def test_a_page_is_linked_where_it_is_served_and_named_where_it_is_not(
    tracked: Project, monkeypatch: pytest.MonkeyPatch, served: str | None, link: str
) -> None:
    monkeypatch.setenv(environment.REPORTS_URL, served) if served else monkeypatch.delenv(environment.REPORTS_URL, raising=False)
    state = shows(return_state=True)
    with get_client(sync_client=True) as client:
        shown = {artifact.key: str(artifact.data) for artifact in of(client.read_flow_run(state.state_details.flow_run_id))}
    assert set(shown) == {"report-a-street", "quality-page-a-street"}
    assert shown["report-a-street"].endswith(link)
    assert shown["quality-page-a-street"].endswith(link.replace("a_street", "a_street.quality"))
