from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline import arrays, layout, palettes, params
from pipeline.clips import run_item
from pipeline.errors import InputError
from pipeline.sources import Finding, check_source, items_of, open_item
from pipeline.sources.apolloscape import PUBLISHED_IDS, images, is_for_testing, stored_labels

SOURCE = params.Apolloscape(kind="apolloscape", path=".", longest_gap_seconds=2.0)
CLIPS = params.Clips(width=20, height=16, crop=None, frames=4, stride=None)

ALL_IDS = [*range(2), 17, *range(33, 41), *range(161, 169), 49, 50, *range(65, 68), *range(81, 87), *range(97, 101), 113]
"""Of the published table, without 255."""


def write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def stamp(milliseconds: int) -> str:
    """The times of a record that begins at 06:15:02.408."""
    total = 2_408 + milliseconds
    return (
        f"170908_0615{total // 1000:02d}{total % 1000:03d}" if total < 60_000 else f"170908_0616{total // 1000 - 60:02d}{total % 1000:03d}"
    )


def write_record(root: Path, record: int, times: list[int], camera: int = 5, road: str = "road01_ins") -> None:
    """Frame t shows 20 * t; two cars 33001 and 33002, a group of cars, a person 36001, road elsewhere."""
    label = np.full((16, 20), 49, np.uint8)
    instance = np.zeros((16, 20), np.uint16)
    for x, (id_, number) in enumerate([(33, 33001), (33, 33002), (161, 161), (36, 36001)]):
        label[:, x], instance[:, x] = id_, number
    for t, time in enumerate(times):
        where = f"Record{record:03d}/Camera {camera}/{stamp(time)}_Camera_{camera}"
        write(root / road / "ColorImage" / f"{where}.jpg", np.full((16, 20, 3), 20 * t, np.uint8))
        write(root / road / "Label" / f"{where}_bin.png", label)
        if road.endswith("_ins"):
            write(root / road / "Label" / f"{where}_instanceIds.png", instance)
            (root / road / "Label" / f"{where}.json").write_text("{}")
    pose = root / road / "Pose" / f"Record{record:03d}" / f"Camera {camera}" / "pose.txt"
    pose.parent.mkdir(parents=True, exist_ok=True)
    pose.write_text("1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1 name\n")


def listed(root: Path) -> dict[str, int]:
    return {p.relative_to(root).as_posix(): p.stat().st_size for p in sorted(root.rglob("*")) if p.is_file()}


def findings(root: Path) -> dict[str, Finding]:
    return {finding.what: finding for finding in check_source(SOURCE, listed(root), root)}


@pytest.fixture
def roads(tmp_path) -> Path:
    write_record(tmp_path, 1, [0, 139, 278, 417], camera=5)
    write_record(tmp_path, 1, [0, 139, 278, 417], camera=6)
    write_record(tmp_path, 2, [0, 139, 417, 556, 695], camera=5)
    write_record(tmp_path, 2, [0, 139, 417, 556, 695], camera=6)
    write_record(tmp_path, 3, [0, 200, 400, 600], road="road02_seg")
    return tmp_path


def test_a_record_seen_by_a_camera_is_a_sequence_and_both_cameras_are_on_one_side(roads):
    found = {item.name: item.parameters["test"] for item in items_of(SOURCE, list(listed(roads)))}
    assert found == {
        "road01_ins-Record001-Camera_5": False,
        "road01_ins-Record001-Camera_6": False,
        "road01_ins-Record002-Camera_5": True,
        "road01_ins-Record002-Camera_6": True,
        "road02_seg-Record003-Camera_5": False,
    }


def test_half_of_the_records_are_for_testing_and_no_record_changes_sides():
    assert [is_for_testing(f"Record{n:03d}") for n in (1, 2, 36, 85)] == [False, True, True, False]


def test_the_rate_is_by_the_usual_gap_between_frames(roads):
    footage = [open_item(item, roads) for item in items_of(SOURCE, list(listed(roads)))]
    assert [found.frames_per_second for found in footage] == ["1000/139"] * 4 + ["5/1"]
    assert [found.test_from for found in footage] == [4, 4, 0, 0, 4]


def test_a_jump_in_time_ends_a_clip(tmp_path):
    write_record(tmp_path, 1, [0, 139, 278, 417, 1556, 57_500, 57_639, 57_778, 57_917, 58_056, 58_195])
    (item,) = items_of(SOURCE, list(listed(tmp_path)))
    run_item(item, tmp_path, tmp_path, CLIPS, {"key": "k"})
    rows = pd.read_csv(layout.clips_table(tmp_path))
    assert rows[["first_frame", "num_frames"]].to_numpy().tolist() == [[0, 4], [5, 4]]  # frame 4 follows within 2 s, 5 a minute later
    assert item.parameters["shots"] == [5]


def test_times_are_read_across_minutes_hours_and_days():
    moments = [("170908", "235959900"), ("170909", "000000039"), ("170909", "000102000"), ("170909", "020102000")]
    files = [f"road01_ins/ColorImage/Record001/Camera 5/{day}_{time}_Camera_5.jpg" for day, time in moments]
    times = [image.milliseconds for image in images(files)]
    assert [later - earlier for earlier, later in pairwise(times)] == [139, 61_961, 2 * 3_600_000]


