"""A clone of what is committed, with an empty store and cache of its own, in which commands run as a user's would."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from flows import environment
from tests.conftest import REPOSITORY


class Clone:
    def __init__(self, root: Path) -> None:
        self.root = root
        subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(root)], check=True)
        self.variables = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "V2V"))}

    def start(self, *module: str) -> subprocess.Popen[str]:
        """`python -m ...` in the clone."""
        variables = {**environment.QUIET, **self.variables, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        command = [sys.executable, "-m", *module]
        return subprocess.Popen(command, cwd=self.root, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, *module: str) -> str:
        process = self.start(*module)
        printed, _ = process.communicate()
        assert process.returncode == 0, printed
        return printed

    def lock(self) -> dict[str, Any]:
        """Of every stage: command, parameters, hashes of inputs and outputs."""
        lock: dict[str, Any] = YAML(typ="safe").load(self.root / "dvc.lock")
        return lock["stages"]

    @contextmanager
    def server(self) -> Iterator[str]:
        """`python -m flows.server`; what runs in the clone meanwhile is seen by it. Yields the address of its pages."""
        port = free_port()
        process = self.start("flows.server", "--port", str(port))
        assert process.stdout is not None
        try:
            said = process.stdout.readline()
            assert f":{port}" in said, said + process.stdout.read()
            self.variables[environment.API_URL] = f"http://127.0.0.1:{port}/api"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)
            self.variables.pop(environment.API_URL, None)


def free_port() -> int:
    """The next one is free, too: it serves the reports."""
    while True:
        with socket.socket() as probe, socket.socket() as following:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
            try:
                following.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
