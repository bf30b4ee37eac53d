"""Weights by name: the table against those who publish them, and use wherever a path may stand."""

import ast
import csv
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from pipeline import (
    before_work,
    extractors,
    layout,
    learners,
    palettes,
    params,
    plan,
    segmentation_model,
    video_network,
    weights,
    weights_care,
)
from pipeline.deeplabv3 import Segmenter
from pipeline.errors import InputError
from pipeline.extractors.optical_flow import ptlflow
from pipeline.journey import STAGES
from pipeline.params_file import check
from pipeline.store import file_sha256
from pipeline.weights import path_of, version_of
from tests.conftest import REPOSITORY
from tests.pipeline.origin import CONTENT, OTHER, SHA256, write_table


def torchvision_lines() -> list[weights.Entry]:
    return [entry for entry in weights.table().values() if entry.name.startswith("torchvision-")]


def test_every_line_of_torchvision_has_the_address_size_and_digits_that_torchvision_publishes():
    lines = torchvision_lines()
    assert len(lines) > 20
    for entry in lines:
        model, variant = entry.name.removeprefix("torchvision-").rsplit("-", 1)
        published = torchvision.models.get_model_weights(model)[variant.upper()]
        assert entry.url == published.url
        assert entry.url.endswith(f"-{entry.sha256}.pth") and len(entry.sha256) == 8
        assert int(entry.bytes.removeprefix("~")) == pytest.approx(published.meta["_file_size"] * 2**20, abs=1100)


def test_every_network_that_video_fid_can_name_has_its_weights_in_the_table():
    named = {entry.used_by for entry in torchvision_lines() if entry.used_by.startswith("evaluate.video_network.weights")}
    networks = set(torchvision.models.list_models(module=torchvision.models.video))
    assert named == {f"evaluate.video_network.weights ({network})" for network in networks}


def test_every_line_of_ptlflow_has_an_address_that_ptlflow_names():
    """Its sources are read: importing them takes seconds."""
    folder = Path(importlib.util.find_spec("ptlflow").origin).parent / "models"
    trees = [ast.parse(file.read_text()) for name in ("flownet", "raft") for file in (folder / name).glob("*.py")]
    assigned = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    named = {
        (training, url)
        for node in assigned
        if isinstance(node.value, ast.Dict) and ast.unparse(node.targets[0]) == "pretrained_checkpoints"
        for training, url in ast.literal_eval(node.value).items()
    }
    lines = [entry for entry in weights.table().values() if entry.name.startswith("ptlflow-")]
    assert len(lines) == 2
    for entry in lines:
        model, training = entry.name.removeprefix("ptlflow-").rsplit("-", 1)
        assert (training, entry.url) in named
        assert entry.url.endswith(f"/{model}-{training}-{entry.sha256}.ckpt") and len(entry.sha256) == 8


def test_every_parameter_that_uses_weights_exists():
    for use in [use for entry in weights.table().values() for use in entry.used_by.split(" and ")]:
        section, *keys = use.split(" (")[0].split(".")
        fields = (params.FaceForensics if section == "source" else params.SECTIONS[section]).model_fields
        for key in keys[:-1]:
            fields = getattr(fields[key].annotation, "model_fields", {})
        if keys[-2:-1] == ["options"]:
            backend = use.split(" (")[1].rstrip(")").split(",")[0]
            fields = extractors._options(f"pipeline.extractors.{section}.{backend}", extractors.GIVEN[section]).model_fields
        assert keys[-1] in fields


def test_files_at_hand_are_those_of_the_table(project, shared_data):
    at_hand = {
        "princeton-raft_small-things": "raft-small.pth",
        "yunet-n-640": "yunet_n_640_640.onnx",
        "mediapipe-face_landmark": "face_landmark_468.tflite",
    }
    with (shared_data / "MANIFEST.csv").open(newline="") as manifest:
        origins = {row["path"]: row for row in csv.DictReader(manifest)}
    for name, file in at_hand.items():
        entry, origin = weights.named(name), origins[f"weights/{file}"]
        assert entry.url.endswith("/".join(["", origin["source_repo"], origin["commit"], origin["source_path"]]))
        assert origin["licence"].startswith(entry.licence)
        weights_care.add(name, shared_data / "weights" / file)
        assert weights.path_of(name, "x").read_bytes() == (shared_data / "weights" / file).read_bytes()
        assert (entry.sha256, entry.bytes) == (origin["sha256"], origin["bytes"])


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ({"name": "a.pth"}, r"table\.csv\.name is 'a\.pth': string should match"),
        ({"sha256": "xyz"}, r"table\.csv\.sha256 is 'xyz'"),
        ({"bytes": "1.5"}, r"table\.csv\.bytes is '1\.5'"),
        ({"url": "net.pth"}, r"table\.csv\.url is 'net\.pth'"),
        ({"licence": ""}, r"table\.csv\.licence is ''"),
        ({"name": "twin"}, "twin stands there twice"),
    ],
)
def test_a_wrong_line_is_named(line, sentence, project, monkeypatch):
    monkeypatch.setattr(weights, "TABLE", write_table(project / "table.csv", {"name": "twin"}, {"name": "good"}, line))
    with pytest.raises(InputError, match=sentence):
        weights.table()


