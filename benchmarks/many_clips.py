"""A project of the size of Cityscapes: the real dvc.yaml, code, layout and dvc.lock; tiny arrays.

The first clip of each stage is computed. Every other entry of the store is that clip's files under another name, with this name
as comment of the zip file, so that no two files are equal; the stages then find all of them in the store. What works on the
whole data set is a stub, except `dataset`, which is computed.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import cv2
import numpy as np
from ruamel.yaml import YAML

from benchmarks.measure import python
from pipeline import layout, runner
from pipeline.journey import STAGES
from pipeline.params_file import load
from pipeline.plan import Job, plan
from pipeline.store import CHECK_SUMS, Store

REPOSITORY = Path(__file__).parents[1]
COPIED = ("pipeline", "models", "flows", "dvc.yaml", "params.yaml", ".dvcignore", ".gitignore", ".dvc/config", ".dvc/.gitignore")
DATASET = "many"
FRAMES = 15
"""Of a clip, each with a label image: 30 raw files, as in Cityscapes' sequences."""
SIZE = 16
TEST_SHARE = 500 / 3475
COMPUTED = ("clips", "segmentation", "optical_flow", "instances", "quality")
ORDER = (
    *("clips", "segmentation_model", "segmentation", "segmentation_scores", "optical_flow", "instances", "pose", "edges"),
    *("quality", "quality_page", "dataset"),
    *("train", "train_per_frame", "train_image_generator", "synthesize", "synthesize_per_frame", "evaluate", "report"),
)


def create(root: Path, clips: int) -> None:
    """Leaves `report@many` up to date."""
    for name in COPIED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        copy: Callable[..., object] = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, root / name)
    with (root / ".gitignore").open("a") as ignored:
        ignored.write("/raw/\n")  # as if it lay elsewhere: DVC looks for its files in every folder that git knows
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    write_raw(root, range(clips))
    python(root, "pipeline", "new-dataset", DATASET, "--like", "frames", "--path", "raw")
    _set_params(root / "params.yaml", [_name(number) for number in range(round(clips * (1 - TEST_SHARE)), clips)])
    python(root, "pipeline", "scan", DATASET)
    for stage in ORDER:
        if stage != "dataset":
            fill(root, stage)
        printed = python(root, "dvc", "repro", "--single-item", f"{stage}@{DATASET}")
        assert stage == "dataset" or f"{stage}@{DATASET}: 0 computed" in printed, printed
        print(f"made {stage}", file=sys.stderr, flush=True)


def write_raw(root: Path, numbers: Iterable[int]) -> None:
    """Sequences of images and label images; all with the same content, in files of their own."""
    rgb = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    files = {"frames": cv2.imencode(".png", rgb)[1].tobytes(), "labels": cv2.imencode(".png", rgb[..., 0] % 8)[1].tobytes()}
    for number in numbers:
        for kind, content in files.items():
            folder = root / "raw" / kind / _name(number)
            folder.mkdir(parents=True)
            for t in range(FRAMES):
                (folder / f"{t:04d}.png").write_bytes(content)


def add_test_sequence(root: Path, number: int) -> None:
    write_raw(root, [number])
    with _edited(root / "params.yaml") as entry:
        entry["source"]["test_sequences"].append(_name(number))


def fill(root: Path, stage: str) -> None:
    """Puts every entry that the stage will look for into the store."""
    with chdir(root):
        store = Store(layout.store())
        jobs = [job for job in plan(STAGES[stage], DATASET, load(layout.PARAMS), store) if not store.has(job.key)]
        if stage in COMPUTED:
            outcome = runner.compute(jobs[0])
            assert outcome.state == "computed", outcome
        for job in jobs:
            if not store.has(job.key):
                with store.writing(job.key) as out:
                    _write_like(store.path(jobs[0].key), jobs[0], job, out) if stage in COMPUTED else _write_stub(job, out)


def _write_like(entry: Path, first: Job, job: Job, out: Path) -> None:
    test = "item" in job.arguments and job.arguments["item"].parameters["test_from"] == 0
    for file in [file for file in entry.rglob("*") if file.is_file() and file.name != CHECK_SUMS]:
        copy = out / file.relative_to(entry).as_posix().replace(first.name, job.name)
        copy.parent.mkdir(exist_ok=True)
        if file.suffix == ".zip":
            _copy_with_comment(file, copy, job.name)
        else:
            copy.write_text(file.read_text().replace(first.name, job.name).replace(",train,", ",test," if test else ",train,"))


def _write_stub(job: Job, out: Path) -> None:
    """The files that dvc.yaml or a later stage looks for."""
    if STAGES[job.stage].per == "clip":
        _copy_with_comment(layout.arrays(job.arguments["clips"], "frames"), layout.arrays(out, "frames"), job.stage + job.name)
        layout.video(out).write_text(job.stage + job.name)
        return
    stubs = [layout.networks(out) / "generator.json", layout.preview(out, 1), layout.losses(out)] if job.stage.startswith("train") else []
    for file in [*stubs, layout.scores(out), layout.page(out)]:
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"stub": job.stage}))


def _copy_with_comment(file: Path, copy: Path, comment: str) -> None:
    shutil.copyfile(file, copy)
    with ZipFile(copy, "a") as archive:
        archive.comment = comment.encode()


def _set_params(path: Path, test: list[str]) -> None:
    with _edited(path) as entry:
        entry["source"] |= {"labels_cover": "all", "palette": "camvid", "test_frames": 0}
        entry["source"]["test_sequences"] = test
        entry["clips"] = {"width": SIZE, "height": SIZE, "frames": FRAMES}
        entry["segmentation"] = {"backend": "given", "weights_from": DATASET}
        entry["train_per_frame"] = {"enabled": True}


@contextmanager
def _edited(path: Path) -> Iterator[Any]:
    """The data set's entry of params.yaml, to be changed."""
    yaml = YAML()
    values = yaml.load(path.read_text())
    yield values["datasets"][DATASET]
    with path.open("w") as file:
        yaml.dump(values, file)


def _name(number: int) -> str:
    return f"sequence-{number:05d}"


def main() -> None:
    create(Path(sys.argv[1]), int(sys.argv[2]))


if __name__ == "__main__":
    os.environ.pop("V2V_STORE", None)
    main()
