import pytest
from tiny_project import DATASET, Project

from flows import dvc_project
from flows.dvc_project import Repro
from pipeline.errors import InputError
from pipeline.runner import Summary
from pipeline.worker import Outcome


def test_the_graph_is_the_one_of_dvc_yaml(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    assert dvc_project.upstream_stages(f"dataset@{DATASET}") == {
        f"dataset@{DATASET}": {f"segmentation@{DATASET}", f"optical_flow@{DATASET}"},
        f"segmentation@{DATASET}": {f"clips@{DATASET}"},
        f"optical_flow@{DATASET}": {f"clips@{DATASET}"},
        f"clips@{DATASET}": set(),
    }


def test_stages_beyond_the_target_are_left_out(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    assert dvc_project.upstream_stages(f"clips@{DATASET}") == {f"clips@{DATASET}": set()}


def test_an_unknown_target_is_refused_by_name(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    with pytest.raises(InputError, match="nothing@here"):
        dvc_project.upstream_stages("nothing@here")


def test_tracked_files_are_no_stages() -> None:
    dot = 'strict digraph {\n"raw/weights.dvc";\n"train@a-b";\n"raw/weights.dvc" -> "train@a-b";\n}\n'
    assert dvc_project.parse_dot(dot) == {"train@a-b": set()}


START = ["Running stage 'clips@a':", "> python -m flows.stage clips --dataset a"]
END = "ERROR: failed to reproduce 'clips@a': failed to run: python -m flows.stage clips --dataset a, exited with 1"


@pytest.mark.parametrize(
    ("printed", "sentences"),
    [
        (["clips@a: 1 computed, 0 reused, 2 failed in 0.1 s", "two: bad", "three: bad"], "two: bad\nthree: bad"),
        (["params.yaml: clips.width is 3"], "params.yaml: clips.width is 3"),
        (["Traceback (most recent call last):", "  File x", "KeyError: 'clip'"], "KeyError: 'clip'"),
        ([], END),
    ],
)
def test_why_a_stage_failed_is_what_it_said_last(printed: list[str], sentences: str) -> None:
    assert Repro("clips@a", "failed", [*START, *printed, END]).sentences() == sentences


def test_without_a_start_dvc_says_why() -> None:
    assert Repro("clips@a", "failed", ["ERROR: 'dvc.yaml' is invalid."]).sentences() == "ERROR: 'dvc.yaml' is invalid."


def test_counts_are_those_of_the_stages_summary() -> None:
    summary = Summary("clips", "a", computed=2, reused=3, failed=[Outcome("two", "failed", "bad")], seconds=0.1)
    assert Repro("clips@a", "failed", [*START, str(summary), "two: bad", END]).counts() == {"computed": 2, "reused": 3, "failed": 1}
    assert Repro("clips@a", "unchanged", []).counts() == {}
