"""What a person gets on a real command line for bad input: status 1, one sentence, the others go on."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from flows import environment
from tests.conftest import REPOSITORY

PROGRESS = re.compile(r"\S+: \d+/\d+, ")
"""How far a slow stage is; on a busy machine it may come in between."""
SIZE = (32, 24)

THREE_FRAMES = "{window_frames: 3, sequence_frames: 3, generator: {past_frames: 1}, video_discriminator: {strides: [1]}}"
"""For clips of four."""


class Project:
    """A folder with params.yaml, where the pipeline's commands are called."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *command: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        variables = {**environment.for_tools(), "PYTHONPATH": str(REPOSITORY)}
        for name in ("V2V_STORE", environment.API_URL):
            variables.pop(name, None)
        command = (sys.executable, "-m", *command)
        return subprocess.run(command, cwd=folder or self.root, env=variables, capture_output=True, text=True, timeout=120)

    def refuses(self, *command: str, folder: Path | None = None) -> str:
        """Its one line on standard error."""
        done = self.run(*command, folder=folder)
        assert done.returncode == 1, done
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr.strip()

    def edit(self, old: str, new: str) -> None:
        path = self.root / "params.yaml"
        assert old in path.read_text(), old
        path.write_text(path.read_text().replace(old, new, 1))

    def add(self, like: str, **changes: str) -> None:
        """The data set `mine`, from the folder `raw`."""
        assert self.run("pipeline", "new-dataset", "mine", "--like", like, "--path", "raw").returncode == 0
        before, rest = (self.root / "params.yaml").read_text().split("\n  mine:\n")
        for key, value in changes.items():
            rest = re.sub(rf"\b{key}: .*", f"{key}: {value}", rest, count=1)
        (self.root / "params.yaml").write_text(f"{before}\n  mine:\n{rest}")

    def write_frames(self, sequence: str, frames: int, labels: int, size: tuple[int, int] = SIZE) -> None:
        for kind, count, mode in (("frames", frames, "RGB"), ("labels", labels, "L")):
            folder = self.root / "raw" / kind / sequence
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for t in range(count):
                value = np.full((*size[::-1], 3), 10 * t + len(sequence), np.uint8) if mode == "RGB" else np.full(size[::-1], 3, np.uint8)
                Image.fromarray(value).save(folder / f"{t:03d}.png")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    (tmp_path / "raw").mkdir()
    return Project(tmp_path)


@pytest.fixture
def frames(project: Project) -> Project:
    project.write_frames("good", 8, 8)
    project.write_frames("bad", 8, 8)
    clips, train = "{width: 32, height: 24, frames: 4}", THREE_FRAMES
    evaluate = "{video_network: {window_frames: 4}}"
    project.add("frames", clips=clips, train=train, evaluate=evaluate, test_frames="4", labels_cover="all")
    return project


def test_wrong_words_are_answered_with_the_right_ones(project):
    assert project.refuses("flows.stage", "clips", "--dataset", "smok") == "params.yaml: datasets has no smok; did you mean smoke?"
    assert "`python -m pipeline new-dataset camvid --path FOLDER`" in project.refuses("flows.stage", "clips", "--dataset", "camvid")
    assert project.refuses("pipeline", "scan", "smok") == "error: params.yaml: datasets has no smok; did you mean smoke?"
    unknown = project.run("flows.stage", "clip", "--dataset", "smoke")
    assert unknown.returncode == 2
    assert "invalid choice: 'clip'" in unknown.stderr


def test_a_folder_without_params_is_named(project):
    sentence = f"params.yaml is not in this folder ({project.root / 'raw'}): call from the project's top folder"
    assert project.refuses("flows.stage", "clips", "--dataset", "smoke", folder=project.root / "raw") == sentence
    assert project.refuses("pipeline", "catalog", folder=project.root / "raw") == f"error: {sentence}"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "params.yaml must hold sections, found None"),
        (b"\xff\xfe\x00\x01", "params.yaml is no text"),
        (b"machine: [", "params.yaml is no YAML: line 1"),
        (b"a: &a [*a]", "nested too deeply"),
    ],
)
def test_params_that_are_none_are_refused(project, content, sentence):
    (project.root / "params.yaml").write_bytes(content)
    assert sentence in project.refuses("flows.stage", "clips", "--dataset", "smoke")
    assert sentence in project.refuses("pipeline", "new-dataset", "mine", "--like", "frames", "--path", "raw")
    assert (project.root / "params.yaml").read_bytes() == content


