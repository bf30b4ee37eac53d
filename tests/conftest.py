"""Tests run in an empty project folder of their own; real clips and the reference networks' numbers are found beside
the repository, or their tests skipped.
"""

import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jaxtyping import install_import_hook

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from torch import Tensor

REPOSITORY = Path(__file__).parents[1]

install_import_hook(["models", "pipeline"], "beartype.beartype")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder with its own store and its own cache of weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("V2V_STORE", str(tmp_path / ".store"))
    monkeypatch.setenv("V2V_WEIGHTS", str(tmp_path / ".weights"))
    yield tmp_path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real clips, labels, optical flow and small weights."""
    folder = Path(os.environ.get("SHARED_DIR", REPOSITORY.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; SHARED_DIR names the folder that holds data/")
    return folder


@dataclass(frozen=True)
class Parity:
    """One file of the reference's numbers; `about` is its entry in the index."""

    about: dict
    tensors: "dict[str, Tensor]"

    def under(self, prefix: str) -> "dict[str, Tensor]":
        return {name.removeprefix(f"{prefix}."): x for name, x in self.tensors.items() if name.startswith(f"{prefix}.")}


@pytest.fixture(scope="session")
def parity_folder() -> Path:
    folder = Path(os.environ.get("SHARED_DIR", REPOSITORY.parent / "shared")) / "reference" / "parity"
    if not folder.is_dir():
        pytest.skip(f"the reference networks' numbers are not at {folder}; SHARED_DIR names the folder that holds reference/parity")
    return folder


@pytest.fixture(scope="session")
def parity(parity_folder: Path) -> Callable[[str], Parity]:
    """The reference networks' numbers."""
    from safetensors.torch import load_file

    index = json.loads((parity_folder / "index.json").read_text())

    def read(name: str) -> Parity:
        path = parity_folder / f"{name}.safetensors"
        return Parity(index[name], load_file(path) if path.exists() else {})

    return read


CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
""".ci/run looks for the same."""


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """A headless Chromium that is installed here.

    Closed after each module: while it is open, Playwright keeps an event loop running, and asyncio.run() fails in this thread.
    """
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        notice = f"no {', '.join(CHROMIUM)} on this machine: pages are not checked; on Debian: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(notice)
        warnings.warn(notice, stacklevel=1)
        pytest.skip(notice)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
