import pytest

from pipeline.params import Phase
from pipeline.schedule import Schedule, learning_rate_factor


def phase(**changes) -> Phase:
    values = {"scales": 1, "only_finest": False, "steps": 10, "learning_rate": 1.0, "decay_from": 1.0}
    return Phase(**{**values, "window_frames": 2, "sequence_frames": 4, "double_every": None, **changes})


def test_the_rate_stays_and_then_falls_linearly_to_almost_nothing():
    rates = [learning_rate_factor(step, 10, 0.5) for step in range(1, 11)]
    assert rates[:5] == [1.0] * 5
    assert rates[5:] == pytest.approx([5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])


def test_a_rate_that_never_falls():
    assert [learning_rate_factor(step, 3, 1.0) for step in (1, 2, 3)] == [1.0, 1.0, 1.0]


def test_a_sequence_goes_on_over_steps_until_its_frames_are_made():
    schedule = Schedule([phase(sequence_frames=6)], most_frames=100)
    steps = [schedule[number] for number in range(1, 8)]
    assert [step.begins for step in steps] == [1, 1, 1, 4, 4, 4, 7]
    assert [step.first_frame for step in steps] == [0, 2, 4, 0, 2, 4, 0]
    assert [step.ends_sequence for step in steps] == [False, False, True, False, False, True, False]


def test_sequences_double_and_a_doubling_begins_a_new_one():
    schedule = Schedule([phase(steps=11, sequence_frames=2, double_every=3)], most_frames=9)
    steps = [schedule[number] for number in range(1, 12)]
    assert [step.sequence_frames for step in steps] == [2] * 3 + [4] * 3 + [8] * 5  # 16 would be more than 9
    assert [step.begins for step in steps] == [1, 2, 3, 4, 4, 6, 7, 7, 7, 10, 10]
    assert schedule.longest_sequence() == 8


def test_each_phase_has_its_scales_and_its_own_falling_rate():
    coarse = phase(steps=2, decay_from=0.0, learning_rate=3.0)
    alone = phase(steps=2, scales=2, only_finest=True, learning_rate=0.5, window_frames=1)
    schedule = Schedule([coarse, alone, phase(steps=1, scales=2)], most_frames=100)
    steps = [schedule[number] for number in range(1, schedule.steps + 1)]
    assert [(step.scales, step.only_finest) for step in steps] == [(1, False)] * 2 + [(2, True)] * 2 + [(2, False)]
    assert [step.learning_rate for step in steps] == pytest.approx([2.0, 1.0, 0.5, 0.5, 1.0])
    assert [step.window_frames for step in steps] == [2, 2, 1, 1, 2]
    assert steps[2].starts_sequence and steps[4].starts_sequence
