"""A training's rows, as DVCLive leaves them: compared with what was written."""

import csv
import json
from pathlib import Path

import pytest
from dvc.repo import Repo

from flows import live
from pipeline import layout, live_table
from pipeline.live_table import LiveTable
from pipeline.plan import Job
from pipeline.worker import Outcome


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a training in a DVC project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(live_table, "FLUSH_SECONDS", -1.0)
    Repo.init(no_scm=True).close()
    watched = layout.watch("mine", "train", "0123456789abcdef")
    watched.mkdir(parents=True)
    return watched


def job(stage: str, folder: Path) -> Job:
    return Job(stage, "*", "", "", {}, {}, {}, "cpu", 1, str(folder))


def written(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Step and value of every row, by the metric's name."""
    metrics = layout.live_plots(folder) / "plots" / "metrics"
    found = {}
    for path in metrics.rglob("*.tsv"):
        name = path.relative_to(metrics).with_suffix("").as_posix()
        rows = csv.DictReader(path.read_text().splitlines(), delimiter="\t")
        found[name] = [(int(row["step"]), float(row[path.stem])) for row in rows]
    return found


def test_rows_of_a_training_are_passed_on_and_nothing_else_is_left_in_the_project(folder: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())

    def trains(jobs: list[Job]) -> list[Outcome]:
        steps, validations = LiveTable(layout.live_steps(folder), 0), LiveTable(layout.live_validations(folder), 0)
        for step in (1, 2, 3):
            steps.add({"step": step, "image_gan": 1 / step, **({"video_gan/9": 7.0} if step == 3 else {})})
        validations.add({"step": 2, "reconstruction": 0.25})
        steps.close()
        validations.close()
        return [Outcome("*", "computed")]

    assert [outcome.state for outcome in live.followed(trains)([job("train", folder)])] == ["computed"]
    assert written(folder) == {
        "image_gan": [(1, 1.0), (2, 0.5), (3, 0.333333)],
        "video_gan/9": [(3, 7.0)],
        "validation/reconstruction": [(2, 0.25)],
    }
    last = json.loads((layout.live_plots(folder) / "metrics.json").read_text())
    assert last == {"image_gan": 0.333333, "video_gan": {"9": 7.0}, "validation": {"reconstruction": 0.25}, "step": 2}
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert not list(tmp_path.rglob("dvc.yaml"))


def test_a_resumed_training_s_curves_begin_with_the_rows_from_before(folder: Path) -> None:
    layout.live_steps(folder).write_text("step,image_gan\n1,0.5\n2,0.4\n3,0.3\n")
    with live.following(job("train", folder)):
        steps = LiveTable(layout.live_steps(folder), 2)
        steps.add({"step": 3, "image_gan": 0.25})
        steps.close()
    assert written(folder) == {"image_gan": [(1, 0.5), (2, 0.4), (3, 0.25)]}


def test_of_many_rows_evenly_spaced_ones_are_passed_on_with_the_last(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_ROWS", 4)
    monkeypatch.setattr(live, "LOOK_SECONDS", 60.0)
    with live.following(job("train", folder)):
        steps = LiveTable(layout.live_steps(folder), 0)
        for step in range(1, 12):
            steps.add({"step": step, "image_gan": 1.0})
        steps.close()
    assert written(folder) == {"image_gan": [(2, 1.0), (5, 1.0), (8, 1.0), (11, 1.0)]}


@pytest.mark.parametrize(("stage", "has_dvc"), [("train", False), ("evaluate", True)])
def test_where_dvc_is_not_used_and_for_other_stages_there_is_nothing(folder: Path, tmp_path: Path, stage: str, has_dvc: bool) -> None:
    if not has_dvc:
        (tmp_path / ".dvc").rename(tmp_path / "elsewhere")
    with live.following(job(stage, folder)):
        steps = LiveTable(layout.live_steps(folder), 0)
        steps.add({"step": 1, "image_gan": 1.0})
        steps.close()
    assert not layout.live_plots(folder).exists()


def test_what_goes_wrong_there_does_not_reach_the_training(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout.live_plots(folder).write_text("a file where the folder should be")
    with live.following(job("train", folder)):
        steps = LiveTable(layout.live_steps(folder), 0)
        steps.add({"step": 1, "image_gan": 1.0})
        steps.close()
    assert "gets no more rows" in caplog.text
