"""One job in two real processes, connected by gloo."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import tiny_ranks
import torch

from pipeline import params, ranks, runner
from pipeline.errors import InputError
from pipeline.journey import STAGES
from pipeline.store import Store
from tests.conftest import REPOSITORY
from tests.flows.processes import assert_ended, wait_for

START_SECONDS = 120
"""Both import torch, on a machine that others use, too."""


@pytest.fixture(autouse=True)
def one_more_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STAGES, "adding", tiny_ranks.STAGE)
    monkeypatch.setattr(ranks, "COMMAND", tiny_ranks.COMMAND)


def test_ranks_compute_together_with_the_threads_asked_for_and_the_first_alone_writes(tmp_path: Path) -> None:
    assert runner.compute(tiny_ranks.job(tmp_path, "well")).state == "computed"
    store = Store(tmp_path)
    assert store.files("ab12") == ["0.txt"]
    assert (store.path("ab12") / "0.txt").read_text() == "11 4"


@pytest.mark.parametrize(
    ("how", "problem", "traced"), [("refused", "the maps are upside down", False), ("raises", "RuntimeError: the disk coughed", True)]
)
def test_what_fails_in_any_rank_is_told_as_if_there_were_one_process(how: str, problem: str, traced: bool, tmp_path: Path) -> None:
    before = psutil.Process().children(recursive=True)  # other tests may have left a tracker of multiprocessing
    outcome = runner.compute(tiny_ranks.job(tmp_path, how))
    assert (outcome.state, outcome.problem) == ("failed", problem)
    assert ("the disk coughed" in outcome.trace) == traced
    assert not Store(tmp_path).has("ab12")
    assert set(psutil.Process().children(recursive=True)) <= set(before)


def test_a_killed_rank_is_reported_and_takes_the_other_along(tmp_path: Path) -> None:
    outcomes = []
    computing = threading.Thread(target=lambda: outcomes.append(runner.compute(tiny_ranks.job(tmp_path, "lasts"))), daemon=True)
    computing.start()
    both = ranks_of(tmp_path)
    both[1].kill()
    computing.join(30)
    assert [outcome.problem for outcome in outcomes] == ["adding: process 1 of 2 was killed (out of memory?)"]
    assert outcomes[0].trace  # no bad input: may be tried again
    assert_ended(both, 0)


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Computes a job that lasts."""
    paths = {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(Path(__file__).parent)])}
    command = [sys.executable, "-m", "tiny_ranks", str(tmp_path)]
    process = subprocess.Popen(
        command, env={**os.environ, **paths}, stdout=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=_hear_of_hang_ups
    )
    yield process
    process.kill()
    process.communicate()


def _hear_of_hang_ups() -> None:
    """Whoever started the tests may have had them ignored (nohup)."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def whole_group(process: subprocess.Popen[str]) -> None:
    """As a supervisor does."""
    os.killpg(process.pid, signal.SIGTERM)


def hang_up(process: subprocess.Popen[str]) -> None:
    """As a terminal that is closed."""
    process.send_signal(signal.SIGHUP)


ENDINGS = [(subprocess.Popen.terminate, signal.SIGTERM), (whole_group, signal.SIGTERM), (hang_up, signal.SIGHUP)]


@pytest.mark.parametrize(("end", "number"), ENDINGS, ids=["itself", "its-group", "hang-up"])
def test_sigterm_reaches_each_rank_once_and_waits_until_they_have_saved(
    end: Callable[[subprocess.Popen[str]], None], number: signal.Signals, starter: subprocess.Popen[str], tmp_path: Path
) -> None:
    both = ranks_of(tmp_path)
    end(starter)
    assert starter.wait(30) == 128 + number
    assert [(work(tmp_path) / f"{number}.saved").read_text() for number in (0, 1)] == ["told 1 time"] * 2
    assert_ended(both, 0)
    assert not Store(tmp_path).has("ab12")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_no_rank_outlives_the_process_that_started_it(starter: subprocess.Popen[str], tmp_path: Path) -> None:
    both = ranks_of(tmp_path)
    starter.kill()
    assert_ended(both)


def test_what_a_rank_loads_with_ends_with_it_though_it_has_a_group_of_its_own() -> None:
    """As the processes of a training's DataLoader."""
    sleeping = "subprocess.Popen(['sleep', '100'], start_new_session=True)"
    rank = subprocess.Popen([sys.executable, "-c", f"import subprocess, time; {sleeping}; time.sleep(100)"], start_new_session=True)
    wait_for(lambda: bool(psutil.Process(rank.pid).children()), 20)
    loading = psutil.Process(rank.pid).children()
    ranks._kill([rank])
    assert_ended(loading, 5)


def ranks_of(store: Path) -> list[psutil.Process]:
    """Once both are at work."""
    files = [work(store) / f"{number}.pid" for number in (0, 1)]
    wait_for(lambda: all(file.exists() and file.read_text() for file in files), START_SECONDS)
    return [psutil.Process(int(file.read_text())) for file in files]


def work(store: Path) -> Path:
    return store / "work" / "ab12"


@pytest.mark.parametrize(("number", "here"), [("machine.devices", 4), ("torchrun's --nproc-per-node", 3)])
def test_less_gpus_than_processes_are_named(number: str, here: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    if here == 3:
        for name, value in {"RANK": 0, "WORLD_SIZE": 6, "LOCAL_WORLD_SIZE": here}.items():
            monkeypatch.setenv(name, str(value))
    job = dataclasses.replace(tiny_ranks.job(Path("store"), "well"), device="cuda", ranks=4)
    machine = params.Machine(device="cuda", threads=1, devices=4, workers=1, task_runner="local")
    with pytest.raises(InputError) as refused:
        runner.require_device([job], machine)
    assert str(refused.value) == f"{number} is {here}, each with a GPU of its own, but torch finds 2 here: it may be at most 2"
