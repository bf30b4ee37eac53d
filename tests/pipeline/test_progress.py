import errno
import io

import pytest

from pipeline import progress


def test_parts_are_passed_on_in_order():
    assert list(progress.track(iter("abc"), "letters", 3)) == ["a", "b", "c"]


def test_without_a_terminal_a_line_says_how_far_it_is(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1.0)
    with progress.bar("clips@mine", 2) as bar:
        bar.advance("1 reused, 0 failed")
        bar.advance("1 reused, 1 failed")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("clips@mine: 1/2, ")
    assert second.endswith("0 s left, 1 reused, 1 failed")


class Gone(io.StringIO):
    """A terminal that was closed, or a pipe that nobody reads any more."""

    def __init__(self, *, live: bool) -> None:
        super().__init__()
        self.live, self.tried = live, 0

    def write(self, _: str) -> int:
        self.tried += 1
        raise OSError(errno.EIO, "Input/output error")

    def isatty(self) -> bool:
        return self.live


@pytest.mark.parametrize("live", [True, False])
def test_the_work_goes_on_when_nobody_can_be_told(monkeypatch, live):
    gone = Gone(live=live)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1.0)
    monkeypatch.setattr(progress.sys, "stderr", gone)
    with progress.bar("train@mine", 2) as bar:
        bar.advance("x")
        bar.say("a line")
        bar.advance("x")
    assert bar.done == 2 and gone.tried > 1


def test_an_exception_ends_the_bar():
    with pytest.raises(RuntimeError), progress.bar("x", 1):
        raise RuntimeError


def test_what_was_done_earlier_says_nothing_about_the_rate(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1.0)
    clock = iter([0.0, 4.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.bar("train@mine", 10, done=5) as bar:
        bar.advance("x")
    assert capsys.readouterr().err == "train@mine: 6/10, 4.00 s each, 16 s left, x\n"


def test_who_knows_the_rate_better_says_it(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1.0)
    with progress.bar("train@mine", 10) as bar:
        bar.advance("x", rate=3.0)
    assert capsys.readouterr().err == "train@mine: 1/10, 3.00/s, 3 s left, x\n"


def test_a_bar_within_another_is_a_line_of_the_same_display(monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress.bar("train@mine", 1) as outer, progress.bar("train", 5, done=2) as inner:
        assert [(task.description, task.completed) for task in outer._bar.tasks] == [("train@mine", 0), ("train", 2)]
        assert inner._bar is outer._bar and outer._bar.live.is_started
    with progress.bar("evaluate@mine", 1) as after:
        assert after._bar is not outer._bar and not outer._bar.live.is_started
