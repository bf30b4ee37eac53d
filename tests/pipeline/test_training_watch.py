import mmap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipeline import layout, live_table, progress
from pipeline.live_table import rows_of
from pipeline.training_watch import Watch, memory_bytes, timed


@pytest.fixture(autouse=True)
def said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1.0)
    monkeypatch.setattr(live_table, "FLUSH_SECONDS", -1.0)


def trained(folder: Path, first: int, last: int, loss: float = 0.5) -> None:
    with Watch(folder, "train@mine", 4, first - 1) as watch:
        for step in range(first, last + 1):
            watch.step(step, {"image_gan": loss, "generator_total": 10 * loss}, learning_rate=0.25, waited_seconds=0.0)


def board(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(layout.curves(folder)))
    events.Reload()
    return events


def test_a_step_is_a_row_and_a_point_of_each_curve(tmp_path: Path) -> None:
    trained(tmp_path / "new" / "folder", 1, 3)
    rows = rows_of(layout.live_steps(tmp_path / "new" / "folder"))
    assert [(row["step"], row["image_gan"], row["generator_total"], row["learning_rate"]) for row in rows] == [
        (step, 0.5, 5, 0.25) for step in (1, 2, 3)
    ]
    assert all(row["peak_mb"] >= row["memory_mb"] > 1 and row["seconds"] >= row["waited"] == 0 for row in rows)
    curves = board(tmp_path / "new" / "folder")
    assert set(curves.Tags()["scalars"]) == {
        *("terms/image_gan", "terms/generator_total"),
        *(f"training/{name}" for name in ("learning_rate", "seconds", "waited", "memory_mb", "peak_mb")),
    }
    assert [(point.step, point.value) for point in curves.Scalars("terms/generator_total")] == [(1, 5), (2, 5), (3, 5)]


def test_curves_go_on_after_a_resume_and_steps_that_were_lost_are_made_once(tmp_path: Path) -> None:
    trained(tmp_path, 1, 3, loss=0.5)
    trained(tmp_path, 3, 4, loss=0.25)
    expected = [(1, 0.5), (2, 0.5), (3, 0.25), (4, 0.25)]
    assert [(row["step"], row["image_gan"]) for row in rows_of(layout.live_steps(tmp_path))] == expected
    assert [(point.step, point.value) for point in board(tmp_path).Scalars("terms/image_gan")] == expected


def test_pictures_and_what_was_validated_are_in_tensorboard(tmp_path: Path) -> None:
    picture = tmp_path / "0000002.png"
    Image.fromarray(np.arange(24, dtype=np.uint8).reshape(2, 4, 3)).save(picture)
    with Watch(tmp_path, "train@mine", 4, 0) as watch:
        watch.preview(2, picture)
        watch.validated(2, {"reconstruction": 0.125})
    curves = board(tmp_path)
    (shown,) = curves.Images("preview")
    assert (shown.step, shown.width, shown.height) == (2, 4, 2) and shown.encoded_image_string == picture.read_bytes()
    assert [(point.step, point.value) for point in curves.Scalars("validation/reconstruction")] == [(2, 0.125)]
    assert rows_of(layout.live_validations(tmp_path)) == [{"step": 2, "reconstruction": 0.125}]


def test_a_line_says_pace_waiting_memory_totals_and_notes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.0, 2.0, 4.0])
    monkeypatch.setattr("pipeline.training_watch.time.perf_counter", lambda: next(clock))
    monkeypatch.setattr("pipeline.training_watch.memory_bytes", lambda: (1_500_000_000, 2_000_000_000))
    monkeypatch.setattr("pipeline.training_watch._Curves", lambda folder, done: None)
    with Watch(tmp_path, "train@mine", 10, 4) as watch:
        for step in (5, 6):
            watch.step(step, {"image_gan": 9.0, "generator_total": 12.3456}, learning_rate=0.1, waited_seconds=0.5)
        watch.note("a new phase")
    first, second, note = capsys.readouterr().err.splitlines()
    assert first == "train@mine: 5/10, 2.00 s each, 10 s left, 25 % waiting for data, 1.50 GB (peak 2.00), generator 12.35"
    assert second.startswith("train@mine: 6/10, 2.00 s each, 8 s left, ")
    assert note == "train@mine: a new phase"


def test_a_folder_that_cannot_be_written_costs_the_curves_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    with Watch(tmp_path / "runs", "train@mine", 2, 0) as watch:
        for step in (1, 2):
            watch.step(step, {"image_gan": 1.0}, learning_rate=0.1, waited_seconds=0.0)
    printed = capsys.readouterr().err
    assert printed.count("the training goes on") == 1 and "train@mine: 2/2" in printed


def test_a_table_that_fails_on_the_way_costs_the_curves_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with Watch(tmp_path, "train@mine", 3, 0) as watch:
        watch.step(1, {"image_gan": 1.0}, learning_rate=0.1, waited_seconds=0.0)
        monkeypatch.setattr(live_table.LiveTable, "add", full)
        for step in (2, 3):
            watch.step(step, {"image_gan": 1.0}, learning_rate=0.1, waited_seconds=0.0)
    printed = capsys.readouterr().err
    assert printed.count("No space left on device") == 1 and "train@mine: 3/3" in printed


def test_what_breaks_the_training_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(KeyError), Watch(tmp_path, "train@mine", 1, 0):
        raise KeyError
    assert not progress._shown  # the bar is closed
    trained(tmp_path, 1, 1)


def test_memory_of_this_process_grows_with_what_it_holds() -> None:
    before, _ = memory_bytes()
    with mmap.mmap(-1, 64 * 2**20) as held:  # pages of its own: malloc may have some left from before
        held.write(b"1" * len(held))
        after, peak = memory_bytes()
    assert 60 * 2**20 < after - before < 80 * 2**20 and peak >= after


def test_waiting_for_a_part_is_timed_and_what_is_done_with_it_is_not() -> None:
    def slow() -> Iterator[str]:
        for part in "ab":
            time.sleep(0.05)
            yield part

    waits = []
    for part, waited in timed(slow()):
        waits.append((part, waited))
        time.sleep(0.5)
    assert [part for part, _ in waits] == ["a", "b"] and all(0.05 <= waited < 0.5 for _, waited in waits)
