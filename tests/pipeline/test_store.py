import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.store import Store, key_of


def test_equal_parts_give_equal_keys_in_any_order():
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1}) != key_of({"a": 1, "b": [3]})


def test_an_entry_appears_whole_and_read_only(tmp_path):
    store = Store(tmp_path)
    with store.writing("ab12") as folder:
        (folder / "x.txt").write_text("done")
        assert not store.has("ab12")
    assert store.has("ab12")
    assert (store.path("ab12") / "x.txt").stat().st_mode & 0o222 == 0


def test_an_exception_leaves_nothing(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(OSError, match="disk full"), store.writing("ab12") as folder:
        (folder / "x.txt").write_text("half")
        raise OSError("disk full")
    assert not store.has("ab12")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_links_share_the_file_and_outlive_the_entry(tmp_path):
    store = Store(tmp_path / "store")
    with store.writing("ab12") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "x.txt").write_text("done")
    store.link("ab12", tmp_path / "out")
    linked = tmp_path / "out" / "deep" / "x.txt"
    assert linked.samefile(store.path("ab12") / "deep" / "x.txt")
    store.remove("ab12")
    assert linked.read_text() == "done"


def test_the_loser_of_a_race_keeps_the_winners_entry(tmp_path):
    store = Store(tmp_path)
    with store.writing("ab12") as slow:
        (slow / "x.txt").write_text("equal")
        with store.writing("ab12") as fast:
            (fast / "x.txt").write_text("equal")
    assert (store.path("ab12") / "x.txt").read_text() == "equal"
    assert list((tmp_path / "tmp").iterdir()) == []


WRITER = """
import sys, time
from pathlib import Path
from pipeline.errors import InputError
from pipeline.store import Store
store = Store(Path(sys.argv[1]))
for n in range(1000):
    with store.writing(f"{n:04x}") as folder:
        (folder / "a").write_text("x" * 1000)
        time.sleep(0.002)
        (folder / "b").write_text("y" * 1000)
"""


def test_a_kill_at_any_moment_leaves_only_whole_entries(tmp_path):
    for delay in (0.3, 0.45, 0.6):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    store = Store(tmp_path)
    keys = list(store.keys())
    assert keys
    for key in keys:
        assert sorted(os.listdir(store.path(key))) == [".sha256", "a", "b"]
        assert (store.path(key) / "b").stat().st_size == 1000


def _hold(root: Path, held: Event) -> None:
    with Store(root).only_one("output", 1.0):
        held.set()
        time.sleep(60)


def test_a_lock_is_refused_in_one_sentence_and_freed_by_a_kill(tmp_path):
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, held))
    holder.start()
    assert held.wait(30)
    with pytest.raises(TimeoutError, match="output is being written by another process"), Store(tmp_path).only_one("output", 0.2):
        pass
    holder.kill()
    holder.join()
    with Store(tmp_path).only_one("output", 1.0):
        pass


def test_check_sums_are_written_with_an_entry_and_not_linked(tmp_path):
    store = Store(tmp_path / "store")
    with store.writing("ab12") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "x.txt").write_text("done")
    assert store.check_sums("ab12") == {"deep/x.txt": hashlib.sha256(b"done").hexdigest()}
    assert subprocess.run(["sha256sum", "-c", "--quiet", ".sha256"], cwd=store.path("ab12")).returncode == 0
    store.link("ab12", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["deep", "x.txt"]


def test_an_entry_that_is_gone_cannot_be_linked(tmp_path):
    with pytest.raises(InputError, match="ab12: was removed from the store while it was needed"):
        Store(tmp_path).link("ab12", tmp_path / "out")


def test_nothing_can_be_removed_while_a_run_uses_the_store_and_runs_do_not_hinder_each_other(tmp_path):
    store = Store(tmp_path)
    with store.in_use(0.0), store.in_use(0.0), pytest.raises(TimeoutError, match="is used by a run"), store.unused():
        pass
    with store.unused(), pytest.raises(TimeoutError, match="is being cleared"), store.in_use(0.0):
        pass


def test_a_store_that_cannot_be_written_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    for root, reason in ((tmp_path / "file", "Not a directory"), (Path("/proc/nowhere"), "No such file or directory")):
        sentence = rf"locks/\w+ cannot be written \({reason}\): the store must be a folder"
        with pytest.raises(InputError, match=sentence), Store(root).in_use(0.0):
            pass
