import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import arrays, face_sketch, layout, maps, palettes
from pipeline.maps import MapFolders, MapKind, usable

PALETTE = palettes.load("camvid")


def clip_with(root: Path, **missing: list[int]) -> MapFolders:
    """Edges or pose of ten frames in which a face or person is missing, by modality."""
    for modality, frames in missing.items():
        with arrays.writing(layout.arrays(root, modality), {"missing": frames}) as writer:
            for _ in range(10):
                writer.append("edge", np.zeros((2, 2, 1), np.uint8))
    return MapFolders(None, None, **{name: root if name in missing else None for name in ("edges", "pose")})


@pytest.mark.parametrize(
    ("missing", "used"),
    [
        ([], range(10)),
        ([0], range(1, 10)),
        ([9], range(9)),
        ([2, 3, 8], range(4, 8)),
        ([3, 7], range(3)),  # 0..2 and 4..6 are equally long
        ([8, 2], range(3, 8)),
        (list(range(10)), range(0)),
    ],
)
def test_the_longest_part_that_misses_nothing_is_usable(missing, used, tmp_path):
    assert usable(clip_with(tmp_path, edges=missing), 10) == used


def test_a_frame_must_miss_neither_face_nor_person(tmp_path):
    assert usable(clip_with(tmp_path, edges=[1], pose=[6]), 10) == range(2, 6)


def test_files_that_tell_of_no_gap_are_used_whole(tmp_path):
    with arrays.writing(layout.arrays(tmp_path, "edges"), {}) as writer:
        writer.append("edge", np.zeros((2, 2, 1), np.uint8))
    assert usable(MapFolders(None, None, tmp_path, None), 7) == range(7)


@pytest.mark.parametrize(
    ("kind", "channels", "names", "said"),
    [
        (MapKind(PALETTE, True, 0, 0), 12, ["label maps"], "labels of palette camvid with instances"),
        (MapKind(None, False, 15, 0), 15, ["face sketches"], "15 edge channels"),
        (MapKind(None, False, 1, 6), 7, ["edges", "poses"], "1 edge channels and 6 pose channels"),
    ],
)
def test_a_kind_counts_its_channels_says_what_it_is_and_survives_json(kind, channels, names, said):
    assert (kind.channels, kind.names(), str(kind)) == (channels, names, said)
    assert MapKind.from_attributes(json.loads(json.dumps(kind.as_attributes()))) == kind


def test_a_face_has_as_many_channels_as_are_drawn():
    assert maps.FACE_CHANNELS == face_sketch.CHANNELS
