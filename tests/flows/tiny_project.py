"""A tiny real project in a temporary folder: text files as raw data, real params.yaml and dvc.yaml, the stages of tiny_journey."""

import os
import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ruamel.yaml import YAML

from flows import environment
from pipeline import scan

REPOSITORY = Path(__file__).parents[2]
DATASET = "tiny-street"
MODULES = os.pathsep.join([str(REPOSITORY), str(Path(__file__).parent)])
IN_CATALOG = "famous-street"

DVC_YAML = """
stages:
  clips:
    foreach: ${datasets}
    do:
      cmd: python -m tiny_journey clips --dataset ${key}
      deps: ["data/${key}.files.csv"]
      outs: ["data/${key}/clips"]
  segmentation:
    foreach: ${datasets}
    do:
      cmd: python -m tiny_journey segmentation --dataset ${key}
      deps: ["data/${key}/clips"]
      outs: ["data/${key}/segmentation"]
  optical_flow:
    foreach: ${datasets}
    do:
      cmd: python -m tiny_journey optical_flow --dataset ${key}
      deps: ["data/${key}/clips"]
      outs: ["data/${key}/optical_flow"]
  dataset:
    foreach: ${datasets}
    do:
      cmd: python -m tiny_journey dataset --dataset ${key}
      deps: ["data/${key}/segmentation", "data/${key}/optical_flow"]
      outs: ["data/${key}/dataset"]
"""


@dataclass
class Project:
    root: Path
    variables: dict[str, str] = field(default_factory=dict)
    """Set for everything that is run in it."""

    def raw(self, **texts: str) -> None:
        """Writes and scans raw files: name of the clip -> its text, which says how it fares; no two alike."""
        for name, text in texts.items():
            (self.root / "raw" / f"{name}.txt").write_text(text)
        with chdir(self.root):
            scan.run(DATASET, Path("raw"))

    def start(self, *module: str, output: IO[str] | None = None) -> subprocess.Popen[str]:
        """`python -m ...` in the project; prints into pipes, or all into one file."""
        command = [sys.executable, "-m", *module]
        to = {"stdout": output, "stderr": subprocess.STDOUT} if output else {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=self.root, env=self._environment(), text=True, **to)

    def run(self, *module: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*module)
        out, err = process.communicate(timeout=180)
        return subprocess.CompletedProcess(module, process.returncode, out, err)

    def stage(self, name: str) -> subprocess.CompletedProcess[str]:
        return self.run("tiny_journey", name, "--dataset", DATASET)

    def manifest(self, stage: str) -> Path:
        return self.root / "data" / DATASET / stage / "manifest.csv"

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in environment.for_tools().items() if name != environment.API_URL}
        return inherited | {"PYTHONPATH": MODULES} | self.variables


def create(root: Path) -> Project:
    """Scanned, with one raw file; one data set with a dash in its name, another in the catalog."""
    project = Project(root)
    (root / "raw").mkdir(parents=True)
    (root / "dvc.yaml").write_text(DVC_YAML)
    _write_params(root / "params.yaml")
    for command in (["init", "--no-scm", "-q"], ["config", "core.check_update", "false"]):
        assert project.run("dvc", *command).returncode == 0
    project.raw(one="1")
    return project


def _write_params(path: Path) -> None:
    """The real sections, with a source of our own."""
    yaml = YAML()
    values = yaml.load((REPOSITORY / "params.yaml").read_text())
    sections = next(iter(values["datasets"].values()))
    source = {"kind": "videos", "path": "raw", "test_videos": [], "test_frames": 0}
    source |= {"frames_per_second": None, "scene_threshold": None, "splits": None}
    entry = {name: {} for name in sections} | {"source": source, "segmentation": {"weights_from": DATASET}}
    values |= {"datasets": {DATASET: entry}, "catalog": {IN_CATALOG: entry}}
    values["machine"]["workers"] = 2
    yaml.dump(values, path)
