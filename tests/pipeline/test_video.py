from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from pipeline import video
from pipeline.errors import InputError

HEIGHT, WIDTH = 33, 47


def moving_ramp(num_frames: int = 20):
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for t in range(num_frames):
        yield np.stack([x * 255 // WIDTH, y * 255 // HEIGHT, np.full_like(x, 10 * t)], axis=-1).astype(np.uint8)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "ramp.mp4"
    video.write_mp4(path, moving_ramp(), "30000/1001", 10)
    return path


def test_equal_frames_give_equal_bytes(written, tmp_path):
    again = tmp_path / "again.mp4"
    video.write_mp4(again, moving_ramp(), "30000/1001", 10)
    assert again.read_bytes() == written.read_bytes()


def test_what_was_written_is_decoded_in_its_colours(written):
    decoded = list(video.frames(written))
    assert len(decoded) == 20
    for frame, original in zip(decoded, moving_ramp(), strict=True):
        assert np.abs(frame[:HEIGHT, :WIDTH].astype(int) - original).mean() < 3


def test_odd_sizes_are_padded_by_the_last_row_and_column(written):
    assert video.properties(written) == video.VideoProperties(20, HEIGHT + 1, WIDTH + 1, "30000/1001")
    frame = next(video.frames(written)).astype(int)
    assert np.abs(frame[-1] - frame[-2]).mean() < 3


def test_a_player_can_start_before_the_file_is_read(written):
    data = written.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_a_file_without_video_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "a.mp4"
    with pytest.raises(InputError, match=r"a\.mp4: there is no such file"):
        video.properties(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.mp4: is empty"):
        video.properties(path)
    path.write_text("certainly no video\n" * 100)
    with pytest.raises(InputError, match=r"a\.mp4: is no whole video \(.*\); mp4, mov, mkv, avi or webm is needed"):
        video.properties(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_video_is_refused_before_anything_is_decoded(written, share):
    data = written.read_bytes()
    written.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match=r"ramp\.mp4: (is cut off: \d+ of its 20 frames are there|is no whole video|has no video in it)"):
        video.properties(written)


def test_a_truncated_matroska_video_is_refused(tmp_path):
    """It promises no number of frames, but a length."""
    path = tmp_path / "a.mkv"
    with video.av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        random = np.random.default_rng(0)
        for _ in range(25):
            noise = random.integers(0, 256, (32, 64, 3), np.uint8)
            container.mux(stream.encode(video.av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode(None))
    assert video.properties(path).num_frames == len(list(video.frames(path))) == 25
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(InputError, match=r"a\.mkv: is cut off: 0\.\d+ s are missing at its end"):
        video.properties(path)


def test_a_video_with_a_hole_in_its_pictures_is_refused(written):
    data = bytearray(written.read_bytes())
    hole = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 3
    data[hole : hole + 400] = bytes(400)
    written.write_bytes(data)
    with pytest.raises(InputError, match=r"ramp\.mp4: "):
        list(video.frames(written))


def test_a_flipped_bit_is_refused_or_gives_all_frames_and_never_another_error(written):
    whole, refused = written.read_bytes(), 0
    random = np.random.default_rng(0)
    for _ in range(40):
        data = bytearray(whole)
        data[random.integers(len(data))] ^= 1 << random.integers(8)
        written.write_bytes(data)
        try:
            assert video.properties(written).num_frames == sum(1 for _ in video.frames(written))
        except InputError as error:
            refused += 1
            assert str(error).startswith(str(written))
    assert refused > 10


def test_a_portrait_video_of_a_phone_is_turned(written):
    """Phones film sideways and write the turn into the track header."""
    data = bytearray(written.read_bytes())
    upright = b"\x00\x01\x00\x00" + bytes(12) + b"\x00\x01\x00\x00" + bytes(12) + b"\x40\x00\x00\x00"
    clockwise = bytes(4) + b"\x00\x01\x00\x00" + bytes(4) + b"\xff\xff\x00\x00" + bytes(16) + b"\x40\x00\x00\x00"
    assert len(upright) == len(clockwise) == 36
    lying = next(video.frames(written))
    matrix = data.index(upright, data.index(b"tkhd"))
    data[matrix : matrix + 36] = clockwise
    written.write_bytes(data)
    found = video.properties(written)
    assert (found.height, found.width) == (WIDTH + 1, HEIGHT + 1)
    np.testing.assert_array_equal(next(video.frames(written)), np.rot90(lying, -1))


def test_frames_come_one_by_one(written):
    assert len(list(islice(video.frames(written), 3))) == 3
