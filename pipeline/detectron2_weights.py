"""Files of weights that detectron2 published -> its models. Without importing it, and without running what a pickle may hold.

Its own DetectionCheckpointer unpickles .pkl files with all that is in them, and leaves what a file lacks at random.
"""

import io
import pickle
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.checkpoint import read_weights
from pipeline.errors import InputError, is_machine_fault, one_line

GIVEN_BY_CONFIGURATION = ("pixel_mean", "pixel_std", "proposal_generator.anchor_generator")
"""Buffers that a model has already, whether a file holds them or not."""

COUNTER = "num_batches_tracked"
"""Norms that were frozen for the training have none, and nothing computes with it."""


def fill(model: nn.Module, file: Path, *, parameter: str, misfit: str) -> None:
    """InputError that names `parameter` where it is no such file; with the sentence `misfit` where a weight is missing, misshapen or
    too much: a deeper network's file has all that a shallower one needs, and more."""
    state = _state(file, parameter)
    wanted = {name: weight for name, weight in model.state_dict().items() if _counts(name)}
    lacking = [name for name, weight in wanted.items() if name not in state or state[name].shape != weight.shape]
    if lacking:
        raise InputError(f"{parameter}: {misfit}: it has no {lacking[0]} of that shape, and {len(lacking) - 1} others are missing")
    surplus = [name for name in state if name not in wanted and _counts(name)]
    if surplus:
        raise InputError(f"{parameter}: {misfit}: it has {surplus[0]}, which the network has not, and {len(surplus) - 1} others")
    model.load_state_dict({name: state[name] for name in wanted}, strict=False)


def _counts(name: str) -> bool:
    return not name.startswith(GIVEN_BY_CONFIGURATION) and not name.endswith(COUNTER)


def _state(file: Path, parameter: str) -> dict[str, Tensor]:
    """A pickle of NumPy arrays (.pkl), or what torch saved (.pth)."""
    saved = _unpickled(file, parameter) if file.suffix == ".pkl" else read_weights(file, parameter)
    try:
        weights = {name: weight for name, weight in saved.get("model", saved).items() if not name.startswith("__")}
        return {name: torch.as_tensor(weight.values if isinstance(weight, _Array) else weight) for name, weight in weights.items()}
    except (TypeError, AttributeError, RuntimeError, ValueError) as error:
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
    """A pickle calls what it names. It gets none of NumPy's own classes, with which it could lay arrays over any memory, but these."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "numpy" or module.startswith(("numpy.core.", "numpy._core.")):
            module = "numpy"
        if (module, name) not in INERT:
            raise pickle.UnpicklingError(f"it wants {module}.{name}, which weights do not need")
        return INERT[module, name]


class _Dtype:
    """Of numbers alone; what NumPy's own `__setstate__` would believe of fields and sizes is refused."""

    def __init__(self, text: str, *_: Any) -> None:
        if not re.fullmatch(r"[<>|=]?[biufc]\d+", text):
            raise pickle.UnpicklingError(f"it has an array of {text}, not of numbers")
        self.of = np.dtype(text)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, order, *fields = state
        if any(field is not None for field in fields[:3]):
            raise pickle.UnpicklingError("it has an array of records, not of numbers")
        self.of = self.of.newbyteorder(order)


class _Array:
    """What a pickle says of an array."""

    values: np.ndarray

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, content = state
        self.values = _from_bytes(content, dtype, shape, "F" if fortran else "C").values


def _from_bytes(content: Any, dtype: _Dtype, shape: tuple[int, ...], order: Literal["C", "F"]) -> _Array:
    array = _Array()
    array.values = np.frombuffer(_latin1(content), dtype.of).reshape(shape, order=order).astype(dtype.of.newbyteorder("="))
    return array


def _empty(*_: Any) -> _Array:
    """Its content follows; of which class it shall be is not asked."""
    return _Array()


def _scalar(dtype: _Dtype, content: Any) -> Any:
    return np.frombuffer(_latin1(content), dtype.of)[0].item()


def _latin1(text: Any, *_: Any) -> bytes:
    """As Python 2 and older protocols write bytes."""
    return text.encode("latin1") if isinstance(text, str) else bytes(memoryview(text))


def _marker() -> None:
    """Stands for a class, which pickles of arrays pass on and never call."""


INERT: dict[tuple[str, str], Any] = {
    ("numpy", "_reconstruct"): _empty,
    ("numpy", "_frombuffer"): _from_bytes,
    ("numpy", "scalar"): _scalar,
    ("numpy", "ndarray"): _marker,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _latin1,
}
