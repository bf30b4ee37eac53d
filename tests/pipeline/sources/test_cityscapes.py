from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline import arrays, layout, palettes, params
from pipeline.clips import run_item
from pipeline.errors import InputError
from pipeline.sources import Finding, check_source, cityscapes, items_of, open_item
from pipeline.sources.cityscapes import SNIPPETS, TRAIN, VAL

SOURCE = params.Cityscapes(kind="cityscapes", path=".")
CLIPS = params.Clips(width=70, height=16, crop=None, frames=30, stride=None)
CAR, PERSON = 26, 24

LABELS = np.repeat(np.arange(35, dtype=np.uint8)[None], 2, 1).repeat(16, 0)
"""Each id in two columns."""
INSTANCES = np.where((LABELS >= 24) & (LABELS <= 33), LABELS.astype(np.uint16) * 1000 + np.arange(70) % 2, LABELS).astype(np.uint16)
INSTANCES[:, 2 * PERSON] = PERSON
"""Each class of things has the objects 0 and 1; of the persons one column is a group."""


def write_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, compress_level=1)


def write_frames(root: Path, part: str, city: str, sequence: int, numbers: range) -> None:
    """Frame n shows the grey value n % 200."""
    for n in numbers:
        name = f"{city}_{sequence:06d}_{n:06d}_leftImg8bit.png"
        write_image(root / part / city / name, np.full((16, 70, 3), n % 200, np.uint8))


def write_truth(root: Path, split: str, city: str, sequence: int, number: int) -> None:
    """The four files of an annotated frame; two of them are not used."""
    path = root / "gtFine" / split / city
    name = f"{city}_{sequence:06d}_{number:06d}_gtFine"
    write_image(path / f"{name}_labelIds.png", LABELS)
    write_image(path / f"{name}_instanceIds.png", INSTANCES)
    write_image(path / f"{name}_color.png", np.zeros((16, 70, 4), np.uint8))
    (path / f"{name}_polygons.json").write_text("{}")


def write_snippet(root: Path, split: str, city: str, sequence: int, first: int) -> None:
    write_frames(root, f"leftImg8bit_sequence/{split}", city, sequence, range(first, first + 30))
    write_truth(root, split, city, sequence, first + 19)


def listed(root: Path) -> dict[str, int]:
    return {p.relative_to(root).as_posix(): p.stat().st_size for p in sorted(root.rglob("*")) if p.is_file()}


def names(files: list[str]) -> list[str]:
    return [item.name for item in items_of(SOURCE, files)]


def findings(root: Path) -> dict[str, Finding]:
    return {finding.what: finding for finding in check_source(SOURCE, listed(root), root)}


@pytest.fixture(scope="module")
def official(tmp_path_factory) -> Path:
    """Two training snippets of a city that numbers its snippets, two of one that counts frames on, one for testing, and demo videos."""
    root = tmp_path_factory.mktemp("cityscapes")
    write_snippet(root, "train", "aachen", 0, 0)
    write_snippet(root, "train", "aachen", 1, 0)
    write_snippet(root, "train", "hamburg", 0, 46059)
    write_snippet(root, "train", "hamburg", 0, 46059 + 31)  # the nearest that two published ones are
    write_snippet(root, "val", "lindau", 0, 0)
    write_frames(root, "leftImg8bit_sequence/test", "berlin", 0, range(30))
    write_frames(root, "leftImg8bit/demoVideo", "stuttgart_00", 0, range(1, 36))
    write_frames(root, "leftImg8bit/demoVideo", "stuttgart_02", 0, range(5100, 5140))
    return root


def test_snippets_are_called_by_their_annotated_frame_also_where_a_city_counts_its_frames_on(official):
    assert names(list(listed(official))) == [
        "stuttgart_00_000000_000001",
        "stuttgart_02_000000_005100",
        "aachen_000000_000019",
        "aachen_000001_000019",
        "hamburg_000000_046078",
        "hamburg_000000_046109",
        "lindau_000000_000019",
    ]


def test_train_is_for_training_and_val_and_demo_videos_are_for_testing(official):
    footage = {item.name: open_item(item, official) for item in items_of(SOURCE, list(listed(official)))}
    test = {name for name, found in footage.items() if found.test_from == 0}
    assert test == {"stuttgart_00_000000_000001", "stuttgart_02_000000_005100", "lindau_000000_000019"}
    assert {found.test_from for name, found in footage.items() if name not in test} == {30}
    assert footage["stuttgart_02_000000_005100"].num_frames == 40
    assert {found.frames_per_second for found in footage.values()} == {"17/1"}


