"""`python -m flows.server`: a Prefect server on this machine, and the project's deployments served to it, until Ctrl-C.

The server's records and its log lie in PREFECT_HOME, by default `.prefect/` in the project.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from flows import environment
from flows.stage import answers
from flows.supervise import supervised
from pipeline.errors import InputError

HOST = "127.0.0.1"
START_SECONDS = 120.0
GRACE_SECONDS = 9.0
"""Longer than that of what a deployment runs."""


def main(arguments: list[str] | None = None) -> int:
    default = int(os.environ.get("PREFECT_SERVER_API_PORT", "4200"))
    parser = argparse.ArgumentParser(prog="python -m flows.server", description="A Prefect server, and the deployments of this project.")
    parser.add_argument("--port", type=int, default=default, help="default: PREFECT_SERVER_API_PORT, or 4200")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    try:
        run(asked.port)
    except KeyboardInterrupt:
        return 0
    except InputError as error:
        print(error, file=sys.stderr)
        return 1


def run(port: int) -> NoReturn:
    """Serves until Ctrl-C, or until one of the two processes ends; then ends both, the deployments first."""
    _require_free(port)
    home = Path(os.environ.get("PREFECT_HOME", ".prefect")).resolve()
    home.mkdir(parents=True, exist_ok=True)
    url = f"http://{HOST}:{port}/api"
    tools = environment.for_tools(PREFECT_HOME=str(home), PREFECT_API_URL=url)
    start_server = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]
    start_serving = [sys.executable, "-m", "flows.serve"]
    with (
        (home / "server.log").open("a") as log,
        supervised(start_server, tools, grace_seconds=GRACE_SECONDS, output=log.fileno()) as server,
    ):
        _wait_for_answer(url, server, log.name)
        with supervised(start_serving, tools, grace_seconds=GRACE_SECONDS, output=None) as deployments:
            _wait_for_end(server, deployments)


def _wait_for_end(server: subprocess.Popen[str], deployments: subprocess.Popen[str]) -> NoReturn:
    while deployments.poll() is None:
        if server.poll() is not None:
            raise InputError("the Prefect server has ended: its log is server.log in PREFECT_HOME")
        time.sleep(0.5)
    raise InputError("the deployments are no longer served")


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise InputError(f"port {port} of {HOST} cannot be used ({error}): choose another with --port") from None


def _wait_for_answer(url: str, server: subprocess.Popen[str], log: str) -> None:
    until = time.monotonic() + START_SECONDS
    while not answers(url):
        if server.poll() is not None or time.monotonic() > until:
            raise InputError(f"the Prefect server did not start: see {log}")
        time.sleep(0.5)


def _as_ctrl_c(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
