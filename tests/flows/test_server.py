import socket
from pathlib import Path

import httpx
import pytest
from conftest import Server
from processes import wait_for
from ruamel.yaml import YAML
from tiny_project import DATASET, IN_CATALOG

from flows import server as flows_server
from flows.serve import deployments
from pipeline import layout
from pipeline.params_file import load


def test_a_port_in_use_is_refused_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert flows_server.main(["--port", str(port)]) == 1
    assert capsys.readouterr().err.startswith(f"port {port} of 127.0.0.1 cannot be used")


@pytest.mark.server
def test_it_says_where_the_pages_are_and_what_to_run(server: Server) -> None:
    pages, command, *_ = server.printed()
    assert pages == f"Prefect's pages: {server.api_url.removesuffix('/api')}"
    assert command.startswith(f"PREFECT_API_URL={server.api_url} ")
    assert command.endswith(f" -m prefect deployment run preprocess/{DATASET} --watch")


@pytest.mark.server
def test_it_serves_the_reports_and_parts_of_their_videos(server: Server) -> None:
    folder = server.project.root / "reports" / DATASET
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text("scores")
    (folder / "video.mp4").write_bytes(bytes(range(100)))
    pages = httpx.URL(server.api_url.removesuffix("/api"))
    pages = pages.copy_with(port=(pages.port or 0) + 1)
    assert f'href="{DATASET}/"' in httpx.get(pages).text
    assert httpx.get(f"{pages}/{DATASET}/").text == "scores"
    part = httpx.get(f"{pages}/{DATASET}/video.mp4", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
    assert httpx.get(f"{pages}/..%2Fparams.yaml").status_code == 404


@pytest.mark.server
def test_a_data_set_that_comes_later_is_offered_too(server: Server) -> None:
    params = server.project.root / "params.yaml"
    before = params.read_text()
    values = YAML(typ="safe").load(before)
    values["datasets"]["late-street"] = values["datasets"][DATASET]
    try:
        with params.open("w") as file:
            YAML().dump(values, file)
        address = f"{server.api_url}/deployments/name/preprocess/late-street"
        wait_for(lambda: httpx.get(address).status_code == 200, 120, server.printed)
    finally:
        params.write_text(before)


@pytest.mark.server
def test_a_deployment_takes_no_other_data_set(server: Server) -> None:
    found = httpx.get(f"{server.api_url}/deployments/name/preprocess/{DATASET}").json()
    schema = found["parameter_openapi_schema"]["properties"]
    assert "datasets" in schema["dataset"]["description"] and "which stages" in schema["only_say"]["description"]
    refused = httpx.post(f"{server.api_url}/deployments/{found['id']}/create_flow_run", json={"parameters": {"dataset": IN_CATALOG}})
    assert refused.status_code == 409 and IN_CATALOG in refused.text


def test_there_are_deployments_for_every_data_set_and_the_catalog(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(template)
    offered = deployments(load(layout.PARAMS))
    flows = ("preprocess", "train", "evaluate")
    assert [deployment.full_name for deployment in offered] == [f"{flow}/{name}" for flow in flows for name in (DATASET, IN_CATALOG)]
    assert all(deployment.concurrency_limit == 1 for deployment in offered)
    assert offered[0].parameters == {"dataset": DATASET}
