import socket
from pathlib import Path

import pytest
from conftest import Server
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
    pages, command = server.printed
    assert pages == f"Prefect's pages: {server.api_url.removesuffix('/api')}"
    assert command.startswith(f"PREFECT_API_URL={server.api_url} ")
    assert command.endswith(f" -m prefect deployment run preprocess/{DATASET} --watch")


def test_there_are_deployments_for_every_data_set_and_the_catalog(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(template)
    offered = deployments(load(layout.PARAMS))
    flows = ("preprocess", "train", "evaluate")
    assert [deployment.full_name for deployment in offered] == [f"{flow}/{name}" for flow in flows for name in (DATASET, IN_CATALOG)]
    assert all(deployment.concurrency_limit == 1 for deployment in offered)
    assert offered[0].parameters == {"dataset": DATASET}
