"""The command of a DVC stage where no Prefect server answers."""

import pytest
from tiny_project import DATASET, Project

from flows import environment, stage
from pipeline import layout
from pipeline.runner import Summary
from pipeline.worker import Outcome


def test_a_stage_fills_its_folder_and_does_nothing_twice(project: Project) -> None:
    first, second = project.stage("clips"), project.stage("clips")
    assert (first.returncode, second.returncode) == (0, 0)
    assert "1 computed, 0 reused, 0 failed" in first.stdout
    assert "0 computed, 1 reused, 0 failed" in second.stdout
    assert project.manifest("clips").is_file()


def test_a_bad_clip_fails_alone_in_one_sentence(project: Project) -> None:
    project.raw(two="bad", three="3")
    project.stage("clips")
    done = project.stage("segmentation")
    assert done.returncode == 1
    assert done.stderr == "two: the labels are upside down\n"
    assert "2 computed, 0 reused, 1 failed" in done.stdout
    assert "0 computed, 2 reused, 1 failed" in project.stage("segmentation").stdout


def test_what_makes_a_stage_impossible_is_one_sentence(project: Project) -> None:
    done = project.stage("segmentation")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"data/{DATASET}/clips/manifest.csv is missing" in done.stderr


def test_a_server_that_does_not_answer_is_named_and_not_needed(project: Project) -> None:
    project.variables[environment.API_URL] = "http://127.0.0.1:1/api"
    done = project.stage("clips")
    assert done.returncode == 0
    assert done.stderr == f"no Prefect server answers at http://127.0.0.1:1/api: clips@{DATASET} runs without it\n"


def test_a_stage_that_makes_a_page_says_where_it_lies(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "run", lambda name, dataset: Summary(name, dataset, 1, 0, [], 0.0))
    for name in ("quality_page", "quality"):
        folder = layout.stage(DATASET, name)
        folder.mkdir(parents=True)
    layout.page(layout.stage(DATASET, "quality_page")).touch()
    assert [stage.main([name, "--dataset", DATASET]) for name in ("quality", "quality_page")] == [0, 0]
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if line.startswith("open ")] == [f"open reports/{DATASET}.quality/index.html"]


def test_no_address_is_no_server() -> None:
    assert not stage.answers("nonsense")


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (Outcome("two", "failed", "is empty"), "two: is empty"),
        (Outcome("*", "failed", "no labels"), "no labels"),
        (Outcome("two", "failed", "OSError: gone", trace="Traceback ..."), "two: OSError: gone (traceback in runs/)"),
    ],
)
def test_a_sentence_names_the_clip_and_where_the_traceback_is(outcome: Outcome, sentence: str) -> None:
    assert stage.sentence(outcome) == sentence
