import pytest

from pipeline.train import learning_rate_factor


def test_the_rate_stays_and_then_falls_linearly_to_almost_nothing():
    rates = [learning_rate_factor(step, 10, 0.5) for step in range(1, 11)]
    assert rates[:5] == [1.0] * 5
    assert rates[5:] == pytest.approx([5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])


def test_a_rate_that_never_falls():
    assert [learning_rate_factor(step, 3, 1.0) for step in (1, 2, 3)] == [1.0, 1.0, 1.0]