def test_a_table_that_is_none_is_named(project, monkeypatch):
    monkeypatch.setattr(weights, "TABLE", project / "table.csv")
    for content in (b"\xff\xfe", b"name,url\nnet\n", b"name\na,b,c\n"):
        (project / "table.csv").write_bytes(content)
        with pytest.raises(InputError, match=r"table\.csv"):
            weights.table()


@pytest.fixture
def added(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], weights.Entry]:
    """Moves a file to where it is known as `net` alone."""

    def add(file: Path) -> weights.Entry:
        line = {"url": f"https://nowhere/{file.name}", "sha256": file_sha256(file)}
        monkeypatch.setattr(weights, "TABLE", write_table(project / "table.csv", line))
        weights_care.add("net", file)
        file.unlink()
        return weights.named("net")

    return add


def written(path: Path, content: bytes = CONTENT) -> Path:
    path.write_bytes(content)
    return path


def test_a_path_is_itself_and_a_name_is_its_file(added, project):
    entry = added(written(project / "w.pth"))
    assert weights.path_of("net", "x") == entry.file == layout.weights() / "net.pth"
    written(project / "net", OTHER)
    assert weights.path_of("./net", "x").read_bytes() == OTHER
    assert weights.path_of("net", "x").read_bytes() == CONTENT


def test_a_name_counts_by_its_content_as_a_path_does(added, project):
    added(written(project / "w.pth"))
    written(project / "same.pth")
    named, given = (plan._with_hashes({"video_network": {"weights": which}}, "evaluate") for which in ("net", "same.pth"))
    assert named == given == {"video_network": {"weights": SHA256}}


def test_a_named_file_is_read_once_and_known_by_size_and_time_from_then_on(added, project, monkeypatch):
    entry = added(written(project / "w.pth"))
    read = []
    monkeypatch.setattr(weights, "file_sha256", lambda path: read.append(path) or file_sha256(path))
    assert (weights.path_of("net", "x"), weights.sha256_of("net", "x"), read) == (entry.file, SHA256, [])
    os.utime(entry.file, ns=(1, 1))
    weights.path_of("net", "x")
    weights.path_of("net", "x")
    assert read == [entry.file]
    layout.weights_record(entry.file).write_text("{}")
    assert (weights.sha256_of("net", "x"), read) == (SHA256, [entry.file] * 2)


@pytest.mark.parametrize("content", [OTHER, CONTENT[:-1], b""])
def test_a_named_file_that_was_changed_is_not_used(added, project, content):
    entry = added(written(project / "w.pth"))
    entry.file.chmod(0o644)
    entry.file.write_bytes(content)
    damaged = rf"net\.pth is damaged: its sha256 is .*, expected is {SHA256}; .* fetch net`"
    for use in (weights.path_of, weights.sha256_of):
        with pytest.raises(InputError, match=rf"^train\.vgg_weights: .*{damaged}"):
            use("net", "train.vgg_weights")


def test_a_file_that_the_table_no_longer_means_is_not_used(added, project, monkeypatch):
    """The size and time are the remembered ones, but the table has another sha256 now."""
    added(written(project / "w.pth"))
    other = {"url": "https://nowhere/w.pth", "sha256": "0" * 64}
    monkeypatch.setattr(weights, "TABLE", write_table(project / "table.csv", other))
    with pytest.raises(InputError, match=rf"its sha256 is {SHA256}, expected is 0000"):
        weights.path_of("net", "x")


def test_before_any_work_a_name_is_looked_up(added, project):
    entry = added(written(project / "w.pth"))
    text = (REPOSITORY / "params.yaml").read_text().replace("vgg_weights: null", "vgg_weights: net", 1)
    clips, path = STAGES["clips"], Path("params.yaml")
    before_work.check(clips, "smoke", check(text, path))
    entry.file.unlink()
    with pytest.raises(InputError, match=r"smoke\.train\.vgg_weights: net has not been fetched: `python -m pipeline weights fetch net`"):
        before_work.check(clips, "smoke", check(text, path))
    with pytest.raises(InputError, match=r"smoke\.train\.vgg_weights: nets is no file: give the path .*; near are net$"):
        before_work.check(clips, "smoke", check(text.replace("vgg_weights: net", "vgg_weights: nets"), path))


