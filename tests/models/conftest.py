"""Shapes are checked at run time, and the reference networks' numbers are found or their tests skipped."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor


@dataclass(frozen=True)
class Parity:
    """One file of the reference's numbers; `about` is its entry in the index."""

    about: dict
    tensors: dict[str, Tensor]

    def under(self, prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(f"{prefix}."): x for name, x in self.tensors.items() if name.startswith(f"{prefix}.")}


@pytest.fixture(scope="session")
def parity_folder() -> Path:
    shared = Path(os.environ.get("SHARED_DIR", Path(__file__).parents[2].parent / "shared"))
    folder = shared / "reference" / "parity"
    if not folder.is_dir():
        pytest.skip(f"the reference networks' numbers are not at {folder}; SHARED_DIR names the folder that holds reference/parity")
    return folder


@pytest.fixture(scope="session")
def parity(parity_folder: Path) -> Callable[[str], Parity]:
    index = json.loads((parity_folder / "index.json").read_text())

    def read(name: str) -> Parity:
        path = parity_folder / f"{name}.safetensors"
        return Parity(index[name], load_file(path) if path.exists() else {})

    return read


@pytest.fixture(scope="session")
def relative_error() -> Callable[[Tensor, Tensor], float]:
    """max|a - b| / max|b|."""
    return lambda ours, reference: ((ours - reference).abs().max() / reference.abs().max()).item()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
