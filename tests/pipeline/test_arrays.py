import hashlib
from zipfile import ZipFile

import numcodecs.blosc
import numpy as np
import pytest
import zarr
from zarr.storage import ZipStore

from pipeline import arrays
from pipeline.errors import InputError


def some_frames(dtype: type, *shape: int) -> np.ndarray:
    return (np.random.default_rng(0).random(shape) * 100).astype(dtype)


@pytest.fixture
def written(tmp_path):
    rgb, moved = some_frames(np.uint8, 7, 6, 5, 3), some_frames(np.float16, 7, 6, 5, 2)
    path = tmp_path / "clip.zip"
    with arrays.writing(path, {"palette": ["a", "b"]}) as writer:
        for frame, motion in zip(rgb, moved, strict=True):
            writer.append("rgb", frame)
            writer.append("optical_flow_1", motion)
    return path, rgb, moved


def test_what_was_written_is_read(written):
    path, rgb, moved = written
    clip = arrays.reading(path)
    assert clip.names() == ["optical_flow_1", "rgb"]
    assert clip.attributes == {"palette": ["a", "b"]}
    np.testing.assert_array_equal(clip["rgb"][:], rgb)
    np.testing.assert_array_equal(clip["optical_flow_1"][2:5], moved[2:5])
    np.testing.assert_array_equal(clip["rgb"][-1], rgb[6])
    assert clip["rgb"][5:2].shape == (0, 6, 5, 3)


def test_zarr_reads_the_same(written):
    path, rgb, moved = written
    group = zarr.open_group(ZipStore(path, mode="r"), mode="r")
    np.testing.assert_array_equal(group["rgb"][:], rgb)
    np.testing.assert_array_equal(group["optical_flow_1"][3:6], moved[3:6])
    assert dict(group.attrs) == {"palette": ["a", "b"]}


def test_equal_input_gives_equal_bytes(written, tmp_path):
    path, rgb, moved = written
    again = tmp_path / "again.zip"
    with arrays.writing(again, {"palette": ["a", "b"]}) as writer:
        for frame, motion in zip(rgb, moved, strict=True):
            writer.append("rgb", frame)
            writer.append("optical_flow_1", motion)
    assert again.read_bytes() == path.read_bytes()


def test_the_format_is_the_one_that_layout_version_stands_for(tmp_path):
    """If this fails, files have changed: raise layout.VERSION and put the new digest here."""
    path = tmp_path / "golden.zip"
    with arrays.writing(path, {"answer": 42}) as writer:
        writer.append("label", np.arange(12, dtype=np.uint8).reshape(3, 4))
        writer.append("label", np.zeros((3, 4), np.uint8))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == GOLDEN


GOLDEN = "51e284b4cd464ab6f7da9224c6aba9aa8e73fb4d2a5ae6418c62b2788ee07548"


def test_a_file_that_is_no_array_file_is_named(tmp_path):
    path = tmp_path / "frames.zip"
    path.write_bytes(b"not a zip")
    with pytest.raises(InputError, match=r"frames\.zip: is no readable array file"):
        arrays.reading(path)
    with pytest.raises(InputError, match=r"missing\.zip: there is no such file"):
        arrays.reading(tmp_path / "missing.zip")


def test_a_flipped_bit_is_found_when_the_frame_is_read(written):
    path, rgb, _ = written
    data = bytearray(path.read_bytes())
    data[data.index(b"rgb/c/0/0/0/0") + 40] ^= 1  # in the first chunk
    path.write_bytes(data)
    clip = arrays.reading(path)
    with pytest.raises(InputError, match="frame 0 is damaged"):
        clip["rgb"][0]
    np.testing.assert_array_equal(clip["rgb"][1], rgb[1])


@pytest.mark.parametrize("size", [89, 91])
def test_a_chunk_that_is_no_whole_frame_is_damage(written, tmp_path, size):
    """Its check sum is right, and Blosc would fill a part of the frame and leave what was in memory."""
    path, rgb, _ = written
    other = tmp_path / "other.zip"
    with ZipFile(path) as source, ZipFile(other, "w") as target:
        for name in source.namelist():
            changed = numcodecs.blosc.compress(bytes(size), b"zstd", 5, numcodecs.blosc.NOSHUFFLE)
            target.writestr(name, changed if name == "rgb/c/2/0/0/0" else source.read(name))
    clip = arrays.reading(other)
    with pytest.raises(InputError, match=f"frame 2 is damaged .{size} bytes, where a frame has 90"):
        clip["rgb"][:]
    np.testing.assert_array_equal(clip["rgb"][3], rgb[3])


def test_an_exception_while_writing_leaves_no_file(tmp_path):
    with pytest.raises(RuntimeError), arrays.writing(tmp_path / "clip.zip", {}) as writer:
        writer.append("label", np.zeros((2, 2), np.uint8))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_joined_give_the_bytes_of_one(written, tmp_path):
    path, rgb, moved = written
    for name, part in {"first": slice(0, 3), "second": slice(3, 7)}.items():
        with arrays.writing(tmp_path / name, {"of": name}) as writer:
            for frame, motion in zip(rgb[part], moved[part], strict=True):
                writer.append("rgb", frame)
                writer.append("optical_flow_1", motion)
    joined = tmp_path / "joined.zip"
    with arrays.writing(joined, {"palette": ["a", "b"]}) as writer:
        for name in ("first", "second"):
            writer.append_stored(arrays.opened(tmp_path / name))
    assert joined.read_bytes() == path.read_bytes()


def test_joined_frames_are_not_compressed_again(written, tmp_path, monkeypatch):
    monkeypatch.setattr(arrays.Blosc, "encode", None)
    monkeypatch.setattr(arrays.numcodecs.blosc, "decompress", None)
    with arrays.writing(tmp_path / "joined.zip", {}) as writer:
        writer.append_stored(arrays.opened(written[0]))
    monkeypatch.undo()
    np.testing.assert_array_equal(arrays.reading(tmp_path / "joined.zip")["rgb"][:], written[1])


def test_a_damaged_frame_is_not_joined(written, tmp_path):
    path, _, _ = written
    data = bytearray(path.read_bytes())
    data[data.index(b"rgb/c/0/0/0/0") + 40] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="frame 0 is damaged"), arrays.writing(tmp_path / "joined.zip", {}) as writer:
        writer.append_stored(arrays.opened(path))
    assert not (tmp_path / "joined.zip").exists()
