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


def test_an_exception_ends_the_bar():
    with pytest.raises(RuntimeError), progress.bar("x", 1):
        raise RuntimeError
