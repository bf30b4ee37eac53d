"""Files of weights that detectron2 published -> its models. Without importing it, and without running what a pickle may hold.

Its own DetectionCheckpointer unpickles .pkl files with all that is in them, and leaves what a file lacks at random.
"""

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.checkpoint import read_weights
from pipeline.errors import InputError, is_machine_fault, one_line

GIVEN_BY_CONFIGURATION = ("pixel_mean", "pixel_std", "proposal_generator.anchor_generator")
"""Buffers that a model has already, whether a file holds them or not."""


def fill(model: nn.Module, file: Path, *, parameter: str, misfit: str) -> None:
    """InputError that names `parameter` where it is no such file; with the sentence `misfit` where a weight is missing or misshapen."""
    state = _state(file, parameter)
    wanted = {name: weight for name, weight in model.state_dict().items() if not name.startswith(GIVEN_BY_CONFIGURATION)}
    lacking = [name for name, weight in wanted.items() if name not in state or state[name].shape != weight.shape]
    if lacking:
        raise InputError(f"{parameter}: {misfit}: it has no {lacking[0]} of that shape, and {len(lacking) - 1} others are missing")
    model.load_state_dict({name: state[name] for name in wanted}, strict=False)


def _state(file: Path, parameter: str) -> dict[str, Tensor]:
    """A pickle of NumPy arrays (.pkl), or what torch saved (.pth)."""
    saved = _unpickled(file, parameter) if file.suffix == ".pkl" else read_weights(file, parameter)
    try:
        return {name: torch.as_tensor(weight) for name, weight in saved.get("model", saved).items() if not name.startswith("__")}
    except (TypeError, AttributeError, RuntimeError) as error:
        raise InputError(f"{parameter}: {file} is no file of weights ({one_line(error)})") from None


def _unpickled(file: Path, parameter: str) -> dict[str, Any]:
    try:
        saved = _ArraysOnly(io.BytesIO(file.read_bytes()), encoding="latin1").load()
    except Exception as error:  # unpickling what is no such file raises anything
        if is_machine_fault(error):
            raise
        raise InputError(f"{parameter}: {file} is no file of weights ({one_line(error)})") from None
    if not isinstance(saved, dict):
        raise InputError(f"{parameter}: {file} is no file of weights (it holds a {type(saved).__name__})")
    return saved


class _ArraysOnly(pickle.Unpickler):
    """A pickle can run any code; these need NumPy's arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "numpy" and name in ("_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer"):
            return super().find_class(module, name)
        if (module, name) == ("_codecs", "encode"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it wants {module}.{name}, which weights do not need")