def test_a_snippets_clip_has_the_truth_of_its_20th_frame_alone(official, tmp_path):
    (item,) = (item for item in items_of(SOURCE, list(listed(official))) if item.name == "hamburg_000000_046109")
    run_item(item, official, tmp_path, CLIPS, {"key": "k"})
    (row,) = pd.read_csv(layout.clips_table(tmp_path)).to_dict("records")
    assert (row["clip"], row["split"], row["num_frames"], row["labelled"]) == ("hamburg_000000_046109_000000", "train", 30, 1)
    folder = tmp_path / row["clip"]
    frames, labels, instances = (arrays.reading(layout.arrays(folder, name)) for name in ("frames", "segmentation", "instances"))
    assert frames["rgb"][:][:, 0, 0, 0].tolist() == [n % 200 for n in range(46090, 46120)]
    assert labels.attributes["labelled_frames"] == instances.attributes["labelled_frames"] == [19]
    np.testing.assert_array_equal(labels["label"][19], LABELS)
    others = [t for t in range(30) if t != 19]
    assert all((labels["label"][t] == 255).all() and not instances["instance"][t].any() for t in others)
    assert len(instances["instance"]) == 30


def test_single_things_are_objects_and_groups_and_stuff_are_none(official, tmp_path):
    (item,) = (item for item in items_of(SOURCE, list(listed(official))) if item.name == "aachen_000000_000019")
    run_item(item, official, tmp_path, CLIPS, {"key": "k"})
    file = arrays.reading(layout.arrays(tmp_path / "aachen_000000_000019_000000", "instances"))
    np.testing.assert_array_equal(file["instance"][19], np.where(INSTANCES >= 1000, INSTANCES, 0))
    assert file["instance"][19][0, [2 * PERSON, 2 * PERSON + 1, 2 * CAR, 2 * CAR + 1]].tolist() == [0, 24001, 26000, 26001]
    assert {id_: about["class"] for id_, about in file.attributes["objects"].items()} == {
        str(1000 * c + n): c for c in range(24, 34) for n in (0, 1) if (c, n) != (PERSON, 0)
    }


