"""Real processes: a starter, its supervisor, a command, and the command's child."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event

import psutil
import pytest
from processes import assert_ended
from tiny_project import REPOSITORY

from flows import supervise
from flows.supervise import end_all, supervised

COMMAND = ["sh", "-c", "sleep 100 & echo $$ $!; wait"]
STUBBORN = ["sh", "-c", "trap '' TERM; sleep 100 & echo $$ $!; wait"]

STARTER = f"""
import os
from flows.supervise import supervised
with supervised({COMMAND!r}, dict(os.environ), grace_seconds=2) as process:
    print(process.pid, process.stdout.readline(), flush=True)
    process.stdout.read()
"""


def test_the_tree_ends_when_its_starter_is_killed() -> None:
    starter = subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    tree = _processes(starter.stdout.readline())
    assert len(tree) == 3
    starter.kill()
    starter.communicate()
    assert_ended(tree)


@pytest.mark.parametrize("command", [COMMAND, STUBBORN], ids=["willing", "stubborn"])
def test_the_tree_ends_when_the_supervisor_is_told_to(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "ending", Event())
    with supervised(command, dict(os.environ), grace_seconds=0.5) as process:
        tree = _processes(process.stdout.readline())
        end_all()
        assert_ended(tree)
    assert process.returncode in (128 + signal.SIGTERM, 128 + signal.SIGKILL)


def test_the_tree_ends_when_the_command_itself_is_killed() -> None:
    with supervised(COMMAND, dict(os.environ), grace_seconds=2) as process:
        tree = _processes(process.stdout.readline())
        tree[0].kill()
        assert_ended(tree)


def test_the_tree_ends_with_the_block_that_started_it() -> None:
    with supervised(COMMAND, dict(os.environ), grace_seconds=2) as process:
        tree = _processes(process.stdout.readline())
    assert_ended(tree)


def test_output_and_status_are_those_of_the_command() -> None:
    with supervised(["sh", "-c", "echo out; echo err >&2; exit 3"], dict(os.environ), grace_seconds=2) as process:
        assert process.stdout.read() == "out\nerr\n"
    assert process.returncode == 3


@pytest.mark.parametrize("between", [[], ["sh", "-c"]], ids=["by-itself", "in-a-shell-that-stays"])
def test_a_process_can_end_with_the_one_that_started_it(tmp_path: Path, between: list[str]) -> None:
    program = tmp_path / "lasting.py"
    program.write_text(
        "import os, time\n"
        "from flows.supervise import end_with_starter\n"
        "end_with_starter()\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(100)\n"
    )
    python = [sys.executable, str(program)]
    command = [*between, f"{shlex.join(python)}; :"] if between else python  # `; :` keeps any shell from giving its place to the command
    starter = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess; subprocess.run({command!r})"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert starter.stdout is not None
    orphan = psutil.Process(int(starter.stdout.readline()))
    starter.kill()
    starter.wait()
    assert_ended([orphan])


def _processes(pids: str) -> list[psutil.Process]:
    return [psutil.Process(int(pid)) for pid in pids.split()]
