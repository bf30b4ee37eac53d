import sys
from typing import Any

import pytest
import tiny_jobs

from flows.places import LocalWorkers, place
from pipeline import params, runner
from pipeline.errors import InputError


def test_a_job_that_kills_its_worker_takes_no_other_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "compute", tiny_jobs.compute)
    jobs = [tiny_jobs.job(name) for name in ("innocent", "guilty", "bystander")]
    workers = LocalWorkers(2)
    outcomes = workers.compute(jobs)
    assert [outcome.state for outcome in outcomes] == ["computed", "failed", "computed"]
    assert "killed" in outcomes[1].problem and outcomes[1].trace
    assert [outcome.state for outcome in workers.compute(jobs[:1])] == ["computed"]
    workers.end()
    with pytest.raises(RuntimeError):
        workers.compute(jobs[:1])


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_a_task_runner_that_is_not_installed_is_refused_in_one_sentence(name: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, f"prefect_{name}", None)
    machine = params.Machine(device="cpu", threads=1, devices=1, workers=1, task_runner=name)
    with pytest.raises(InputError, match=f"install prefect-{name}"):
        place(machine)
