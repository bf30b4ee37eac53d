"""Downloads from a server on this machine that cuts, stalls, lies and leads astray."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import progress
from pipeline.download import download
from pipeline.errors import InputError
from tests.pipeline.origin import (
    CONTENT,
    OTHER,
    Origin,
    Request,
    cut_after,
    running,
    says,
    slowly,
    stalls_after,
    status,
    to,
    without_length,
    without_ranges,
)

SIZE = len(CONTENT)


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    with running(monkeypatch) as started:
        yield started


@pytest.fixture
def fetch(tmp_path: Path, origin: Origin) -> Callable[..., bytes]:
    """Downloads to the same place each time, and returns what is there."""

    def run(*answers: Callable[[Request], None], exact_bytes: int | None = None, may_continue: bool = True, url: str = "") -> bytes:
        origin.answers = list(answers)
        download(
            url or origin.url(),
            tmp_path / "part",
            version=tmp_path / "version",
            name="net",
            exact_bytes=exact_bytes,
            may_continue=may_continue,
        )
        return (tmp_path / "part").read_bytes()

    return run


def test_a_file_comes_as_it_is(fetch, origin):
    assert fetch() == CONTENT
    assert origin.asked == [""]


def test_a_connection_that_is_cut_is_gone_on_with_where_it_was(fetch, origin, capsys):
    assert fetch(cut_after(300_000), cut_after(400_000)) == CONTENT
    assert origin.asked == ["", "300000-", "700000-"]
    assert capsys.readouterr().err.count("trying again") == 2


def test_a_server_that_falls_silent_is_asked_again(fetch, origin, monkeypatch):
    monkeypatch.setattr("pipeline.download.TIMEOUT", 1.0)
    assert fetch(stalls_after(300_000)) == CONTENT
    assert origin.asked == ["", "300000-"]


def test_a_slow_server_is_waited_for(fetch, origin, monkeypatch):
    """The whole takes longer than the server may be silent."""
    monkeypatch.setattr("pipeline.download.TIMEOUT", 1.5)
    assert fetch(slowly) == CONTENT
    assert origin.asked == [""]


def test_any_number_of_cuts_is_borne_while_something_new_comes(fetch, origin):
    assert fetch(*[cut_after(50_000)] * 15) == CONTENT
    assert len(origin.asked) == 16


def test_a_server_from_which_nothing_more_comes_is_given_up_and_what_came_is_kept(fetch, origin, tmp_path):
    with pytest.raises(InputError, match=r"/net-0123\.pth: .*; 4 tries brought nothing more$"):
        fetch(cut_after(300_000), *[cut_after(0)] * 9)
    assert len(origin.asked) == 5
    assert (tmp_path / "part").read_bytes() == CONTENT[:300_000]
    assert fetch() == CONTENT
    assert origin.asked[-1] == "300000-"


def test_a_server_that_knows_no_parts_starts_anew(fetch, origin):
    assert fetch(cut_after(300_000), without_ranges) == CONTENT
    assert origin.asked == ["", "300000-"]


def test_a_part_that_was_not_asked_for_is_not_taken(fetch, origin):
    def from_elsewhere(request: Request) -> None:
        request.head(206, Content_Range=f"bytes 5-{SIZE - 1}/{SIZE}", Content_Length=SIZE - 5)
        request.send(CONTENT[5:])

    assert fetch(cut_after(300_000), from_elsewhere) == CONTENT
    assert origin.asked == ["", "300000-", ""]


def test_a_part_that_is_the_whole_needs_no_more_bytes(fetch, origin, tmp_path):
    (tmp_path / "part").write_bytes(CONTENT)
    assert fetch() == CONTENT
    assert origin.asked == [f"{SIZE}-"]
    assert fetch(exact_bytes=SIZE) == CONTENT
    assert origin.asked == [f"{SIZE}-"]


def test_a_part_that_is_longer_than_the_whole_is_begun_anew(fetch, origin, tmp_path):
    (tmp_path / "part").write_bytes(CONTENT + b"more")
    assert fetch(exact_bytes=SIZE) == CONTENT
    assert origin.asked == [f"{SIZE + 4}-", ""]


def test_a_file_that_has_become_another_is_not_mixed(fetch, origin):
    with pytest.raises(InputError, match="the server says 503"):
        fetch(cut_after(300_000), *[status(503)] * 4, may_continue=False)
    origin.content, origin.etag = OTHER, '"two"'
    assert fetch(may_continue=False) == OTHER
    assert origin.asked[-1] == "300000-"


@pytest.mark.parametrize(("etag", "asked"), [('"strong"', "300000-"), ('W/"weak"', "")])
def test_what_may_not_be_continued_is_only_where_the_server_marks_its_version(fetch, origin, etag, asked):
    origin.etag = etag
    with pytest.raises(InputError, match="the server says 503"):
        fetch(cut_after(300_000), *[status(503)] * 4, may_continue=False)
    assert fetch(may_continue=False) == CONTENT
    assert origin.asked[-1] == asked


@pytest.mark.parametrize(
    ("said", "exact_bytes", "sentence"),
    [
        (SIZE + 9, SIZE, r"the server says that the file has 1,024,009 bytes, expected are 1,024,000"),
        (SIZE - 9, SIZE, r"the server says that the file has 1,023,991 bytes, expected are 1,024,000"),
        (SIZE + 9, None, r"; 4 tries brought nothing more"),
    ],
)
def test_a_length_that_is_not_true_ends_in_one_sentence(fetch, said, exact_bytes, sentence):
    with pytest.raises(InputError, match=sentence) as refused:
        fetch(*[says(said)] * 9, exact_bytes=exact_bytes)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("exact_bytes", [SIZE, None])
def test_without_a_length_a_whole_file_is_taken(fetch, origin, exact_bytes):
    assert fetch(without_length, exact_bytes=exact_bytes) == CONTENT
    assert origin.asked == [""]


def test_without_a_length_a_short_file_is_gone_on_with(fetch, origin):
    def short(request: Request) -> None:
        request.head(200)
        request.send(CONTENT[:300_000])

    assert fetch(short, exact_bytes=SIZE) == CONTENT
    assert origin.asked == ["", "300000-"]


def test_without_a_length_a_file_without_an_end_is_stopped(fetch, tmp_path):
    def endless(request: Request) -> None:
        request.head(200)
        for _ in range(10_000):
            request.send(CONTENT)

    with pytest.raises(InputError, match=r"the server sends more than the 1,024,000 bytes that are expected"):
        fetch(endless, exact_bytes=SIZE)
    assert not (tmp_path / "part").exists()


def test_a_redirect_is_followed_with_the_range(fetch, origin):
    assert fetch(to("/moved.pth"), cut_after(300_000), to("/moved.pth")) == CONTENT
    assert origin.asked == ["", "", "300000-", "300000-"]


@pytest.mark.parametrize("location", ["http://203.0.113.1/net.pth", "http://localhost.example.org/net.pth", "ftp://127.0.0.1/net.pth"])
def test_no_redirect_leaves_https(fetch, origin, location):
    with pytest.raises(InputError, match=rf"^{re.escape(location)}: weights are fetched over https alone"):
        fetch(to(location))
    assert len(origin.asked) == 1


def test_an_address_without_https_is_refused(fetch):
    with pytest.raises(InputError, match="weights are fetched over https alone"):
        fetch(url="http://203.0.113.1/net.pth")


def test_a_circle_of_redirects_ends(fetch):
    with pytest.raises(InputError, match="redirects"):
        fetch(*[to("/net.pth")] * 50)


@pytest.mark.parametrize("number", [404, 403, 401, 416, 204])
def test_a_server_that_does_not_give_the_file_is_asked_once(fetch, origin, number):
    with pytest.raises(InputError, match=rf"/net-0123.pth: the server says {number} "):
        fetch(status(number))
    assert origin.asked == [""]


@pytest.mark.parametrize("number", [503, 429])
def test_a_busy_server_is_asked_again(fetch, origin, number):
    assert fetch(status(number)) == CONTENT
    assert len(origin.asked) == 2


def test_how_far_it_is_is_said(fetch, monkeypatch, capsys):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1.0)
    fetch(cut_after(300_000))
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"net: 0\.\d of 1\.0 MB, \d+\.\d\d MB/s, \d+ s left", lines[0])
    assert lines[-1].startswith("net: 1.0 of 1.0 MB, ")