def test_clips_have_the_labels_and_single_objects_of_all_frames(roads):
    (item,) = (item for item in items_of(SOURCE, list(listed(roads))) if item.name == "road01_ins-Record002-Camera_6")
    run_item(item, roads, roads, CLIPS, {"key": "k"})
    folder = roads / "road01_ins-Record002-Camera_6_000000"
    labels, instances = (arrays.reading(layout.arrays(folder, name)) for name in ("segmentation", "instances"))
    assert labels.attributes["labelled_frames"] == instances.attributes["labelled_frames"] == [0, 1, 2, 3, 4]
    names = palettes.load("apolloscape").names()
    assert [names[id_] for id_ in labels["label"][4][0, :5].tolist()] == ["car", "car", "car", "person", "road"]
    assert instances.attributes["linked"] is False
    assert instances["instance"][4][0, :5].tolist() == [33001, 33002, 0, 36001, 0]
    assert {id_: names[about["class"]] for id_, about in instances.attributes["objects"].items()} == {
        "33001": "car",
        "33002": "car",
        "36001": "person",
    }
    assert arrays.reading(layout.arrays(folder, "frames"))["rgb"][:][:, 0, 0, 0].tolist() == [0, 20, 40, 60, 80]


def test_roads_without_instances_have_labels_alone(roads):
    (item,) = (item for item in items_of(SOURCE, list(listed(roads))) if item.name.startswith("road02_seg"))
    (first, *_) = open_item(item, roads).frames
    assert first.label is not None
    assert first.instance is None


def test_all_published_ids_are_stored_and_others_refused():
    ids = np.array([[*ALL_IDS, 255]], np.uint8)
    palette = palettes.load("apolloscape")
    assert sorted(published for group in PUBLISHED_IDS for published in group) == sorted(ALL_IDS)
    assert len(PUBLISHED_IDS) == palette.num_labels == len(palette.classes) == 27
    stored = stored_labels(ids, "x.png")
    assert stored[0, -1] == 255
    assert set(stored[0, :-1].tolist()) == set(range(27))
    with pytest.raises(InputError, match=r"x\.png: class id 200 at x=1 y=0 is none of ApolloScape's scene parsing classes"):
        stored_labels(np.array([[49, 200]], np.uint8), "x.png")


def test_the_22_published_training_ids_are_learned():
    """In the published table the training ids run in the order of the classes; 255 is what evaluation ignores."""
    palette = palettes.load("apolloscape")
    assert len(palette.learned) == 22
    assert [palette.names()[id_] for id_ in range(27) if id_ not in palette.learned] == ["others", "rover", "bridge", "tunnel", "overpass"]
    assert [PUBLISHED_IDS[id_][0] for id_ in palette.things] == list(range(33, 41))


def test_a_label_image_may_be_missing(roads):
    files = [file for file in listed(roads) if stamp(139) not in file or "Label" not in file]
    (item, *_) = items_of(SOURCE, files)
    assert (item.parameters["labelled"], item.parameters["with_instances"]) == ([0, 2, 3], [0, 2, 3])


def test_check_counts_by_road_and_names_what_is_wrong(roads):
    first = roads / "road01_ins/ColorImage/Record001/Camera 5" / f"{stamp(0)}_Camera_5.jpg"
    (roads / "road01_ins/Label/Record001/Camera 5" / f"{stamp(0)}_Camera_5_bin.png").unlink()
    (roads / "road01_ins/ColorImage/Record002/Camera 6" / f"{stamp(695)}_Camera_6.jpg").unlink()
    (roads / "road01_ins/ColorImage/Record001/Camera 5" / f"{stamp(417)}_Camera_5.jpg").write_bytes(b"")
    (first.parent / "copy.jpg").touch()
    found = findings(roads)
    counts = {what: (finding.found, finding.expected) for what, finding in found.items()}
    assert counts == {
        "roads": (2, None),
        "road01_ins: sequences for training": (2, None),
        "road01_ins: sequences for testing": (2, None),
        "road01_ins: frames": (17, None),
        "road01_ins: label images": (17, 17),
        "road01_ins: instance images": (18, 17),
        "road01_ins: first frames of sequences, by their headers": (4, None),
        "road02_seg: sequences for training": (1, None),
        "road02_seg: sequences for testing": (0, None),
        "road02_seg: frames": (4, None),
        "road02_seg: label images": (4, 4),
        "road02_seg: first frames of sequences, by their headers": (1, None),
        "other files, which are not used": (1 + 18 + 5, None),
    }
    place = "road01_ins/ColorImage/Record001/Camera 5"
    assert found["road01_ins: frames"].wrong == (
        f"{place}/{stamp(417)}_Camera_5.jpg: is empty",
        f"{place}/copy.jpg: is no frame by its name",
    )
    assert found["road01_ins: label images"].wrong == (
        f"{place}/{stamp(0)}_Camera_5.jpg: has none",
        f"road01_ins/Label/Record002/Camera 6/{stamp(695)}_Camera_6_bin.png: its frame is missing",
    )
    assert found["road02_seg: first frames of sequences, by their headers"].wrong[0].endswith("is 20x16, not 3384x2710")
