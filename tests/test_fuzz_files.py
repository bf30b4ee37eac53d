"""Damaged videos, images and array files are refused in one sentence, or give their frames. FUZZ_EXAMPLES=10000 looks longer."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline import arrays, layout, palettes, video
from pipeline.errors import InputError
from pipeline.sources import Item, open_item

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
SECONDS = 20
"""A damaged file may not take longer."""
MOST_PIXELS = 200_000_000


def fuzz(few: int) -> settings:
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
    return settings(
        max_examples=EXAMPLES or few, derandomize=not EXAMPLES, database=None, deadline=SECONDS * 1000, suppress_health_check=slow
    )


@st.composite
def damages(draw: st.DrawFn) -> list[tuple[str, float, bytes]]:
    """What happens to a file, and where, as a share of its length: half of the time near its ends, where headers and tables are."""
    anywhere = st.floats(0, 1, exclude_max=True)
    near_ends = st.one_of(anywhere.map(lambda x: x**4), anywhere.map(lambda x: 0.999999 - x**4 * 0.9))
    kinds = st.sampled_from(["flip", "truncate", "insert", "overwrite", "cut"])
    pieces = st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(8), b"\xff" * 8]))
    return draw(st.lists(st.tuples(kinds, st.one_of(anywhere, near_ends), pieces), min_size=1, max_size=3))


def damaged(whole: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    data = bytearray(whole)
    for kind, share, piece in changes:
        at = int(share * len(data))
        if kind == "flip" and data:
            data[at] ^= 1 << piece[0] % 8
        elif kind == "truncate":
            del data[at:]
        elif kind == "cut":
            del data[at : at + piece[0]]
        else:
            data[at : at + (len(piece) if kind == "overwrite" else 0)] = piece
    return bytes(data)


def require_one_sentence(error: InputError, path: Path) -> None:
    assert path.name in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 1000


RANDOM = np.random.default_rng(0)
PICTURES = [np.clip(np.kron(RANDOM.integers(0, 256, (5, 6, 3)), np.ones((8, 8, 1))) + t, 0, 255).astype(np.uint8) for t in range(12)]
CODECS = {"mp4": "libx264", "mkv": "mpeg4", "avi": "mjpeg", "webm": "libvpx", "mov": "mpeg4"}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    found = {}
    for kind, codec in CODECS.items():
        path = tmp_path_factory.mktemp("videos") / f"a.{kind}"
        with video.av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=15)
            stream.height, stream.width = PICTURES[0].shape[:2]
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for picture in PICTURES:
                container.mux(stream.encode(video.av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
        assert video.properties(path).num_frames == len(list(video.frames(path))) == len(PICTURES)
        found[kind] = path.read_bytes()
    return found


@pytest.mark.parametrize("kind", CODECS)
@fuzz(25)
@given(changes=damages())
def test_a_damaged_video_is_refused_or_gives_as_many_frames_as_it_says(kind, changes, videos, tmp_path):
    path = tmp_path / f"damaged.{kind}"
    path.write_bytes(damaged(videos[kind], changes))
    try:
        found = video.properties(path)
        sizes = [frame.shape for frame in video.frames(path)]
        assert sizes == [(found.height, found.width, 3)] * found.num_frames
    except InputError as error:
        require_one_sentence(error, path)


IMAGES = {"png": {}, "jpg": {}, "tif": {"compression": "tiff_lzw"}, "bmp": {}, "webp": {"lossless": True}, "ppm": {}}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder, found = tmp_path_factory.mktemp("images"), {}
    for kind, options in IMAGES.items():
        Image.fromarray(PICTURES[0]).save(folder / f"a.{kind}", **options)
        found[kind] = (folder / f"a.{kind}").read_bytes()
    for name, mode in (("label", "L"), ("indexed", "P")):
        image = Image.fromarray((PICTURES[0][..., 0] // 26).astype(np.uint8))
        if mode == "P":
            image.putpalette([7, 8, 9] * 256)
        image.save(folder / f"{name}.png")
        found[name] = (folder / f"{name}.png").read_bytes()
    return found


def item(frame: str, label: str | None = None) -> Item:
    parameters: dict[str, Any] = {
        "num_frames": 1,
        "test_from": 0,
        "frames_per_second": "15/1",
        "scene_threshold": None,
        "label_of": [0] if label else [],
    }
    parameters["palette"] = palettes.load("camvid").as_attributes() if label else None
    return Item("a", "frames", (frame, label) if label else (frame,), parameters)


@pytest.mark.parametrize("kind", IMAGES)
@fuzz(25)
@given(changes=damages())
def test_a_damaged_image_is_refused_or_gives_a_picture(kind, changes, images, tmp_path):
    path = tmp_path / f"damaged.{kind}"
    path.write_bytes(damaged(images[kind], changes))
    try:
        (frame,) = open_item(item(path.name), tmp_path).frames
        assert (frame.rgb.ndim, frame.rgb.shape[2], frame.rgb.dtype) == (3, 3, np.uint8)
        assert frame.rgb.size < 3 * MOST_PIXELS
    except InputError as error:
        require_one_sentence(error, path)


@pytest.mark.parametrize("kind", ["label", "indexed"])
@fuzz(40)
@given(changes=damages())
def test_a_damaged_label_image_is_refused_or_gives_labels_of_the_palette(kind, changes, images, tmp_path):
    (tmp_path / "frame.png").write_bytes(images["png"])
    path = tmp_path / "damaged.png"
    path.write_bytes(damaged(images[kind], changes))
    try:
        (frame,) = open_item(item("frame.png", path.name), tmp_path).frames
        assert frame.label.shape == frame.rgb.shape[:2]
        assert set(np.unique(frame.label).tolist()) <= {*range(11), 255}
    except InputError as error:
        require_one_sentence(error, path)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x01\x86\xa0\x00\x01\x86\xa0\x08\x02\x00\x00\x00"),
        (
            "a.bmp",
            b"BM\x00\x00\x00\x00\x00\x00\x00\x006\x00\x00\x00(\x00\x00\x00\xa0\x86\x01\x00\xa0\x86\x01\x00\x01\x00\x18\x00" + bytes(24),
        ),
        ("a.ppm", b"P6 100000 100000 255\n"),
    ],
)
def test_a_header_that_claims_ten_thousand_million_pixels_is_refused_without_reserving_memory(tmp_path, name, header):
    (tmp_path / name).write_bytes(header + bytes(100))
    with pytest.raises(InputError, match=f"{name}: is no readable image"):
        list(open_item(item(name), tmp_path).frames)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, np.ndarray, np.ndarray]:
    path = layout.arrays(tmp_path_factory.mktemp("clip"), "optical_flow")
    moved = (RANDOM.integers(-64, 64, (5, 12, 16, 2)) / 16).astype(np.float16)
    trust = RANDOM.integers(0, 256, (5, 12, 16)).astype(np.uint8)
    with arrays.writing(path, {"strides": [1]}) as writer:
        for t in range(5):
            writer.append("optical_flow_1", moved[t])
            writer.append("confidence_1", trust[t])
    return path.read_bytes(), moved, trust


@fuzz(250)
@given(changes=damages())
@example(changes=[("overwrite", 0.0041561725083738565, b"\0\x19")])  # the first file's header says that it goes beyond the end
def test_a_damaged_array_file_is_refused_or_gives_exactly_what_was_written(changes, clip, tmp_path):
    whole, moved, trust = clip
    path = layout.arrays(tmp_path, "optical_flow")
    path.unlink(missing_ok=True)
    path.write_bytes(damaged(whole, changes))
    try:
        file = arrays.reading(path)
        assert file.names() == ["confidence_1", "optical_flow_1"]
        assert file.attributes == {"strides": [1]}
        np.testing.assert_array_equal(file["optical_flow_1"][0:5], moved)
        np.testing.assert_array_equal(np.stack([*file.frames("confidence_1")]), trust)
    except InputError as error:
        require_one_sentence(error, path)


def test_every_single_flipped_bit_of_an_array_files_tables_is_refused_or_harmless(clip, tmp_path):
    whole, moved, _ = clip
    path = layout.arrays(tmp_path, "optical_flow")
    tables = whole.index(b"PK\x01\x02")
    for position in range(tables, len(whole), 1 if EXAMPLES else 7):
        for bit in range(8):
            path.unlink(missing_ok=True)
            path.write_bytes(damaged(whole, [("flip", position / len(whole) + 1e-9, bytes([bit]))]))
            try:
                np.testing.assert_array_equal(arrays.reading(path)["optical_flow_1"][0:5], moved)
            except InputError as error:
                require_one_sentence(error, path)
