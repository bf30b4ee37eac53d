"""What each step of a training does, as a function of its number: one that goes on after a stop does what it would have done."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from pipeline.params import Phase


@dataclass(frozen=True)
class Step:
    number: int
    """From 1 on."""
    begins: int
    """The number of the step that its sequence begins with."""
    scales: int
    only_finest: bool
    learning_rate: float
    window_frames: int
    sequence_frames: int

    @property
    def first_frame(self) -> int:
        """How many frames of the sequence were made in the steps before."""
        return (self.number - self.begins) * self.window_frames

    @property
    def starts_sequence(self) -> bool:
        return self.number == self.begins

    @property
    def ends_sequence(self) -> bool:
        """Also false where a phase or a doubling cuts the sequence off."""
        return self.first_frame + self.window_frames >= self.sequence_frames


class Schedule:
    """`schedule[number]` is that step; the last one's number is `steps`."""

    def __init__(self, phases: list[Phase], most_frames: int) -> None:
        """`most_frames`: sequences never get longer."""
        self._phases, self._most_frames = phases, most_frames
        self._ends = list(accumulate(phase.steps for phase in phases))
        self.steps = self._ends[-1]

    def __getitem__(self, number: int) -> Step:
        place = bisect_right(self._ends, number - 1)
        phase, before = self._phases[place], self._ends[place] - self._phases[place].steps
        done = number - 1 - before  # of the phase
        period = phase.double_every or phase.steps
        frames = self._sequence_frames(phase, done // period)
        in_sequence = done % period % (frames // phase.window_frames)
        rate = phase.learning_rate * learning_rate_factor(done + 1, phase.steps, phase.decay_from)
        return Step(number, number - in_sequence, phase.scales, phase.only_finest, rate, phase.window_frames, frames)

    def longest_sequence(self) -> int:
        return max(self._sequence_frames(phase, (phase.steps - 1) // (phase.double_every or phase.steps)) for phase in self._phases)

    def _sequence_frames(self, phase: Phase, doublings: int) -> int:
        wanted = phase.sequence_frames * 2 ** min(doublings, 32)
        return max(min(wanted, self._most_frames) // phase.window_frames, 1) * phase.window_frames


def learning_rate_factor(step: int, steps: int, decay_from: float) -> float:
    """1, then linearly down; the last step still moves."""
    return min(1.0, (steps - step + 1) / (1 + steps * (1 - decay_from)))
