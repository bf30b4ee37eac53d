"""`dvc repro` and a deployment run, each in a clone of its own with an empty store and cache: the same results to the bit."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.journey import STAGES
from tests.clone import Clone

pytestmark = [pytest.mark.slow, pytest.mark.server, pytest.mark.timeout(2400)]

REPORT, DEPLOYMENT = "report@smoke", "evaluate/smoke"
NUM_STAGES = len(STAGES)


def test_dvc_repro_and_a_deployment_give_equal_bytes_and_do_nothing_twice(tmp_path: Path) -> None:
    by_dvc, by_deployment = Clone(tmp_path / "by dvc"), Clone(tmp_path / "by deployment")
    by_dvc.run("dvc", "repro", REPORT)
    with by_deployment.server() as pages:
        assert said_by_a_run(by_deployment, pages) == f"{NUM_STAGES} stages ran, 0 were up to date"
        assert said_by_a_run(by_deployment, pages) == f"0 stages ran, {NUM_STAGES} were up to date"

    outputs = hashes(by_dvc.lock())
    assert len(by_dvc.lock()) == NUM_STAGES and len(outputs) > NUM_STAGES
    assert outputs == hashes(by_deployment.lock())
    assert by_dvc.lock() == by_deployment.lock()

    for clone in (by_dvc, by_deployment):
        printed = clone.run("dvc", "repro", REPORT)
        assert "Running stage" not in printed and "Data and pipelines are up to date" in printed


def hashes(lock: dict[str, Any]) -> dict[str, str]:
    return {output["path"]: output["md5"] for stage in lock.values() for output in stage["outs"]}


def said_by_a_run(clone: Clone, pages: str) -> str:
    """The message of a deployment run's final state."""
    printed = clone.run("prefect", "deployment", "run", DEPLOYMENT, "--watch")
    found = re.search(r"UUID: (\S+)", printed)
    assert found, printed
    message: str = httpx.get(f"{pages}/api/flow_runs/{found[1]}").json()["state"]["message"]
    return message
