"""Tests run in an empty project folder of their own; real clips are found beside the repository, or their tests skipped."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

REPOSITORY = Path(__file__).parents[1]

install_import_hook(["models", "pipeline"], "beartype.beartype")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder with its own store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("V2V_STORE", str(tmp_path / ".store"))
    yield tmp_path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real clips, labels, optical flow and small weights."""
    folder = Path(os.environ.get("SHARED_DIR", REPOSITORY.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; SHARED_DIR names the folder that holds data/")
    return folder
