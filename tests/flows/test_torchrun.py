"""A training on two machines, each played by a torchrun of its own."""

import subprocess

import pytest
from tiny_project import DATASET, Project

from pipeline.store import Store
from tests.clone import free_port

MACHINES = 2


@pytest.fixture
def prepared(project: Project) -> Project:
    """Up to `train`."""
    prepare(project)
    return project


def prepare(project: Project) -> None:
    for stage in ("clips", "segmentation", "optical_flow", "dataset"):
        done = project.stage(stage)
        assert done.returncode == 0, done.stderr


def torchrun(project: Project, stage: str) -> list[subprocess.CompletedProcess[str]]:
    """The same command on every machine, one process on each; which one leads is torchrun's choice."""
    settings = {"nnodes": MACHINES, "nproc-per-node": 1, "rdzv-backend": "c10d", "rdzv-endpoint": f"127.0.0.1:{free_port()}"}
    command = [*(f"--{name}={value}" for name, value in settings.items()), "-m", "tiny_journey", stage, "--dataset", DATASET]
    machines = [project.start("torch.distributed.run", *command) for _ in range(MACHINES)]
    printed = [machine.communicate(timeout=300) for machine in machines]
    return [subprocess.CompletedProcess(command, machine.returncode, *texts) for machine, texts in zip(machines, printed, strict=True)]


def said(machines: list[subprocess.CompletedProcess[str]]) -> str:
    return "".join(machine.stdout + machine.stderr for machine in machines)


def test_machines_train_together_and_what_is_in_the_store_none_trains_again(prepared: Project) -> None:
    first = torchrun(prepared, "train")
    assert [machine.returncode for machine in first] == [0, 0], said(first)
    assert said(first).count(f"train@{DATASET}: 1 computed, 0 reused, 0 failed") == 1
    assert (prepared.manifest("train").parent / "text").read_text() == "3 by 2, written by 0"

    again = torchrun(prepared, "train")
    assert [machine.returncode for machine in again] == [0, 0], said(again)
    assert said(again).count(f"train@{DATASET}: 0 computed, 1 reused, 0 failed") == 1
    assert "0 computed, 1 reused" in prepared.stage("train").stdout  # by one process, later


def test_bad_input_on_another_machine_is_told_once_by_the_first(prepared: Project) -> None:
    prepared.raw(two="refused")
    prepare(prepared)
    machines = torchrun(prepared, "train")
    assert all(machine.returncode for machine in machines)
    assert said(machines).count("the maps are upside down\n") == 1
    assert f"train@{DATASET}: 0 computed, 0 reused, 1 failed" in said(machines)
    assert "Error: " not in said(machines).replace("ChildFailedError: ", "")
    assert list((Store(prepared.root / ".store").root / "tmp").iterdir()) == []


def test_a_stage_that_one_process_makes_is_refused(prepared: Project) -> None:
    machines = torchrun(prepared, "clips")
    assert said(machines).count("clips is made by one process: call it without torchrun, which is for train\n") == 1
    assert all(machine.returncode for machine in machines)
