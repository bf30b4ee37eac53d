"""A file over HTTPS, gone on with where it stopped: connections are cut, servers stall, and what they say is not always true.

What has come lies in one file, whoever fetched it. Whether it is the right file is for the caller to see.
"""

import re
import time
from pathlib import Path

import httpx

from pipeline.errors import InputError, one_line
from pipeline.progress import ByteBar, byte_bar

PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds to wait after a try in which nothing new came; after as many and one more it is given up."""
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
"""Seconds without a byte, not of the whole: a slow server is a server."""

BUSY = (408, 425, 429, 500, 502, 503, 504)
"""Answers of a server that may have another one a little later."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Interrupted(Exception):
    """Why a try ended before the file did; another may go further."""


def download(url: str, part: Path, *, version: Path, name: str, exact_bytes: int | None, may_continue: bool) -> None:
    """Leaves the whole file in `part`. What lies there is gone on with where `may_continue`, or where the server knows it by the mark
    that it gave for it, which is kept in `version`.

    InputError where the server has no such file, says or sends another size than `exact_bytes`, or a few tries bring nothing more.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": "vid2vid-pipeline"}
    hooks = {"request": [_require_safe]}
    with (
        httpx.Client(headers=headers, timeout=TIMEOUT, follow_redirects=True, event_hooks=hooks) as client,
        byte_bar(name) as bar,
    ):
        source = _Source(client, url, part, version, exact_bytes)
        if not (may_continue or version.is_file()):
            source.forget()
        furthest, in_vain = source.arrived(), 0
        while True:
            try:
                return source.receive(bar)
            except Interrupted as error:
                in_vain = 0 if source.arrived() > furthest else in_vain + 1
                furthest = max(furthest, source.arrived())
                if in_vain > len(PAUSES):
                    raise InputError(f"{url}: {error}; {in_vain} tries brought nothing more") from None
                pause = PAUSES[max(in_vain - 1, 0)]
                bar.say(f"{name}: {error}: trying again in {pause:.0f} s")
                time.sleep(pause)


class _Source:
    """A file on a server, and what has come of it."""

    def __init__(self, client: httpx.Client, url: str, part: Path, version: Path, exact_bytes: int | None) -> None:
        self.client, self.url, self.part, self.version, self.exact_bytes = client, url, part, version, exact_bytes

    def arrived(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)

    def receive(self, bar: ByteBar) -> None:
        """One try. Interrupted where it ended too early."""
        start = self.arrived()
        if start == self.exact_bytes:
            return
        try:
            with self.client.stream("GET", self.url, headers=self._rest_from(start)) as answer:
                if start and answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return self._require_whole(answer, start)
                self._require_file(answer, start)
                if answer.status_code == httpx.codes.PARTIAL_CONTENT:
                    self._write(answer, start, _range(answer)[1], bar)
                else:  # it knows of no parts, or has another version than before
                    self._write(answer, 0, _number(answer.headers.get("Content-Length", "")), bar)
        except httpx.TransportError as error:
            raise Interrupted(one_line(error).rstrip(".")) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise InputError(f"{self.url}: {one_line(error)}") from None

    def _rest_from(self, start: int) -> dict[str, str]:
        if start == 0:
            return {}
        same = {"If-Range": self.version.read_text()} if self.version.is_file() else {}
        return {"Range": f"bytes={start}-", **same}

    def _require_whole(self, answer: httpx.Response, start: int) -> None:
        """The server has nothing after what has come: that was all, or it is no part of its file."""
        if answer.headers.get("Content-Range") != f"bytes */{start}":
            self.forget()
            raise Interrupted(f"the server has no byte {start:,}")

    def _require_file(self, answer: httpx.Response, start: int) -> None:
        if answer.status_code in BUSY:
            raise Interrupted(f"the server says {answer.status_code} {answer.reason_phrase}")
        if answer.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            raise InputError(f"{answer.url}: the server says {answer.status_code} {answer.reason_phrase}")
        if answer.status_code == httpx.codes.PARTIAL_CONTENT and _range(answer)[0] != start:
            self.forget()
            raise Interrupted("the server sends another part than was asked for")

    def _write(self, answer: httpx.Response, start: int, total: int | None, bar: ByteBar) -> None:
        """From `start` on, replacing what has come after it; `total` is what the server says of the whole."""
        expected = self.exact_bytes or total
        if total not in (None, expected):
            raise InputError(f"{answer.url}: the server says that the file has {total:,} bytes, expected are {expected:,}")
        if start == 0:
            self._keep_version(answer)
        bar.begin(start, expected)
        with self.part.open("ab" if start else "wb") as file:
            for chunk in answer.iter_raw():  # as they come: pieces of a size of our own would be lost where they are not full
                file.write(chunk)
                bar.at(file.tell())
                if expected is not None and file.tell() > expected:
                    self.forget()
                    raise InputError(f"{answer.url}: the server sends more than the {expected:,} bytes that are expected")
        if expected is not None and self.arrived() < expected:
            raise Interrupted(f"the server sent {self.arrived():,} of {expected:,} bytes")

    def _keep_version(self, answer: httpx.Response) -> None:
        mark = answer.headers.get("ETag", "")
        if mark.startswith('"'):  # a weak one (W/) says nothing about single bytes
            self.version.write_text(mark)
        else:
            self.version.unlink(missing_ok=True)


def _require_safe(request: httpx.Request) -> None:
    """Of every address on the way."""
    if not (request.url.scheme == "https" or (request.url.scheme == "http" and request.url.host in LOOPBACK)):
        raise InputError(f"{request.url}: weights are fetched over https alone")


def _range(answer: httpx.Response) -> tuple[int | None, int | None]:
    """First byte and length of the whole, as Content-Range says."""
    said = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
    return (int(said[1]), _number(said[2])) if said else (None, None)


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None
