"""`python -m flows.server`: a Prefect server on this machine, the project's deployments and its reports served, until Ctrl-C.

The server's records and its log lie in PREFECT_HOME, by default `.prefect/` in the project.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
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
    parser.add_argument(
        "--port", type=int, default=default, help="default: PREFECT_SERVER_API_PORT, or 4200; the next one serves the reports"
    )
    asked = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):  # a process that a script starts in the background has Ctrl-C ignored
        signal.signal(number, _as_ctrl_c)
    try:
        run(asked.port)
    except KeyboardInterrupt:
        return 0
    except InputError as error:
        print(error, file=sys.stderr)
        return 1


def run(port: int) -> NoReturn:
    """Serves until Ctrl-C, or until one of its processes ends; then ends all, the deployments first."""
    for needed in (port, port + 1):
        _require_free(needed)
    home = Path(os.environ.get("PREFECT_HOME", ".prefect")).resolve()
    home.mkdir(parents=True, exist_ok=True)
    url, reports = f"http://{HOST}:{port}/api", f"http://{HOST}:{port + 1}/"
    tools = environment.for_tools(PREFECT_HOME=str(home), **{environment.API_URL: url, environment.REPORTS_URL: reports})
    with (home / "server.log").open("a") as log, ExitStack() as running:

        def start(*module: str, output: int | None) -> subprocess.Popen[str]:
            command = [sys.executable, "-m", *module]
            return running.enter_context(supervised(command, tools, grace_seconds=GRACE_SECONDS, output=output))

        server = start("prefect", "server", "start", "--host", HOST, "--port", str(port), output=log.fileno())
        _wait_for_answer(url, server, log.name)
        pages = start("flows.pages", str(port + 1), output=log.fileno())
        deployments = start("flows.serve", "--own-server", output=None)
        _wait_for_end({"the Prefect server": server, "the server of the reports": pages, "the deployments' process": deployments}, log.name)


def _wait_for_end(processes: dict[str, subprocess.Popen[str]], log: str) -> NoReturn:
    while True:
        for name, process in processes.items():
            if process.poll() is not None:
                raise InputError(f"{name} has ended: see above, and {log}")
        time.sleep(0.5)


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
