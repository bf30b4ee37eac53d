import pytest

from pipeline import params
from pipeline.errors import InputError
from pipeline.plan import _with_hashes
from pipeline.store import file_sha256


def measuring(weights: str) -> dict:
    network = params.VideoNetwork(name="r3d_18", weights=weights, window_frames=8, window_stride=2)
    return params.Evaluate(stride=1, video_network=network).model_dump()


def test_weights_count_by_their_content_at_any_depth(tmp_path):
    first, same, other = (tmp_path / name for name in ("first.pth", "same.pth", "other.pth"))
    for path, content in ((first, b"1"), (same, b"1"), (other, b"2")):
        path.write_bytes(content)
    counted = _with_hashes(measuring(str(first)), "evaluate")
    assert counted["video_network"]["weights"] == file_sha256(first)
    assert counted == _with_hashes(measuring(str(same)), "evaluate") != _with_hashes(measuring(str(other)), "evaluate")


def test_missing_weights_are_named_with_their_key():
    with pytest.raises(InputError, match=r"^evaluate\.video_network\.weights: none\.pth is no file"):
        _with_hashes(measuring("none.pth"), "evaluate")
