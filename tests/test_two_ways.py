"""`dvc repro` and a deployment run, each in a clone of its own with an empty store and cache: the same results to the bit."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from flows import environment
from tests.conftest import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.server, pytest.mark.timeout(2400)]

REPORT = "report@smoke"
NUM_STAGES = 13


class Clone:
    """Of what is committed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(root)], check=True)
        self.variables = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "V2V"))}

    def start(self, *module: str) -> subprocess.Popen[str]:
        variables = {**environment.QUIET, **self.variables, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        command = [sys.executable, "-m", *module]
        return subprocess.Popen(command, cwd=self.root, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, *module: str) -> str:
        process = self.start(*module)
        printed, _ = process.communicate()
        assert process.returncode == 0, printed
        return printed

    def lock(self) -> dict[str, Any]:
        """Command, parameters, hashes of inputs and outputs of every stage."""
        lock: dict[str, Any] = YAML(typ="safe").load(self.root / "dvc.lock")
        return lock["stages"]

    @contextmanager
    def server(self) -> Iterator[None]:
        port = _free_port()
        process = self.start("flows.server", "--port", str(port))
        assert process.stdout is not None
        try:
            pages = process.stdout.readline()
            assert f":{port}" in pages, pages + process.stdout.read()
            self.variables[environment.API_URL] = f"http://127.0.0.1:{port}/api"
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
            self.variables.pop(environment.API_URL, None)


def test_dvc_repro_and_a_deployment_give_equal_bytes_and_do_nothing_twice(tmp_path: Path) -> None:
    by_dvc, by_deployment = Clone(tmp_path / "by dvc"), Clone(tmp_path / "by deployment")
    by_dvc.run("dvc", "repro", REPORT)
    with by_deployment.server():
        printed = by_deployment.run("prefect", "deployment", "run", "evaluate/smoke", "--watch")
        assert f"{NUM_STAGES} stages ran, 0 were up to date" in _flat(printed), printed
        again = by_deployment.run("prefect", "deployment", "run", "evaluate/smoke", "--watch")
        assert f"0 stages ran, {NUM_STAGES} were up to date" in _flat(again), again

    outputs = hashes(by_dvc.lock())
    assert len(by_dvc.lock()) == NUM_STAGES and len(outputs) > NUM_STAGES
    assert outputs == hashes(by_deployment.lock())
    assert by_dvc.lock() == by_deployment.lock()

    for clone in (by_dvc, by_deployment):
        printed = clone.run("dvc", "repro", REPORT)
        assert "Running stage" not in printed and "Data and pipelines are up to date" in printed


def hashes(lock: dict[str, Any]) -> dict[str, str]:
    return {output["path"]: output["md5"] for stage in lock.values() for output in stage["outs"]}


def _flat(printed: str) -> str:
    """The console breaks long lines."""
    return re.sub(r"\s+", " ", printed)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
