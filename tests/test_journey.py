"""The whole journey with real processes, on the `smoke` data set in a copy of the project whose path has a space."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import environment
from pipeline import layout, manifest
from pipeline.store import Store
from tests.conftest import REPOSITORY
from tests.test_bad_input import THREE_FRAMES

COPIED = ("pipeline", "models", "flows", "dvc.yaml", "params.yaml", ".dvcignore")


class Project:
    def __init__(self, root: Path) -> None:
        self.root = root

    def start(self, *command: str) -> subprocess.Popen[str]:
        variables = environment.for_tools()
        variables.pop("V2V_STORE", None)
        variables.pop(environment.API_URL, None)
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self.root,
            env=variables,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, *command: str, succeeds: bool = True) -> str:
        process = self.start(*command)
        printed, _ = process.communicate()
        assert (process.returncode == 0) == succeeds, printed
        return printed

    def repro(self, target: str) -> str:
        return self.run("dvc", "repro", target)

    def edit(self, file: str, old: str, new: str) -> None:
        text = (self.root / file).read_text()
        assert text.count(old) >= 1, old
        (self.root / file).write_text(text.replace(old, new))

    def edit_smoke(self, old: str, new: str) -> None:
        """In the data set's own section of params.yaml."""
        text = (self.root / "params.yaml").read_text()
        before, smoke = text.split("\n  smoke:\n")
        assert old in smoke, old
        (self.root / "params.yaml").write_text(f"{before}\n  smoke:\n{smoke.replace(old, new, 1)}")

    def hashes(self) -> dict[str, str]:
        """DVC's hash of every output of every stage."""
        lock = (self.root / "dvc.lock").read_text()
        return dict(re.findall(r"path: (\S+)\n\s+hash: md5\n\s+md5: (\S+)", lock))


def counts(printed: str, stage: str) -> tuple[int, int]:
    """Computed and reused, of the last run of the stage."""
    found = re.findall(rf"^{stage}@smoke: (\d+) computed, (\d+) reused, 0 failed", printed, re.MULTILINE)
    assert found, printed
    return int(found[-1][0]), int(found[-1][1])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """All stages of `smoke`, run once for all tests here."""
    root = tmp_path_factory.mktemp("journey") / "a project"
    root.mkdir()
    for name in COPIED:
        source = REPOSITORY / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, root / name)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    project = Project(root)
    project.run("dvc", "init", "-q")
    project.run("dvc", "config", "cache.type", "hardlink,symlink,copy")
    project.run("pipeline", "scan", "smoke")
    project.repro("report@smoke")
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Iterator[Project]:
    """A copy to change; hard links, so that it costs nothing."""
    root = tmp_path / "a project"
    shutil.copytree(finished.root, root, copy_function=_link)
    yield Project(root)


def _link(source: str, destination: str) -> None:
    path = Path(source)
    if path.suffix in (".yaml", ".lock", ".py", ".csv", ".db") or ".dvc" in path.parts:
        shutil.copy2(source, destination)
    else:
        os.link(source, destination)


def test_every_stage_of_smoke_passes_and_a_second_run_does_nothing(finished):
    printed = finished.repro("report@smoke")
    assert "Running stage" not in printed
    assert "Data and pipelines are up to date" in printed
    page = (finished.root / layout.page(layout.stage("smoke", "report"))).read_text()
    assert "synthetic" in page.lower()
    status = json.loads(finished.run("dvc", "status", "--json", "report@smoke"))
    assert status == {}


def test_metrics_and_plots_are_shown_by_dvc(finished):
    assert "vid2vid" in finished.run("dvc", "metrics", "show")
    assert "file://" in finished.run("dvc", "plots", "show", "data/smoke/train/losses.csv")


def test_outputs_share_one_copy_with_the_store_and_dvcs_cache(finished):
    (frames,) = (finished.root / "data/smoke/clips").glob("test-*/frames.zip")
    copies = [path for path in finished.root.rglob("*") if path.is_file() and path.samefile(frames)]
    assert {path.relative_to(finished.root).parts[0] for path in copies} == {"data", ".store", ".dvc"}


def test_a_comment_in_the_code_costs_one_look_up(project):
    with (project.root / "models/warp.py").open("a") as file:
        file.write("\n# mended\n")
    assert counts(project.repro("train@smoke"), "train") == (0, 1)


def test_a_change_of_the_code_trains_again(project):
    project.edit("models/warp.py", "import torch\n", "import torch\n\nPI = 3\n")
    assert counts(project.repro("train@smoke"), "train") == (1, 0)


def test_a_new_test_clip_computes_that_clip_and_trains_nothing(project):
    project.edit_smoke("test_clips: 1", "test_clips: 2")
    printed = project.repro("synthesize@smoke")
    assert counts(printed, "clips") == (1, 3)
    assert counts(printed, "segmentation_model") == (0, 1)
    assert [counts(printed, stage) for stage in ("segmentation", "optical_flow", "instances")] == [(1, 3)] * 3
    assert counts(printed, "train") == (0, 1)
    assert counts(printed, "synthesize") == (1, 1)


