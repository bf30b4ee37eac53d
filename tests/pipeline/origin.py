"""A server on this machine that misbehaves as it is told, and a table of weights that names what it has."""

import csv
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pipeline import download

CONTENT = bytes(range(256)) * 4000
"""About a megabyte."""
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = CONTENT[::-1]


class Origin:
    """A server on this machine. Each request is answered by the next of `answers`, or well when there are no more."""

    def __init__(self) -> None:
        self.content, self.etag = CONTENT, '"one"'
        self.answers: list[Callable[[Request], None]] = []
        self.asked: list[str] = []
        """The ranges that were asked for, `` for the whole."""
        origin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                request = Request(self, origin)
                origin.asked.append(request.range)
                self.close_connection = True
                (origin.answers.pop(0) if origin.answers else well)(request)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, path: str = "net-0123.pth") -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{path}"


@dataclass
class Request:
    handler: BaseHTTPRequestHandler
    origin: Origin
    range: str = field(init=False)

    def __post_init__(self) -> None:
        self.range = self.handler.headers.get("Range", "").removeprefix("bytes=")

    @property
    def start(self) -> int:
        """Where to begin; from the beginning where the version is another."""
        same = self.handler.headers.get("If-Range") in (None, self.origin.etag)
        return int(self.range.split("-")[0]) if self.range and same else 0

    def head(self, status: int, **headers: str | int) -> None:
        self.handler.send_response(status)
        self.handler.send_header("Connection", "close")
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), str(value))
        self.handler.end_headers()

    def send(self, content: bytes) -> None:
        self.handler.wfile.write(content)
        self.handler.wfile.flush()


def well(request: Request) -> None:
    """As a good server does, with ranges and a mark of the version."""
    content, start = request.origin.content, request.start
    if start >= len(content):
        request.head(416, Content_Range=f"bytes */{len(content)}", Content_Length=0)
        return
    headers = {"Content_Length": len(content) - start, "ETag": request.origin.etag}
    if start:
        headers["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
    request.head(206 if start else 200, **headers)
    request.send(content[start:])


def cut_after(number: int) -> Callable[[Request], None]:
    """Promises all, sends so many bytes and hangs up."""

    def answer(request: Request) -> None:
        content, start = request.origin.content, request.start
        headers = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        request.head(206 if start else 200, Content_Length=len(content) - start, ETag=request.origin.etag, **headers)
        request.send(content[start : start + number])

    return answer


def stalls_after(number: int) -> Callable[[Request], None]:
    def answer(request: Request) -> None:
        cut_after(number)(request)
        time.sleep(20)

    return answer


def slowly(request: Request) -> None:
    """Twenty pieces in two seconds."""
    request.head(200, Content_Length=len(CONTENT))
    for start in range(0, len(CONTENT), len(CONTENT) // 20 + 1):
        request.send(CONTENT[start : start + len(CONTENT) // 20 + 1])
        time.sleep(0.1)


def without_ranges(request: Request) -> None:
    request.head(200, Content_Length=len(CONTENT))
    request.send(CONTENT)


def without_length(request: Request) -> None:
    request.head(200)
    request.send(CONTENT)


def says(length: int) -> Callable[[Request], None]:
    """All bytes, under a wrong length; asked for the rest, it has none."""

    def answer(request: Request) -> None:
        start = request.start
        headers = {"Content_Range": f"bytes {start}-{length - 1}/{length}"} if start else {}
        request.head(206 if start else 200, Content_Length=length - start, **headers)
        request.send(CONTENT[start:])

    return answer


def status(number: int) -> Callable[[Request], None]:
    return lambda request: request.head(number, Content_Length=0)


def to(location: str) -> Callable[[Request], None]:
    return lambda request: request.head(302, Location=location, Content_Length=0)


@contextmanager
def running(patch: pytest.MonkeyPatch) -> Iterator[Origin]:
    """A server, and a fetcher that pauses no longer than a test should take."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        patch.delenv(name, raising=False)
    patch.setattr(download, "PAUSES", (0.0, 0.0, 0.01))
    origin = Origin()
    yield origin
    origin.server.shutdown()
    origin.server.server_close()


def write_table(path: Path, *lines: dict[str, str]) -> Path:
    whole = [{"name": "net", "url": "https://nowhere/net.pth", "bytes": "", "licence": "MIT", "used_by": "x", **line} for line in lines]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["name", "url", "sha256", "bytes", "licence", "used_by"])
        writer.writeheader()
        writer.writerows(whole)
    return path
