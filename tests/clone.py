"""A clone of what is committed, with an empty store and cache of its own, in which commands run as a user's would."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ruamel.yaml import YAML

from flows import environment
from tests.conftest import REPOSITORY

START_SECONDS, RUN_SECONDS = 300, 1500


class Clone:
    def __init__(self, root: Path) -> None:
        self.root = root
        subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(root)], check=True)
        self.variables = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "V2V"))}

    def start(self, *module: str, output: IO[str] | None = None) -> subprocess.Popen[str]:
        """`python -m ...` in the clone; prints into a pipe, or a file."""
        variables = {**environment.QUIET, **self.variables, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        command = [sys.executable, "-m", *module]
        return subprocess.Popen(
            command, cwd=self.root, env=variables, text=True, stdout=output or subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def run(self, *module: str) -> str:
        process = self.start(*module)
        try:
            printed, _ = process.communicate(timeout=RUN_SECONDS)
        finally:
            process.kill()  # nothing where it has ended
        assert process.returncode == 0, printed
        return printed

    def lock(self) -> dict[str, Any]:
        """Of every stage: command, parameters, hashes of inputs and outputs."""
        lock: dict[str, Any] = YAML(typ="safe").load(self.root / "dvc.lock")
        return lock["stages"]

    @contextmanager
    def server(self) -> Iterator[str]:
        """`python -m flows.server`; what runs in the clone meanwhile is seen by it. Yields the address of its pages."""
        port, log = free_port(), self.root / "server.txt"
        with log.open("w") as output:  # a pipe that nobody reads would fill up
            process = self.start("flows.server", "--port", str(port), output=output)
        try:
            until = time.monotonic() + START_SECONDS
            while log.read_text().count("\n") < 2:
                assert process.poll() is None and time.monotonic() < until, log.read_text()
                time.sleep(0.2)
            self.variables[environment.API_URL] = f"http://127.0.0.1:{port}/api"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()  # as Ctrl-C, which a process started in the background may not get
            process.wait(timeout=120)
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
