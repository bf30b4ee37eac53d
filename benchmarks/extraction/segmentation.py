"""The DeepLabV3 that is trained by default, from nothing, on CamVid and on the built-in street: mean IoU on the test frames."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks.extraction import Row
from pipeline import layout, new_dataset, params, runner, scan
from pipeline.params_file import load

PARAMS = Path(__file__).parents[2] / "params.yaml"
STAGES = ("clips", "segmentation_model", "segmentation", "segmentation_scores")


def rows(data: Path) -> list[Row]:
    found = []
    for name, path, what in (
        ("camvid", data.resolve() / "seg_gt/camvid_0016E5_15hz", "CamVid 0016E5, 240x176"),
        ("sample-street", None, "built-in street, 256x128"),
    ):
        with project(name, path):
            found.append(_row(what, scores(name), load(layout.PARAMS).section(params.SegmentationModel, name)))
    return found


def _row(what: str, scored: dict[str, Any], p: params.SegmentationModel) -> Row:
    beside = scored["baselines"]
    return Row(
        "segmentation",
        f"deeplabv3 (MobileNetV3, from nothing, {p.steps} steps)",
        f"{what}: {scored['seen_frames']} labelled frames seen, {scored['held_out_frames']} for testing",
        "mean IoU (higher is better)",
        f"{scored['miou']:.3f}",
        f"most frequent class {beside['most_frequent_class']:.3f}"
        + ("" if beside["copy_nearest_label"] is None else f", copy nearest label {beside['copy_nearest_label']:.3f}"),
    )


@contextmanager
def project(name: str, path: Path | None) -> Iterator[None]:
    """An empty project with this data set, which is labelled by its own model, as working folder."""
    before = os.environ.pop("V2V_STORE", None)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        shutil.copy(PARAMS, layout.PARAMS)
        if path:
            new_dataset.run(name, path, like=name)
        _label_by_the_model(name)
        yield
    if before is not None:
        os.environ["V2V_STORE"] = before


def _label_by_the_model(name: str) -> None:
    yaml = YAML()
    values = yaml.load(layout.PARAMS.read_text())
    values["datasets"][name]["segmentation"] = {"weights_from": name}
    with layout.PARAMS.open("w") as file:
        yaml.dump(values, file)


def scores(name: str) -> dict[str, Any]:
    source = load(layout.PARAMS).source(name)
    path = getattr(source, "path", None)
    scan.run(name, Path(path) if path else None)
    for stage in STAGES:
        summary = runner.run(stage, name)
        assert not summary.failed, summary.failed
    found: dict[str, Any] = json.loads(layout.scores(layout.stage(name, "segmentation_scores")).read_text())
    return found
