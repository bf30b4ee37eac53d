import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import storage_problem
from tests.conftest import REPOSITORY


def chained(outer: BaseException, inner: BaseException) -> BaseException:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a/b.zip"), "a/b.zip: No space left on device: free some space"),
        (OSError(errno.ENOSPC, "No space left on device"), "here: No space left on device: free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), "x: Permission denied: it must be writable for this user"),
        (OSError(errno.EROFS, "Read-only file system", "x"), "x: Read-only file system: it must be writable for this user"),
        (chained(RuntimeError("unexpected pos 64"), OSError(errno.ENOSPC, "No space left on device")), "here: No space left"),
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"), "here: No space left on device"),
    ],
)
def test_what_the_disk_answers_is_one_sentence(error, sentence):
    assert storage_problem(error, "here").startswith(sentence)
    assert storage_problem(error, "here").endswith("then run again; what was finished is kept")


def test_a_mistake_of_ours_is_not_blamed_on_the_disk():
    for error in (RuntimeError("unexpected pos 64"), FileNotFoundError(errno.ENOENT, "No such file", "x"), KeyError("a")):
        assert storage_problem(error, "here") is None


WRITER = """
import sys
from pathlib import Path
import numpy as np
from pipeline import arrays, runner
from pipeline.errors import InputError
from pipeline.journey import STAGES, Stage
from pipeline.plan import Job

def run(out):
    with arrays.writing(out / "frames.zip", {}) as writer:
        for t in range(100):
            writer.append("rgb", np.random.default_rng(t).integers(0, 256, (64, 64, 3)).astype(np.uint8))

class Writing(Stage):
    def parameters(self): return {"out": "Path"}
    def load(self): return run

STAGES["writing"] = Writing("writing", "", per="dataset")
print(runner.compute(Job("writing", "*", "ab12", sys.argv[1], {}, {}, {"libraries": {}}, "cpu", 1)))
"""


def test_a_disk_that_takes_no_more_fails_the_clip_in_one_sentence_and_leaves_nothing_half_written(tmp_path):
    limit = 200_000

    def forbid_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    full = subprocess.run(command, env=variables, capture_output=True, text=True, preexec_fn=forbid_large_files)
    assert "state='failed'" in full.stdout, full.stderr
    assert "File too large: files may not become so large here" in full.stdout
    assert "trace=''" in full.stdout
    assert files(tmp_path) == []
    again = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert "state='computed'" in again.stdout, again.stderr
    assert files(tmp_path) == [".sha256", "frames.zip"]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
