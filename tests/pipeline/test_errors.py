import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline import arrays, checkpoint, deeplabv3, index, manifest, palettes, store_care
from pipeline.errors import InputError, one_line, storage_problem
from pipeline.sources import image_files
from tests.conftest import REPOSITORY


def chained(outer: BaseException, inner: BaseException) -> BaseException:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a/b.zip"), "a/b.zip: No space left on device: free some space"),
        (OSError(errno.ENOSPC, "No space left on device"), "here: No space left on device: free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), "x: Permission denied: this user must be allowed to read or write it"),
        (OSError(errno.EROFS, "Read-only file system", "x"), "x: Read-only file system: it must be writable"),
        (chained(RuntimeError("unexpected pos 64"), OSError(errno.ENOSPC, "No space left on device")), "here: No space left"),
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"), "here: No space left on device"),
    ],
)
def test_what_the_disk_answers_is_one_sentence(error, sentence):
    assert storage_problem(error, "here").startswith(sentence)
    assert storage_problem(error, "here").endswith("then run again; what was finished is kept")


@pytest.mark.parametrize(
    ("error", "line"),
    [(RuntimeError("a\n\tb  c"), "a b c"), (KeyError(), "KeyError"), (ValueError("x" * 201), "x" * 197 + "..."), ("y" * 200, "y" * 200)],
)
def test_what_an_error_says_is_one_line(error, line):
    assert one_line(error) == line


def test_a_mistake_of_ours_is_not_blamed_on_the_disk():
    handled = RuntimeError("raised from None")
    handled.__context__, handled.__suppress_context__ = OSError(errno.ENOSPC, "No space left on device"), True
    there, folder = FileExistsError(errno.EEXIST, "File exists", "x"), IsADirectoryError(errno.EISDIR, "Is a directory", "x")
    missing = FileNotFoundError(errno.ENOENT, "No such file", "x")
    for error in (RuntimeError("unexpected pos 64"), missing, KeyError("a"), handled, there, folder):
        assert storage_problem(error, "here") is None


MACHINE_FAULTS = [
    OSError(errno.EIO, "Input/output error"),
    OSError(errno.EMFILE, "Too many open files"),
    PermissionError(errno.EACCES, "Permission denied"),
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory"),
]


@pytest.mark.parametrize("fault", MACHINE_FAULTS, ids=repr)
@pytest.mark.parametrize(
    ("opened_by", "read"),
    [
        ("torch.load", checkpoint.read_state),
        ("torch.load", lambda path: checkpoint.read_weights(path, "weights")),
        ("json.loads", lambda path: checkpoint.TrainedGenerator(path.parent, "cpu")),
        ("pipeline.deeplabv3.load_file", lambda path: deeplabv3.Segmenter.load(path, "cpu")),
        ("pipeline.deeplabv3.safe_open", lambda path: deeplabv3.Segmenter.load(path, "cpu")),
        ("pipeline.arrays.ZipFile", arrays.reading),
        ("PIL.Image.open", lambda path: image_files.read(path, np.asarray)),
        ("pandas.read_parquet", lambda path: index.read_index(path.parent, "train")),
        ("pandas.read_csv", manifest.table),
        ("pipeline.store_care.ZipFile", store_care._sound),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_of_the_machine_is_not_called_damage(opened_by, read, fault, tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise fault

    path = tmp_path / f"{checkpoint.VIDEO}.json"
    path.write_text("{}")
    monkeypatch.setattr(opened_by, fail)
    if opened_by == "pipeline.deeplabv3.load_file":
        about = {"architecture": "deeplabv3_mobilenet_v3_large", "palette": palettes.load("camvid").as_attributes(), "enlarge": 1.0}
        monkeypatch.setattr(deeplabv3, "_about", lambda path: about)
    with pytest.raises(type(fault)) as raised:
        read(path)
    assert raised.value is fault


def test_a_cut_image_is_damage(tmp_path):
    """Pillow reports it as an OSError, as the machine's faults are."""
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 50, 3)).astype(np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"a\.png: is no readable image"):
        image_files.read(path, np.asarray)


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
print(runner.compute(Job("writing", "*", "ab12", sys.argv[1], {}, {}, {"libraries": {}}, "cpu", 1, "")))
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