def test_what_a_later_stage_could_not_do_is_refused_before_the_first_works(project):
    project.edit("  stride: 1\n", "  stride: 9\n")
    sentence = "params.yaml: datasets.smoke.evaluate.stride is 9: optical_flow.strides has 1, 3"
    assert project.refuses("flows.stage", "clips", "--dataset", "smoke") == sentence
    assert not (project.root / "data/smoke/clips").exists()


def test_a_mistake_in_another_data_sets_entry_stops_nothing(frames):
    frames.edit("    clips: {frames: 16}", "    clips: {frams: 16}")
    assert frames.run("pipeline", "scan", "mine").returncode == 0
    assert frames.run("flows.stage", "clips", "--dataset", "mine").returncode == 0
    assert "datasets.sample-street.clips.frams is no parameter" in frames.refuses("flows.stage", "clips", "--dataset", "sample-street")


def spoil_labels(project: Project) -> str:
    project.write_frames("bad", 8, 7)
    counts = r"\(8 frames, 7 label images in bad\)"
    return rf"bad: frames/bad/007\.png: a frame without its label image {counts}; source\.labels_cover: some allows it"


def spoil_length(project: Project) -> str:
    project.write_frames("bad", 6, 6)
    return r"bad: has 2 frames for training, a clip needs clips\.frames = 4"


def spoil_size(project: Project) -> str:
    Image.new("RGB", (9, 9)).save(project.root / "raw/frames/bad/005.png")
    return r"bad: frames/bad/005\.png: is 9x9, the sequence's first frame 32x24: all must be equal"


def spoil_id(project: Project) -> str:
    Image.new("L", SIZE, 77).save(project.root / "raw/labels/bad/002.png")
    return r"bad: labels/bad/002\.png: label id 77 at x=0 y=0 is not in palette cityscapes_train, which has .*"


def spoil_image(project: Project) -> str:
    path = project.root / "raw/frames/bad/003.png"
    path.write_bytes(path.read_bytes()[:40])
    return r"bad: .*frames/bad/003\.png: is no readable image \(.*\)"


def spoil_file(project: Project) -> str:
    (project.root / "raw/frames/bad/003.png").write_bytes(b"")
    return r"bad: .*frames/bad/003\.png: is no readable image \(.*\)"


@pytest.mark.parametrize("spoil", [spoil_labels, spoil_length, spoil_size, spoil_id, spoil_image, spoil_file])
def test_a_bad_sequence_fails_alone_and_once_mended_only_it_is_done(frames, spoil):
    sentence = spoil(frames)
    assert frames.run("pipeline", "scan", "mine").returncode == 0
    done = frames.run("flows.stage", "clips", "--dataset", "mine")
    assert done.returncode == 1
    said = "".join(line for line in done.stderr.splitlines(keepends=True) if not PROGRESS.match(line))
    assert re.fullmatch(sentence + "\n", said), done.stderr
    assert "1 computed, 0 reused, 1 failed" in done.stdout
    assert not list(frames.root.glob("runs/*/*.traceback.txt"))
    frames.write_frames("bad", 8, 8)
    frames.run("pipeline", "scan", "mine")
    assert "1 computed, 1 reused, 0 failed" in frames.run("flows.stage", "clips", "--dataset", "mine").stdout


def test_a_store_in_the_way_is_named(project):
    (project.root / ".store").touch()
    assert re.search(
        r"\.store/locks/use cannot be written \(Not a directory\)", project.refuses("flows.stage", "clips", "--dataset", "smoke")
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named_before_the_first_clip(frames):
    frames.run("pipeline", "scan", "mine")
    assert frames.run("flows.stage", "clips", "--dataset", "mine").returncode == 0
    frames.edit("device: cpu", "device: cuda")
    sentence = frames.refuses("flows.stage", "segmentation_model", "--dataset", "mine")
    assert sentence == "machine.device is cuda, but torch finds no GPU with a working driver here: set it to cpu"