def test_a_killed_training_goes_on_from_its_saved_step_and_ends_equal(project):
    project.edit_smoke("steps: 4\n", "steps: 60\n")
    store = project.root / ".store"
    process = project.start("dvc", "repro", "train@smoke")
    _wait(lambda: list((store / "work").glob("*/state.pt")), 120)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (state,) = (store / "work").glob("*/state.pt")
    _wait(lambda: not _holds(project.root), 60)

    import torch

    step = torch.load(state, weights_only=True)["step"]
    assert 2 <= step < 60
    printed = project.repro("train@smoke")
    assert f"train: continues after step {step} of 60" in printed
    resumed = project.hashes()

    shutil.rmtree(store)
    shutil.rmtree(project.root / "data/smoke/train")
    project.run("dvc", "repro", "--no-run-cache", "--force", "--single-item", "train@smoke")
    assert project.hashes()["data/smoke/train/networks"] == resumed["data/smoke/train/networks"]
    assert project.hashes()["data/smoke/train/losses.csv"] == resumed["data/smoke/train/losses.csv"]


def test_a_killed_extraction_does_only_what_is_missing(project):
    project.edit_smoke("train_clips: 2", "train_clips: 12")
    process = project.start("dvc", "repro", "clips@smoke")
    entries = len(list((project.root / ".store").glob("??/*")))
    _wait(lambda: len(list((project.root / ".store").glob("??/*"))) >= entries + 2, 60)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = len(list((project.root / ".store").glob("??/*"))) - entries
    _wait(lambda: not _holds(project.root), 60)
    done = len(list((project.root / ".store").glob("??/*"))) - entries
    assert 2 <= done < 10
    assert counts(project.repro("clips@smoke"), "clips") == (10 - done, 3 + done)


def test_a_failing_clip_is_named_and_the_others_are_kept(project):
    videos = project.root / "raw"
    videos.mkdir()
    whole = next((project.root / "data/smoke/synthesize").glob("*/video.mp4")).read_bytes()
    (videos / "good.mp4").write_bytes(whole)
    (videos / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    project.run("pipeline", "new-dataset", "mine", "--like", "videos", "--path", str(videos), "--weights-from", "smoke")
    project.edit("params.yaml", "test_videos: []\n      test_frames: 60", "test_videos: []\n      test_frames: 4")
    text = (project.root / "params.yaml").read_text()
    text = re.sub(r"(  mine:.*?scene_threshold: )3.0", r"\1null", text, flags=re.DOTALL)  # what four steps have learned flickers
    text = re.sub(r"(  mine:.*?clips: )\{\}", r"\1{frames: 4}", text, flags=re.DOTALL)
    text = re.sub(r"(  mine:.*?train: )\{\}", rf"\1{THREE_FRAMES}", text, flags=re.DOTALL)
    text = re.sub(r"(  mine:.*?evaluate: )\{\}", r"\1{video_network: {window_frames: 4}}", text, flags=re.DOTALL)
    (project.root / "params.yaml").write_text(text)
    project.run("pipeline", "scan", "mine")
    printed = project.run("dvc", "repro", "clips@mine", succeeds=False)
    assert re.search(r"^cut: .*cut\.mp4", printed, re.MULTILINE), printed
    assert "Traceback" not in printed
    (videos / "cut.mp4").unlink()
    project.run("pipeline", "scan", "mine")
    assert "clips@mine: 0 computed, 1 reused, 0 failed" in project.repro("clips@mine")


def test_a_misspelt_parameter_stops_a_stage_with_one_sentence(project):
    project.edit("params.yaml", "  rounding: 0.0625", "  roundin: 0.0625")
    printed = project.run("dvc", "repro", "optical_flow@smoke", succeeds=False)
    assert "optical_flow.roundin is no parameter; did you mean rounding?" in printed
    assert "Traceback" not in printed


READ = {
    "segmentation": "clips/test-0000_000000/frames.zip",
    "segmentation_scores": "clips/test-0000_000000/segmentation.zip",
    "instances": "segmentation/test-0000_000000/segmentation.zip",
    "optical_flow": "clips/train-0000_000000/frames.zip",
    "quality": "instances/train-0000_000000/instances.zip",
    "quality_page": "quality/train-0000_000000/quality.zip",
    "dataset": "segmentation/train-0000_000000/segmentation.zip",
    "train": "dataset/train.parquet",
    "train_per_frame": "dataset/test.parquet",
    "synthesize": "train/networks/generator.safetensors",
    "synthesize_per_frame": "train_per_frame/networks/generator.json",
    "evaluate": "segmentation_model/deeplabv3.safetensors",
    "report": "evaluate/metrics.json",
}


def test_a_damaged_result_stops_every_stage_that_reads_it_in_one_sentence(project):
    store = Store(project.root / ".store")
    for stage, file in READ.items():
        folder = project.root / layout.stage("smoke", stage)
        results = {store.path(key): store.path(key).with_name("aside-" + key) for key in manifest.keys(folder).values()}
        for entry, aside in results.items():
            entry.rename(aside)
        path = project.root / "data/smoke" / file
        whole = path.read_bytes()
        third = len(whole) // 3
        _replace(path, whole[:third] + bytes([whole[third] ^ 1]) + whole[third + 1 :])
        printed = project.run("flows.stage", stage, "--dataset", "smoke", succeeds=False)
        assert Path(file).name in printed, printed
        assert re.search("damaged|is not as it was written|is no readable array file", printed), printed
        assert "raceback" not in printed, printed
        _replace(path, whole)
        for entry, aside in results.items():
            if not entry.exists():  # clips that were not concerned have been computed again
                aside.rename(entry)
        assert "0 computed" in project.run("flows.stage", stage, "--dataset", "smoke")


def _replace(path: Path, content: bytes) -> None:
    """As another file: this one's bytes are those of other projects here."""
    path.unlink()
    path.write_bytes(content)


def _wait(condition, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


def _holds(root: Path) -> list[str]:
    """Processes that still work in this folder."""
    import psutil

    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        try:
            if process.cwd() == str(root) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.info["cmdline"] or []))
        except psutil.Error:
            continue
    return found
