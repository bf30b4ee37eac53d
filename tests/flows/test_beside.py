import time
from collections.abc import Iterator

from flows.beside import beside


def test_it_looks_again_and_again_and_once_more_after_what_the_block_did_last() -> None:
    done: list[str] = []
    seen: list[list[str]] = []

    def look_on(looks: Iterator[None]) -> None:
        for _ in looks:
            seen.append(list(done))

    with beside(look_on, every_seconds=0.01, last_look_seconds=10):
        while len(seen) < 2:
            time.sleep(0.01)
        done.append("the last")
    assert seen[0] == [] and seen[-1] == ["the last"]


def test_the_block_s_end_waits_no_longer_than_it_is_told_to() -> None:
    def look_on(looks: Iterator[None]) -> None:
        for _ in looks:
            time.sleep(60)

    begun = time.monotonic()
    with beside(look_on, every_seconds=0.01, last_look_seconds=0.05):
        pass
    assert time.monotonic() - begun < 30
