"""Weights are fetched, kept, verified and added; the server is one on this machine."""

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline import layout, weights, weights_care
from pipeline.errors import InputError
from tests.conftest import REPOSITORY
from tests.pipeline.origin import CONTENT, OTHER, SHA256, Origin, Request, cut_after, running, says, slowly, status, write_table

FETCHED = {"net.pth", "net.pth.json"}


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    with running(monkeypatch) as started:
        yield started


@pytest.fixture
def known(project: Path, monkeypatch: pytest.MonkeyPatch, origin: Origin) -> Callable[..., weights.Entry]:
    """Makes a table with one line, `net`, that the server has; what is known of it can be given."""

    def make(sha256: str = SHA256, bytes: str = "", url: str = "") -> weights.Entry:
        line = {"url": url or origin.url(), "sha256": sha256, "bytes": bytes}
        monkeypatch.setattr(weights, "TABLE", write_table(project / "table.csv", line))
        return weights.named("net")

    return make


def left() -> set[str]:
    """What lies in the cache, without locks."""
    return {path.name for path in layout.weights().glob("*") if path.is_file()}


def overwrite(file: Path, content: bytes) -> None:
    file.chmod(0o644)
    file.write_bytes(content)


def test_a_file_is_fetched_once_and_kept_as_it_came(known, origin, capsys):
    entry = known(bytes=str(len(CONTENT)))
    weights_care.fetch(["net"])
    assert entry.file.read_bytes() == CONTENT
    assert left() == FETCHED
    assert f"net: 1,024,000 bytes, sha256 {SHA256}, as expected" in capsys.readouterr().out
    weights_care.fetch(["net"])
    assert (origin.asked, "there already" in capsys.readouterr().out) == ([""], True)


def test_what_came_before_the_end_is_used_by_the_next_fetch(known, origin):
    entry = known()
    origin.answers = [cut_after(300_000)] + [cut_after(0)] * 9
    with pytest.raises(InputError, match=r"^net cannot be fetched: .*; 4 tries brought nothing more; "):
        weights_care.fetch(["net"])
    assert weights_care.state(entry) == "partly, 0.3 MB"
    origin.answers = []
    weights_care.fetch(["net"])
    assert origin.asked[-1] == "300000-"
    assert (weights_care.state(entry), left()) == ("there", FETCHED)


@pytest.mark.parametrize("digits", [8, 64])
def test_wrong_bytes_are_refused_with_both_hashes_and_nothing_of_them_stays(known, origin, digits):
    known(sha256=SHA256[:digits])
    origin.content = OTHER
    wrong = hashlib.sha256(OTHER).hexdigest()
    with pytest.raises(InputError, match=rf"another file, which was thrown away: its sha256 is {wrong}, expected is {SHA256[:digits]}\W"):
        weights_care.fetch(["net"])
    assert left() == set()
    with pytest.raises(InputError, match="net has not been fetched"):
        weights.path_of("net", "x")


def test_a_file_that_a_false_length_cut_is_refused(known, origin):
    known()
    origin.answers = [says(len(CONTENT) - 9)]
    with pytest.raises(InputError, match=rf"another file, which was thrown away: its sha256 is .*, expected is {SHA256}"):
        weights_care.fetch(["net"])
    assert left() == set()


def test_what_an_earlier_try_left_of_another_file_is_replaced(known, origin):
    entry = known()
    layout.weights().mkdir()
    layout.weights_part(entry.file).write_bytes(OTHER[:300_000])
    weights_care.fetch(["net"])
    assert origin.asked == ["300000-", ""]
    assert entry.file.read_bytes() == CONTENT


def test_without_a_network_one_sentence_says_the_two_ways(known):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        known(url=f"http://127.0.0.1:{unused.getsockname()[1]}/net.pth")
        both = r"`python -m pipeline weights fetch net` tries again, `python -m pipeline weights add net FILE` takes a file from elsewhere$"
        with pytest.raises(InputError, match=rf"^net cannot be fetched: .*{both}"):
            weights_care.fetch(["net"])
    both = r"`python -m pipeline weights fetch net` .* `python -m pipeline weights add net FILE`$"
    with pytest.raises(InputError, match=rf"^x: net has not been fetched: {both}"):
        weights.path_of("net", "x")


def test_one_that_fails_keeps_no_other_from_being_fetched(project, origin, monkeypatch):
    lines = [{"name": name, "url": origin.url(f"{name}.pth"), "sha256": SHA256} for name in ("first", "second")]
    monkeypatch.setattr(weights, "TABLE", write_table(project / "table.csv", *lines))
    origin.answers = [status(404)]
    with pytest.raises(InputError, match="^first cannot be fetched"):
        weights_care.fetch(["first", "second"])
    assert weights_care.state(weights.named("second")) == "there"


def test_the_list_fits_a_terminal_and_says_everything_of_every_line_of_the_table(project, capsys):
    weights_care.show()
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[:-3])) <= 120
    entries = weights.table().values()
    assert len(entries) > 20
    text = " ".join(" ".join(lines).split())
    for entry in entries:
        assert f"{entry.name} {entry.size} not fetched used by {entry.used_by}; licence: {entry.licence}" in text


def test_a_name_that_is_not_there_is_refused_with_those_that_are_near():
    with pytest.raises(InputError, match="vgg19 is no name that .* shows; near are torchvision-vgg19-imagenet1k_v1$"):
        weights_care.fetch(["vgg19"])
    with pytest.raises(InputError, match="yunet-m-640 is no name that .* shows; near are yunet-n-640$"):
        weights_care.add("yunet-m-640", Path("x"))


