import numpy as np
import pytest

from pipeline.linking import Seen, by_presence, tracks


def skeleton(x: float, y: float, size: float = 40.0, *, seed: int = 0, jitter: float = 0.5) -> Seen:
    """Points within a box of size/2 x size around (x, y), each a little off."""
    shape = np.random.default_rng(7).uniform(-0.5, 0.5, (25, 2)) * (size / 2, size) + (x, y)
    keypoints = np.zeros((137, 3), np.float32)
    keypoints[:25, :2] = shape + np.random.default_rng(seed).normal(0, jitter, (25, 2))
    keypoints[:25, 2] = 0.9
    return Seen(keypoints, np.array([x - size / 4, y - size / 2, x + size / 4, y + size / 2]))


def boxed(person: Seen) -> Seen:
    return Seen(None, person.box)


def crossing(length: int = 40, gone: range = range(0)) -> tuple[list[list[Seen]], list[list[int]]]:
    """One walks to the right, one to the left, one above the other by a quarter of their height; the frame lists them from the left."""
    frames, truth = [], []
    for t in range(length):
        people = [(skeleton(20 + 4 * t, 50, seed=t), 0), (skeleton(176 - 4 * t, 60, seed=100 + t), 1)]
        people = sorted((p for p in people if p[1] == 0 or t not in gone), key=lambda p: p[0].box[0])
        frames.append([person for person, _ in people])
        truth.append([identity for _, identity in people])
    return frames, truth


def switches(frames: list[list[Seen]], truth: list[list[int]]) -> int:
    """How many tracks hold more than one of the true people, or people more than one track."""
    pairs = {(n, truth[t][number]) for n, track in enumerate(tracks(frames)) for t, (number, _) in track.seen.items()}
    return len(pairs) - 2


@pytest.mark.parametrize("form", [lambda person: person, boxed], ids=["keypoints", "boxes"])
def test_two_people_who_cross_keep_who_they_are(form):
    frames, truth = crossing()
    assert switches([[form(person) for person in people] for people in frames], truth) == 0


@pytest.mark.parametrize("form", [lambda person: person, boxed], ids=["keypoints", "boxes"])
def test_of_two_who_look_alike_and_change_places_in_one_frame_the_speed_tells_who_is_who(form):
    frames = [[skeleton(20 + 8 * t, 50, seed=t), skeleton(332 - 8 * t, 50, seed=100 + t)] for t in range(40)]  # 172 and 180, then swapped
    assert switches([[form(person) for person in people] for people in frames], [[0, 1]] * 40) == 0


def test_somebody_who_is_hidden_while_they_cross_is_found_again():
    assert switches(*crossing(gone=range(17, 23))) == 0


def test_whoever_is_far_from_all_others_is_somebody_else():
    frames = [[skeleton(50, 50)], [skeleton(150, 50)], [skeleton(150, 50), skeleton(52, 50)]]
    found = tracks(frames)
    assert [{t: number for t, (number, _) in track.seen.items()} for track in found] == [{0: 0, 2: 1}, {1: 0, 2: 0}]


def test_no_track_has_two_people_of_one_frame_and_each_is_in_one():
    frames, _ = crossing()
    places = [(t, number) for track in tracks(frames) for t, (number, _) in track.seen.items()]
    assert sorted(places) == [(t, number) for t, people in enumerate(frames) for number in range(len(people))]


def test_the_main_person_covers_most_of_the_picture_over_the_clip():
    """Somebody large who is there for a moment comes after somebody smaller who stays; of equal ones who is nearer to the centre."""
    stays, passes = [[skeleton(100, 50, 40)] for _ in range(8)], skeleton(30, 50, 80)
    frames = [[*people, passes] if t == 3 else people for t, people in enumerate(stays)]
    first, second = by_presence(tracks(frames), 200, 100)
    assert (len(first.seen), len(second.seen)) == (8, 1)
    left, right = by_presence(tracks([[skeleton(30, 50), skeleton(120, 50)]] * 3), 200, 100)
    assert left.seen[0][0] == 1 and right.seen[0][0] == 0
