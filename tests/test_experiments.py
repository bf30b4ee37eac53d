"""Experiments as docs/operations.md describes them, on the data set `smoke` in a clone."""

import csv
import subprocess
from pathlib import Path

import pytest

from pipeline import layout
from pipeline.live_table import rows_of
from tests.clone import Clone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

STEPS, METRIC = "datasets.smoke.train.steps", "vid2vid.psnr"


def git(clone: Clone, *command: str) -> str:
    return subprocess.run(["git", *command], cwd=clone.root, check=True, capture_output=True, text=True).stdout


def shown(clone: Clone) -> dict[str, dict[str, str]]:
    """The rows of `dvc exp show`, by the experiment's name."""
    printed = clone.run("dvc", "exp", "show", "--csv")
    return {row["Experiment"] or row["rev"]: row for row in csv.DictReader(printed[printed.index("Experiment,") :].splitlines())}


def watched(clone: Clone) -> list[Path]:
    return sorted((clone.root / layout.RUNS).glob("train-smoke-*"))


def test_an_experiment_changes_what_it_says_and_is_shown_with_parameter_and_metric(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    for name, value in (("user.name", "Somebody"), ("user.email", "somebody@example.org")):
        git(clone, "config", name, value)
    clone.run("dvc", "repro", "report@smoke")
    git(clone, "add", "dvc.lock", "data")
    git(clone, "commit", "-q", "-m", "smoke")

    printed = clone.run("dvc", "exp", "run", "--name", "two", "-S", f"{STEPS}=2", "report@smoke")
    assert "Running stage 'train@smoke'" in printed and "Stage 'dataset@smoke' didn't change, skipping" in printed
    git(clone, "checkout", "-q", ".")
    clone.run("dvc", "checkout", "--with-deps", "report@smoke")
    printed = clone.run("dvc", "exp", "run", "--temp", "--name", "three", "-S", f"{STEPS}=3", "train@smoke")
    assert "train@smoke: 1 computed" in printed and git(clone, "status", "--short", "-uno") == ""

    rows = shown(clone)
    assert [int(rows[name][STEPS]) for name in ("workspace", "two", "three")] == [4, 2, 3]
    assert float(rows["two"][METRIC]) != float(rows["workspace"][METRIC]) > 0
    for ref in git(clone, "for-each-ref", "--format=%(refname)", "refs/exps/").split():
        if ref.endswith(("two", "three")):
            assert set(git(clone, "diff", "--name-only", "HEAD", ref).split()) == {"dvc.lock", "params.yaml"}
    assert sorted(max(row["step"] for row in rows_of(layout.live_steps(folder))) for folder in watched(clone)) == [2, 3, 4]
    assert all((layout.live_plots(folder) / "metrics.json").is_file() for folder in watched(clone))
