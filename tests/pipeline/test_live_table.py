from pathlib import Path

import pytest

from pipeline import live_table
from pipeline.live_table import LiveTable, NewRows, rows_of


@pytest.fixture(autouse=True)
def seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_table, "FLUSH_SECONDS", -1.0)


def test_rows_are_seen_while_the_table_is_open(tmp_path: Path) -> None:
    table, new = LiveTable(tmp_path / "live.csv", 0), NewRows(tmp_path / "live.csv")
    assert new.read() == []
    table.add({"step": 1, "loss": 0.5})
    assert (tmp_path / "live.csv").read_text() == "step,loss\n1,0.5\n"


def test_a_column_that_comes_later_is_empty_before(tmp_path: Path) -> None:
    table = LiveTable(tmp_path / "live.csv", 0)
    table.add({"step": 1, "loss": 0.5})
    table.add({"step": 2, "loss": 0.25, "video": 3.0})
    table.add({"step": 1234567, "video": 1e-9})
    table.close()
    assert (tmp_path / "live.csv").read_text() == "step,loss,video\n1,0.5,\n2,0.25,3\n1234567,,1e-09\n"
    assert rows_of(tmp_path / "live.csv")[::2] == [{"step": 1, "loss": 0.5}, {"step": 1234567, "video": 1e-9}]


def test_after_a_resume_rows_beyond_the_saved_step_are_gone_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "live.csv"
    path.write_text("step,loss,late\n1,0.5,\n2,0.4,\n3,0.3,7\n4,0.")  # killed while it wrote
    table = LiveTable(path, 2)
    table.add({"step": 3, "loss": 0.35})
    table.close()
    assert path.read_text() == "step,loss\n1,0.5\n2,0.4\n3,0.35\n"


def test_who_follows_gets_each_whole_row_once_also_after_a_new_column(tmp_path: Path) -> None:
    path = tmp_path / "live.csv"
    new = NewRows(path)
    table = LiveTable(path, 0)
    table.add({"step": 1, "loss": 0.5})
    assert new.read() == [{"step": 1, "loss": 0.5}]
    table.add({"step": 2, "loss": 0.25})
    table.add({"step": 3, "loss": 0.125, "video": 1.0})
    assert new.read() == [{"step": 2, "loss": 0.25}, {"step": 3, "loss": 0.125, "video": 1.0}]
    with path.open("a") as file:
        file.write("4,0.0625,2")
    assert new.read() == []
    with path.open("a") as file:
        file.write(".5\n")
    assert new.read() == [{"step": 4, "loss": 0.0625, "video": 2.5}]


def test_who_follows_a_resumed_training_gets_what_it_opens_with_and_nothing_that_it_drops(tmp_path: Path) -> None:
    path = tmp_path / "live.csv"
    path.write_text("step,loss\n1,0.5\n2,0.4\n3,0.3\n")
    new = NewRows(path)
    assert new.read() == []
    table = LiveTable(path, 2)
    table.add({"step": 3, "loss": 0.35})
    assert [row["loss"] for row in new.read()] == [0.5, 0.4, 0.35]