def test_the_cache_lies_where_caches_lie(monkeypatch):
    monkeypatch.delenv("V2V_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert layout.weights() == Path("/caches/vid2vid/weights")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert layout.weights() == Path("/home/somebody/.cache/vid2vid/weights")


def test_the_segmentation_model_takes_a_name(project, added):
    torch.manual_seed(0)
    saved = Segmenter.untrained("deeplabv3_mobilenet_v3_large", palettes.load("camvid"), 1.0, "cpu")
    saved.save(project / "w.safetensors")
    added(project / "w.safetensors")
    found = segmentation_model._given("net", [], "cpu")
    assert all(torch.equal(a, b) for a, b in zip(saved.network.parameters(), found.network.parameters(), strict=True))


def test_video_fid_takes_a_name(project, added):
    torch.save(torchvision.models.get_model("mc3_18", weights=None).state_dict(), project / "w.pth")
    sha256 = file_sha256(project / "w.pth")
    added(project / "w.pth")
    network = params.VideoNetwork(name="mc3_18", weights="net", window_frames=2, window_stride=1)
    assert video_network.load(network, "cpu").weights_sha256 == sha256


def test_the_perceptual_term_takes_a_name(project, added, monkeypatch):
    """With a narrow network in VGG19's place: the real one has half a gigabyte."""
    narrow = nn.Module()
    narrow.features = nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(30)))
    torch.save({name: torch.full_like(value, 0.25) for name, value in narrow.state_dict().items()}, project / "w.pth")
    added(project / "w.pth")
    monkeypatch.setattr(torchvision.models, "vgg19", lambda weights: narrow)
    terms = params.Weights(**dict.fromkeys(params.Weights.model_fields, 1.0))
    found = learners._vgg(params.Train.model_construct(weights=terms, vgg_weights="net", vgg_imagenet_norm=False, checkpointing=False))
    assert all(value.eq(0.25).all() for value in found.slices.parameters())


def test_ptlflow_takes_a_name(project, shared_data):
    weights_care.add("princeton-raft_small-things", shared_data / "weights" / "raft-small.pth")
    file = path_of("princeton-raft_small-things", "optical_flow.options.weights")
    network, _ = ptlflow._loaded("raft_small", file, version_of(file), "cpu")
    saved = torch.load(shared_data / "weights" / "raft-small.pth", map_location="cpu", weights_only=True)
    name, value = next(iter(network.state_dict().items()))
    assert torch.equal(value, saved[f"module.{name}"])


def test_a_file_or_a_folder_with_one_that_was_replaced_is_another_version(tmp_path):
    (tmp_path / "a").mkdir()
    file = tmp_path / "a/w.pth"
    file.write_text("one")
    before = version_of(file), version_of(tmp_path)
    assert (version_of(file), version_of(tmp_path)) == before
    (tmp_path / "new").write_text("two")
    os.utime(tmp_path / "new", ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    (tmp_path / "new").replace(file)
    replaced = version_of(file), version_of(tmp_path)
    os.utime(file, ns=(0, 0))
    written = version_of(file), version_of(tmp_path)
    assert all(len({*versions}) == 3 for versions in zip(before, replaced, written, strict=True))


BETWEEN_PROCESSES = ("rank.py", "ranks.py", "torchrun.py")
"""They read what processes of the same training have written for each other, as torch.distributed itself does."""


def test_nothing_that_is_loaded_can_run_code():
    """Pickles can; torch.load with weights_only reads tensors alone."""
    files = [file for folder in ("pipeline", "models", "flows") for file in (REPOSITORY / folder).rglob("*.py")]
    calls = [(file, node) for file in files for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    loads = [(file, node) for file, node in calls if ast.unparse(node.func) in ("torch.load", "load_state_dict_from_url")]
    unsafe = [
        f"{file}:{node.lineno}" for file, node in loads if "weights_only=True" not in {ast.unparse(keyword) for keyword in node.keywords}
    ]
    pickles = [(file, node) for file, node in calls if ast.unparse(node.func) in ("pickle.load", "pickle.loads", "joblib.load")]
    unsafe += [f"{file}:{node.lineno}" for file, node in pickles if file.name not in BETWEEN_PROCESSES]
    assert len(loads) >= 2
    assert unsafe == []
