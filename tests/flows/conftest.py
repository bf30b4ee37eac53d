"""One tiny project and one real Prefect server for all tests here."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the helpers beside this file, here and in the processes that tests start

import tiny_project
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from processes import assert_ended, wait_for
from tiny_project import Project

from flows import environment
from tests.clone import free_port


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_project.create(tmp_path_factory.mktemp("template") / "project").root


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Project:
    """Its path has a space."""
    return Project(Path(shutil.copytree(template, tmp_path / "a project")))


@dataclass(frozen=True)
class Server:
    """`python -m flows.server`, which serves the deployments of `project`."""

    api_url: str
    project: Project
    log: Path

    def printed(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture(scope="session")
def server(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("served")
    served = Project(Path(shutil.copytree(template, home / "a project")), {"PREFECT_HOME": str(home / "prefect")})
    port = free_port()
    log = home / "printed.txt"  # a pipe that nobody reads would fill up
    with log.open("w") as output:
        process = served.start("flows.server", "--port", str(port), output=output)
    wait_for(lambda: log.read_text().count("\n") >= 2 or process.poll() is not None, 300, log.read_text)
    url = f"http://127.0.0.1:{port}/api"
    served.variables[environment.API_URL] = url
    yield Server(url, served, log)
    _end_by_ctrl_c(process)


@pytest.fixture
def tracked(project: Project, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project whose stages are flow runs; this process is in it and asks the same server."""
    project.variables |= server.project.variables
    monkeypatch.chdir(project.root)
    for name, value in {**server.project.variables, "PYTHONPATH": tiny_project.MODULES}.items():
        monkeypatch.setenv(name, value)
    with temporary_settings({PREFECT_API_URL: server.api_url, PREFECT_LOGGING_TO_API_ENABLED: False}):
        yield project


def _end_by_ctrl_c(process: subprocess.Popen[str]) -> None:
    tree = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert_ended(tree, 60)
