"""Of how many processes this is one."""

import pytest

from pipeline import launched
from pipeline.launched import Launched

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({"RANK": "3", "WORLD_SIZE": "6", "LOCAL_WORLD_SIZE": "2"}, Launched(number=3, processes=6, here=2)),
        ({"WORLD_SIZE": "6"}, Launched(number=0, processes=1, here=1)),  # left in a shell: nobody launched this process
        ({}, Launched(number=0, processes=1, here=1)),
    ],
)
def test_a_process_is_one_of_several_only_where_all_is_said_of_them(said, place, monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert launched.this_process() == place