def test_the_palette_has_the_35_channels_and_the_19_training_ids(official):
    palette = open_item(items_of(SOURCE, list(listed(official)))[0], official).palette
    assert palette.num_labels == 35
    assert palette.learned == [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    assert palette.things == list(range(24, 34))
    assert palette.foreground == [CAR]


def test_training_ids_look_and_are_called_as_the_palette_of_training_ids_says():
    all_ids, training_ids = palettes.load("cityscapes"), palettes.load("cityscapes_train")
    learned = [(c.name, c.colour, c.thing, c.foreground) for c in all_ids.classes if c.learned]
    assert learned == [(c.name, c.colour, c.thing, c.foreground) for c in training_ids.classes]


def test_a_demo_video_is_one_long_clip_without_labels(official, tmp_path):
    (item,) = (item for item in items_of(SOURCE, list(listed(official))) if item.name.startswith("stuttgart_00"))
    run_item(item, official, tmp_path, CLIPS, {"key": "k"})
    (row,) = pd.read_csv(layout.clips_table(tmp_path)).to_dict("records")
    assert (row["split"], row["num_frames"], row["labelled"]) == ("test", 35, 0)
    assert not layout.arrays(tmp_path / row["clip"], "instances").is_file()


def test_zips_may_be_unpacked_each_into_its_own_folder(tmp_path):
    write_snippet(tmp_path / "a", "train", "ulm", 4, 0)
    (tmp_path / "a/gtFine").rename(tmp_path / "gtFine")
    write_frames(tmp_path / "leftImg8bit_demoVideo", "leftImg8bit/demoVideo", "stuttgart_00", 0, range(1, 3))
    found = items_of(SOURCE, list(listed(tmp_path)))
    assert [(item.name, item.parameters["labelled"]) for item in found] == [
        ("stuttgart_00_000000_000001", []),
        ("ulm_000004_000019", [19]),
    ]


def test_frames_without_labels_are_found_too(tmp_path):
    write_frames(tmp_path, TRAIN, "bochum", 0, range(294, 324))
    (item,) = items_of(SOURCE, list(listed(tmp_path)))
    assert (item.name, item.problem, item.parameters["labelled"]) == ("bochum_000000_000313", "", [])


def test_an_incomplete_snippet_fails_alone(official):
    files = [file for file in listed(official) if "000001_000007_left" not in file]
    found = {item.name: item.problem for item in items_of(SOURCE, files)}
    assert [name for name, problem in found.items() if problem] == ["aachen_000001_000000", "aachen_000001_000008"]
    assert found["aachen_000001_000008"] == (
        "leftImg8bit_sequence/train/aachen/aachen_000001_000008_leftImg8bit.png .. 000029: 22 frames with consecutive numbers, a snippet "
        "has 30: unpack its city again"
    )
    assert sum(not problem for problem in found.values()) == 6
    with pytest.raises(InputError, match="22 frames with consecutive numbers"):
        open_item(next(item for item in items_of(SOURCE, files) if item.problem.count("22 frames")), official)


def test_instances_without_labels_are_left_out(official):
    files = [file for file in listed(official) if "aachen_000001_000019_gtFine_labelIds" not in file]
    (item,) = (item for item in items_of(SOURCE, files) if item.name == "aachen_000001_000019")
    assert (item.parameters["with_instances"], len(item.files)) == ([], 30)


def spoiled(root: Path, mode: str, image: np.ndarray) -> None:
    write_snippet(root, "train", "ulm", 0, 0)
    write_image(root / f"gtFine/train/ulm/ulm_000000_000019_gtFine_{mode}.png", image)


@pytest.mark.parametrize(
    ("mode", "image", "sentence"),
    [
        (
            "labelIds",
            np.full((16, 70), 99, np.uint8),
            r"labelIds\.png: label id 99 at x=0 y=0 is not in palette cityscapes, which has 0\.\.34",
        ),
        (
            "labelIds",
            np.zeros((16, 70, 3), np.uint8),
            r"labelIds\.png: a label image has one channel of 8 bits \(ids\), this one has mode RGB",
        ),
        ("labelIds", np.zeros((16, 60), np.uint8), r"labelIds\.png: is 60x16, its frame 70x16"),
        (
            "instanceIds",
            np.zeros((16, 70), np.uint8),
            r"instanceIds\.png: an instance image has one channel of 16 bits, this one has mode L",
        ),
    ],
)
def test_wrong_truth_is_refused_in_one_sentence(tmp_path, mode, image, sentence):
    spoiled(tmp_path, mode, image)
    (item,) = items_of(SOURCE, list(listed(tmp_path)))
    with pytest.raises(InputError, match=sentence) as refused:
        list(open_item(item, tmp_path).frames)
    assert "\n" not in str(refused.value)


def test_a_frame_of_another_size_is_refused(tmp_path):
    write_frames(tmp_path, TRAIN, "ulm", 0, range(30))
    write_image(tmp_path / TRAIN / "ulm/ulm_000000_000007_leftImg8bit.png", np.zeros((8, 9, 3), np.uint8))
    (item,) = items_of(SOURCE, list(listed(tmp_path)))
    with pytest.raises(InputError, match=r"000007_leftImg8bit\.png: is 9x8, the sequence's first frame 70x16: all must be equal"):
        list(open_item(item, tmp_path).frames)


def test_the_published_numbers_are_the_papers():
    assert [sum(SNIPPETS[part].values()) for part in (TRAIN, VAL)] == [2975, 500]
    assert [len(SNIPPETS[part]) for part in (TRAIN, VAL)] == [18, 3]


def test_check_and_items_of_all_that_is_published_find_nothing_wrong(tmp_path, monkeypatch):
    """By names alone: 3,475 snippets, half of which count their frames on, as near to each other as any published two."""
    monkeypatch.setattr(cityscapes.image_files, "size_problem", lambda path, *size: "")
    files = [
        f"leftImg8bit/demoVideo/{city}/{city}_000000_{n:06d}_leftImg8bit.png"
        for city, count, first in (("stuttgart_00", 599, 1), ("stuttgart_01", 1100, 3500), ("stuttgart_02", 1200, 5100))
        for n in range(first, first + count)
    ]
    for part, cities in SNIPPETS.items():
        for city, count in cities.items():
            for s in range(count):
                sequence, first = (0, 31 * s) if count % 2 else (s, 0)
                files += [f"{part}/{city}/{city}_{sequence:06d}_{first + t:06d}_leftImg8bit.png" for t in range(30)]
                truth = f"gtFine/{part.split('/')[1]}/{city}/{city}_{sequence:06d}_{first + 19:06d}_gtFine"
                files += [f"{truth}_labelIds.png", f"{truth}_instanceIds.png"]
    found = check_source(SOURCE, dict.fromkeys(files, 1), tmp_path)
    assert [finding for finding in found if finding.wrong or finding.expected not in (None, finding.found)] == []
    items = items_of(SOURCE, files)
    assert (len(items), len({item.name for item in items})) == (3478, 3478)
    assert [item.problem for item in items if item.problem] == []
    assert sum(item.parameters["labelled"] == item.parameters["with_instances"] == [19] for item in items) == 3475


def test_check_counts_what_is_there_against_what_is_published(official):
    found = findings(official)
    counts = {what: (finding.found, finding.expected) for what, finding in found.items()}
    assert counts == {
        "leftImg8bit_sequence/train: cities": (2, 18),
        "leftImg8bit_sequence/train: snippets of 30 frames": (4, 2975),
        "leftImg8bit_sequence/train: frames": (120, 89250),
        "gtFine/train: labelIds": (4, 2975),
        "gtFine/train: instanceIds": (4, 2975),
        "leftImg8bit_sequence/train: first frames of snippets, by their headers": (4, None),
        "leftImg8bit_sequence/val: cities": (1, 3),
        "leftImg8bit_sequence/val: snippets of 30 frames": (1, 500),
        "leftImg8bit_sequence/val: frames": (30, 15000),
        "gtFine/val: labelIds": (1, 500),
        "gtFine/val: instanceIds": (1, 500),
        "leftImg8bit_sequence/val: first frames of snippets, by their headers": (1, None),
        "leftImg8bit/demoVideo/stuttgart_00: frames": (35, 599),
        "leftImg8bit/demoVideo/stuttgart_01: frames": (0, 1100),
        "leftImg8bit/demoVideo/stuttgart_02: frames": (40, 1200),
        "other files, which are not used": (30 + 5 * 2, None),
    }
    assert found["leftImg8bit_sequence/val: cities"].wrong == ("frankfurt: is missing", "munster: is missing")
    assert found["leftImg8bit_sequence/val: snippets of 30 frames"].wrong == ("lindau: 1 snippets, 59 are published",)
    assert found["gtFine/train: labelIds"].wrong == ()
    (size,) = found["leftImg8bit_sequence/val: first frames of snippets, by their headers"].wrong
    assert size.endswith("leftImg8bit_sequence/val/lindau/lindau_000000_000000_leftImg8bit.png: is 70x16, not 2048x1024")


def test_check_names_what_is_missing_empty_alone_or_strange(tmp_path):
    write_snippet(tmp_path, "train", "jena", 0, 0)
    write_snippet(tmp_path, "train", "jena", 1, 0)
    write_truth(tmp_path, "train", "jena", 2, 19)
    frames, truth = tmp_path / TRAIN / "jena", tmp_path / "gtFine/train/jena"
    (frames / "jena_000000_000003_leftImg8bit.png").write_bytes(b"")
    (frames / "jena_000001_000025_leftImg8bit.png").unlink()
    (frames / "jena_000001_25_leftImg8bit.png").touch()
    (truth / "jena_000000_000019_gtFine_instanceIds.png").unlink()
    write_frames(tmp_path, "leftImg8bit/demoVideo", "stuttgart_01", 0, range(3500, 3503))
    (tmp_path / "leftImg8bit/demoVideo/stuttgart_01/stuttgart_01_000000_003501_leftImg8bit.png").unlink()
    found = findings(tmp_path)
    assert found[f"{TRAIN}: frames"].wrong == (
        f"{TRAIN}/jena/jena_000000_000003_leftImg8bit.png: is empty",
        f"{TRAIN}/jena/jena_000001_25_leftImg8bit.png: is not named CITY_SSSSSS_FFFFFF_leftImg8bit.png",
    )
    assert [sentence.split(":")[0] for sentence in found[f"{TRAIN}: snippets of 30 frames"].wrong] == [
        f"{TRAIN}/jena/jena_000001_000000_leftImg8bit.png .. 000024",
        f"{TRAIN}/jena/jena_000001_000026_leftImg8bit.png .. 000029",
        "jena",
    ]
    assert found["gtFine/train: labelIds"].wrong == tuple(
        f"gtFine/train/jena/jena_00000{n}_000019_gtFine_labelIds.png: its snippet is missing" for n in (1, 2)
    )
    assert "jena_000000_000019_gtFine_instanceIds.png: is missing" in found["gtFine/train: instanceIds"].wrong
    gap, _, _ = found["leftImg8bit/demoVideo/stuttgart_01: frames"].wrong
    assert gap.endswith("stuttgart_01_000000_003502_leftImg8bit.png: does not follow 003500")
    sizes = found[f"{TRAIN}: first frames of snippets, by their headers"]
    assert (sizes.found, len(sizes.wrong)) == (3, 3)


def test_check_reads_no_more_than_the_first_header_of_each_snippet(official, monkeypatch):
    looked_at = []
    monkeypatch.setattr(cityscapes.image_files, "size_problem", lambda path, *size: looked_at.append(path.name) or "")
    findings(official)
    assert len(looked_at) == 5 + 2
    assert "hamburg_000000_046090_leftImg8bit.png" in looked_at


def test_an_image_is_measured_without_being_decoded(tmp_path):
    path = tmp_path / "large.png"
    write_image(path, np.zeros((1024, 2048, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:60])
    assert cityscapes.image_files.size_problem(path, 2048, 1024) == ""
    assert "is no readable image" in cityscapes.image_files.size_problem(tmp_path / "none.png", 2048, 1024)