def test_two_threads_fetch_once(known, origin, capsys):
    known()
    origin.answers = [slowly]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(weights_care.fetch, [["net"], ["net"]]))
    assert (origin.asked, left()) == ([""], FETCHED)
    assert "another process is at it" in capsys.readouterr().err


FETCHER = """
import sys
from pathlib import Path
from pipeline import weights, weights_care
weights.TABLE = Path(sys.argv[1])
weights_care.fetch(["net"])
"""


def fetching(table: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", FETCHER, str(table)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_process_waits_for_another_and_goes_on_where_that_one_was_killed(known, origin, project):
    entry = known()

    def some_then_nothing(request: Request) -> None:
        cut_after(300_000)(request)
        time.sleep(30)

    origin.answers = [some_then_nothing]
    first = fetching(project / "table.csv")
    part = layout.weights_part(entry.file)
    until = time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size == 300_000):
        assert time.monotonic() < until and first.poll() is None
        time.sleep(0.05)
    second = fetching(project / "table.csv")
    assert b"another process is at it" in second.stderr.readline()
    first.kill()
    first.communicate()
    second.communicate(timeout=60)
    assert (second.returncode, origin.asked) == (0, ["", "300000-"])
    assert entry.file.read_bytes() == CONTENT


def test_of_what_nothing_is_known_the_first_file_is_trusted_aloud_and_no_other_after_it(known, origin, capsys):
    entry = known(sha256="")
    weights_care.fetch(["net"])
    said = capsys.readouterr()
    assert "what its sha256 must be is not known" in said.err
    assert SHA256 in said.out and "TRUSTED UNSEEN" in said.out
    overwrite(entry.file, OTHER)
    with pytest.raises(InputError, match=rf"net\.pth is damaged: its sha256 is \w+, expected is {SHA256}, what came first"):
        weights.path_of("net", "x")
    origin.content, origin.etag = OTHER, '"two"'
    with pytest.raises(InputError, match=rf"expected is {SHA256}, what came first \(remove .*net\.pth\.json to take another\)"):
        weights_care.fetch(["net"])
    origin.content = CONTENT
    weights_care.fetch(["net"])
    assert weights.sha256_of("net", "x") == SHA256


def test_a_damaged_file_is_fetched_again(known):
    entry = known()
    weights_care.fetch(["net"])
    overwrite(entry.file, OTHER)
    assert weights_care.state(entry) == "damaged"
    weights_care.fetch(["net"])
    assert entry.file.read_bytes() == CONTENT


def test_verify_reads_files_that_look_the_same(known, capsys):
    entry = known()
    weights_care.fetch(["net"])
    weights_care.verify([])
    assert f"net: sound, sha256 {SHA256}" in capsys.readouterr().out
    before = entry.file.stat()
    overwrite(entry.file, OTHER)
    os.utime(entry.file, ns=(before.st_atime_ns, before.st_mtime_ns))
    for names in ([], ["net"]):
        with pytest.raises(InputError, match="damaged"):
            weights_care.verify(names)


def test_verify_refuses_what_is_not_there(known):
    known()
    weights_care.verify([])
    with pytest.raises(InputError, match="net has not been fetched"):
        weights_care.verify(["net"])


def test_a_file_is_added_only_if_it_is_the_right_one(known, project, origin):
    entry = known(sha256=SHA256[:8], bytes=str(len(CONTENT)))
    (project / "right").write_bytes(CONTENT)
    (project / "wrong").write_bytes(OTHER)
    (project / "short").write_bytes(CONTENT[:-1])
    wrong = rf"its sha256 is .*, expected is {SHA256[:8]}\.\.\."
    for file, problem in (("wrong", wrong), ("short", "it has 1,023,999 bytes, expected are 1,024,000")):
        with pytest.raises(InputError, match=f"{file} is not net: {problem}"):
            weights_care.add("net", project / file)
        assert left() == set()
    with pytest.raises(InputError, match="nowhere is no file"):
        weights_care.add("net", project / "nowhere")
    weights_care.add("net", project / "right")
    assert (entry.file.read_bytes(), left(), origin.asked) == (CONTENT, FETCHED, [])


def test_a_cache_that_cannot_be_written_is_named(known, project, monkeypatch):
    known()
    (project / "file").touch()
    monkeypatch.setenv("V2V_WEIGHTS", str(project / "file" / "below"))
    with pytest.raises(InputError, match=r"file/below cannot be written .*: V2V_WEIGHTS can name another folder"):
        weights_care.fetch(["net"])


def command_line(*arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run([sys.executable, "-m", "pipeline", "weights", *arguments], env=variables, capture_output=True, text=True)


def test_the_command_adds_lists_and_verifies(project, shared_data):
    name, file = "yunet-n-640", shared_data / "weights" / "yunet_n_640_640.onnx"
    assert command_line("add", name, str(file)).returncode == 0
    listed = [line for line in command_line("list").stdout.splitlines()[1:] if " fetched" in line or "here" in line]
    assert [line.split()[0] for line in listed if not line.startswith(" ")] == list(weights.table())
    assert [line.split()[0] for line in listed if "not fetched" not in line] == [name]
    overwrite(weights.named(name).file, b"1" + file.read_bytes()[1:])
    damaged = command_line("verify")
    assert (damaged.returncode, damaged.stderr.count("\n")) == (1, 1)
    assert "yunet-n-640.onnx is damaged: its sha256 is" in damaged.stderr


def test_whoever_reads_no_more_of_a_list_gets_no_traceback(project):
    command = [sys.executable, "-u", "-m", "pipeline", "weights", "list"]
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    listing = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    listing.stdout.close()  # long before it prints
    assert listing.stderr.read() == ""
    assert listing.wait() == 1
