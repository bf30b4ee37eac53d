"""Pickles and state dicts as detectron2 publishes them; it is not needed for this."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pipeline import detectron2_weights
from pipeline.errors import InputError

ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "turned": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
    "whole": np.array([1, -2], np.int64),
    "half": np.array([0.5], np.float16),
    "big": np.array([1, 2], ">i4"),
    "yes": np.array([True, False]),
    "alone": np.float32(2.5),
}


class Calls:
    """Pickled as a call: of `function`, with `arguments`, and what is set in the result."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.call = (function, arguments, state) if state is not None else (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def read(path: Path) -> dict[str, torch.Tensor]:
    return detectron2_weights._state(path, "pose.options.weights")


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_come_as_numpy_reads_them_itself(tmp_path, protocol):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"model": ARRAYS, "__author__": "somebody"}, protocol))
    found = read(tmp_path / "a.pkl")
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name].numpy(), array)
        assert name == "alone" or found[name].numpy().dtype == array.dtype.newbyteorder("=")


def test_a_pickle_of_python_2_is_read(tmp_path):
    """Its bytes are text, its modules those of old NumPy."""
    text = pickle.dumps({"a": ARRAYS["a"]}, 2)
    number = np.float32([1.5]).tobytes()
    old = (
        b"\x80\x02}U\x01acnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x01\x85"
        b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x04" + number + b"tbs."
    )
    for name, content in (("new.pkl", text), ("old.pkl", old)):
        (tmp_path / name).write_bytes(content)
    assert read(tmp_path / "old.pkl")["a"].tolist() == [1.5]
    assert read(tmp_path / "new.pkl")["a"].tolist() == ARRAYS["a"].tolist()


RECORDS = Calls(np.dtype, "V8", False, True, state=(3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0))
"""A dtype of objects that says of itself that it has none."""


@pytest.mark.parametrize(
    "forged",
    [
        Calls(np.ndarray, (1,), np.dtype("O"), b"\0" * 8),
        Calls(np.ndarray, (1,), "O", b"\0" * 8),
        Calls(np._core.numeric._frombuffer, b"\0" * 8, np.dtype("O"), (1,), "C"),
        Calls(np._core.numeric._frombuffer, b"\0" * 8, RECORDS, (1,), "C"),
        Calls(np._core.numeric._frombuffer, b"\0" * 8, Calls(np.dtype, "f8", state=RECORDS.call[2]), (1,), "C"),
        Calls(np._core.multiarray.scalar, np.dtype("O"), b"\0" * 8),
        Calls(np._core.multiarray._reconstruct, np.ndarray, (1,), b"b", state=(1, (1,), np.dtype("O"), False, b"\0" * 8)),
        Calls(np._core.multiarray._reconstruct, np.ndarray, (1,), b"b", state=(1, (1 << 40,), np.dtype("f8"), False, b"\0" * 8)),
        Calls(np._core.multiarray._reconstruct, np.ndarray, (1,), b"b"),
        Calls(np.frombuffer, b"\0" * 8, "f8"),
        Calls(print, "run"),
    ],
    ids=["array", "array-by-text", "buffer", "records", "records-of-numbers", "scalar", "state", "size", "no-content", "other", "code"],
)
def test_a_pickle_that_lays_objects_over_bytes_is_refused_in_a_sentence(tmp_path, forged, capfd):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"model": {"a": forged}}))
    with pytest.raises(InputError, match=r"^pose.options.weights: .*a.pkl is no file of weights \([^\n]+\)$"):
        read(tmp_path / "a.pkl")
    assert not capfd.readouterr().out


def layers(depth: int) -> nn.Module:
    """Blocks under the names of a network's backbone, with norms that count."""
    torch.manual_seed(depth)
    network = nn.Module()
    network.backbone = nn.Sequential(*(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)) for _ in range(depth)))
    network.register_buffer("pixel_mean", torch.zeros(3))
    return network


def filled(network: nn.Module, state: dict[str, torch.Tensor], folder: Path) -> dict[str, torch.Tensor]:
    torch.save({"model": state}, folder / "a.pth")
    detectron2_weights.fill(network, folder / "a.pth", parameter="pose.options.weights", misfit="a.pth does not fit toy")
    return network.state_dict()


def test_a_file_of_a_deeper_network_is_refused_and_not_cut(tmp_path):
    with pytest.raises(InputError, match=r"a.pth does not fit toy: it has backbone.2.0.weight, which the network has not, and 5 others"):
        filled(layers(2), layers(3).state_dict(), tmp_path)
    with pytest.raises(InputError, match=r"a.pth does not fit toy: it has no backbone.2.0.weight of that shape, and 5 others are missing"):
        filled(layers(3), layers(2).state_dict(), tmp_path)


@pytest.mark.parametrize("counted", [True, False])
def test_what_the_configuration_gives_and_what_only_counts_may_be_there_or_not(tmp_path, counted):
    wanted = layers(2).state_dict()
    optional = {"pixel_std": torch.ones(3), "proposal_generator.anchor_generator.cell_anchors.0": torch.ones(3, 4)}
    given = {name: weight + 1 for name, weight in wanted.items() if name.startswith("backbone") and (counted or "tracked" not in name)}
    found = filled(layers(2), given | (optional if counted else {}), tmp_path)
    for name in given:
        if "tracked" not in name:
            torch.testing.assert_close(found[name], given[name])
