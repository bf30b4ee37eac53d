from pathlib import Path

import pytest
from PIL import Image, ImageChops

from pipeline import palettes, params
from pipeline.errors import InputError
from pipeline.sources import open_item
from pipeline.sources.frames import check, items


def source(**changes: object) -> params.Frames:
    values = {
        "kind": "frames",
        "path": ".",
        "frames": "images",
        "labels": "labels",
        "labels_cover": "all",
        "palette": "camvid",
        "splits": None,
        "test_sequences": [],
        "test_frames": 1,
        "take_every": 1,
        "frames_per_second": 15,
        "scene_threshold": None,
    }
    return params.Frames(**{**values, **changes})


def write_images(root: Path, folder: str, count: int, value: int = 3, size: tuple[int, int] = (8, 6), mode: str = "RGB") -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for n in range(count):
        Image.new(mode, size, (n * 10,) * 3 if mode == "RGB" else value).save(root / folder / f"{n:03d}.png")


def listed(root: Path) -> list[str]:
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


def test_a_folder_is_a_sequence_and_labels_are_matched_by_name(tmp_path):
    write_images(tmp_path, "images", 4)
    write_images(tmp_path, "labels", 4, value=11, mode="L")
    (item,) = items(source(), listed(tmp_path))
    footage = open_item(item, tmp_path)
    frames = list(footage.frames)
    assert (item.name, footage.num_frames, footage.test_from) == ("images", 4, 3)
    assert [int(f.rgb[0, 0, 0]) for f in frames] == [0, 10, 20, 30]
    assert (frames[2].label == 255).all()  # 11 is void


def test_frames_are_in_the_order_of_their_numbers(tmp_path):
    (tmp_path / "images").mkdir()
    for n in (1, 2, 10):
        Image.new("RGB", (8, 6), (n, n, n)).save(tmp_path / "images" / f"frame{n}.png")
    (item,) = items(source(labels=None), listed(tmp_path))
    assert [int(f.rgb[0, 0, 0]) for f in open_item(item, tmp_path).frames] == [1, 2, 10]


def test_subfolders_are_sequences_and_whole_ones_can_be_for_testing(tmp_path):
    for name in ("a", "b"):
        write_images(tmp_path, f"images/{name}", 3)
        write_images(tmp_path, f"labels/{name}", 3, mode="L")
    a, b = items(source(test_sequences=["b"], test_frames=0), listed(tmp_path))
    assert (open_item(a, tmp_path).test_from, open_item(b, tmp_path).test_from) == (3, 0)


def test_labels_of_some_frames_are_given_to_these_alone(tmp_path):
    write_images(tmp_path, "images", 3)
    write_images(tmp_path, "labels", 1, mode="L")
    (item,) = items(source(labels_cover="some"), listed(tmp_path))
    assert [f.label is not None for f in open_item(item, tmp_path).frames] == [True, False, False]


def test_label_images_with_a_colour_table_are_read_by_index(tmp_path):
    write_images(tmp_path, "images", 1)
    (tmp_path / "labels").mkdir()
    image = Image.new("P", (8, 6), 5)
    image.putpalette([7, 8, 9] * 256)
    image.save(tmp_path / "labels" / "000.png")
    (item,) = items(source(test_frames=0), listed(tmp_path))
    (frame,) = open_item(item, tmp_path).frames
    assert (frame.label == 5).all()


def refused(root: Path, sentence: str, **changes: object) -> None:
    with pytest.raises(InputError, match=sentence) as error:
        for item in items(source(**changes), listed(root)):
            list(open_item(item, root).frames)
    assert "\n" not in str(error.value)


def test_counts_of_frames_and_labels_that_differ_are_refused(tmp_path):
    write_images(tmp_path, "images", 3)
    write_images(tmp_path, "labels", 2, mode="L")
    refused(tmp_path, r"images/002\.png: a frame without its label image \(3 frames, 2 label images")
    write_images(tmp_path, "labels", 4, mode="L")
    refused(tmp_path, r"labels/003\.png: a label image without its frame \(3 frames, 4 label images", labels_cover="some")


def test_an_unknown_label_id_is_refused_with_its_place(tmp_path):
    write_images(tmp_path, "images", 1)
    write_images(tmp_path, "labels", 1, value=12, mode="L")
    refused(tmp_path, r"labels/000\.png: label id 12 at x=0 y=0 is not in palette camvid, which has 0\.\.10 and 11 for void", test_frames=0)


def test_images_that_are_broken_or_of_another_size_are_refused(tmp_path):
    write_images(tmp_path, "images", 2)
    write_images(tmp_path, "labels", 2, mode="L", size=(9, 6))
    refused(tmp_path, r"labels/000\.png: is 9x6, its frame 8x6")
    (tmp_path / "images" / "001.png").write_bytes(b"\x89PNG cut off")
    refused(tmp_path, r"images/001\.png: is no readable image", labels=None)
    Image.new("RGB", (4, 4)).save(tmp_path / "images" / "001.png")
    refused(tmp_path, r"images/001\.png: is 4x4, the sequence's first frame 8x6", labels=None)


def test_a_colour_image_as_label_is_refused(tmp_path):
    write_images(tmp_path, "images", 1)
    write_images(tmp_path, "labels", 1)
    refused(tmp_path, "a label image has one channel of 8 bits", test_frames=0)


def test_more_test_frames_than_frames_are_refused(tmp_path):
    write_images(tmp_path, "images", 2)
    refused(tmp_path, "has 2 frames, source.test_frames asks for 5", test_frames=5, labels=None)


def test_a_sequence_that_does_not_fit_together_fails_alone(tmp_path):
    for name, labels in {"a": 3, "b": 2, "c": 3, "d": 0, "e": 3}.items():
        write_images(tmp_path, f"images/{name}", 3)
        write_images(tmp_path, f"labels/{name}", labels, mode="L")
    (tmp_path / "images/c/000.bmp").write_bytes((tmp_path / "images/c/000.png").read_bytes())
    write_images(tmp_path, "labels/f", 1, mode="L")
    problems = {item.name: item.problem for item in items(source(test_frames=2), listed(tmp_path))}
    assert problems == {
        "a": "",
        "b": "images/b/002.png: a frame without its label image (3 frames, 2 label images in b); source.labels_cover: some allows it",
        "c": "images/c/000.bmp and images/c/000.png: two images of one frame; keep one",
        "d": "images/d/000.png: a frame without its label image (3 frames, 0 label images in d); source.labels_cover: some allows it",
        "e": "",
        "f": "labels/f: has labels but images/f has no frames",
    }


def test_the_palette_is_read_once_for_all_sequences(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        write_images(tmp_path, f"images/{name}", 2)
    read = []
    monkeypatch.setattr(palettes, "load", lambda name, load=palettes.load: read.append(name) or load(name))
    assert len(items(source(labels_cover="some"), listed(tmp_path))) == 3
    assert read == ["camvid"]


def test_every_second_image_can_be_taken_with_its_label(tmp_path):
    write_images(tmp_path, "images", 5)
    write_images(tmp_path, "labels", 5, mode="L")
    (item,) = items(source(take_every=2, frames_per_second=7.5), listed(tmp_path))
    footage = open_item(item, tmp_path)
    frames = list(footage.frames)
    assert [int(f.rgb[0, 0, 0]) for f in frames] == [0, 20, 40]
    assert [f.label is not None for f in frames] == [True, True, True]
    assert (footage.num_frames, footage.test_from, footage.frames_per_second) == (3, 2, "15/2")


def test_a_table_says_which_sequences_are_for_testing_and_which_for_nothing(tmp_path):
    for name in ("a", "b", "c", "d"):
        write_images(tmp_path, f"images/{name}", 3)
    (tmp_path / "splits.csv").write_text("sequence,split,why\na,train,\nb,test,long\nc,none,blurred\n")
    a, b, d = items(source(path=str(tmp_path), labels=None, splits="splits.csv"), listed(tmp_path))
    assert (open_item(a, tmp_path).test_from, open_item(b, tmp_path).test_from) == (3, 0)
    assert d.problem == "has no row in splits.csv: give it the split train, test or none"


def test_a_change_of_scene_begins_another_shot(tmp_path):
    (tmp_path / "images").mkdir()
    scenes = [Image.linear_gradient("L").resize((60, 40)).rotate(turn) for turn in (0, 90)]
    for t in range(24):
        Image.merge("RGB", [ImageChops.offset(scenes[t >= 13], t)] * 3).save(tmp_path / "images" / f"{t:03d}.png")
    (item,) = items(source(labels=None, scene_threshold=3.0), listed(tmp_path))
    assert open_item(item, tmp_path).shots == (13,)


def test_the_check_names_what_does_not_fit(tmp_path):
    write_images(tmp_path, "images/a", 3)
    write_images(tmp_path, "labels/a", 2, mode="L")
    write_images(tmp_path, "images/b", 3)
    (tmp_path / "images/b/000.png").write_bytes(b"no image")
    write_images(tmp_path, "labels/b", 3, mode="L")
    (tmp_path / "images/b/001.png").write_bytes(b"")
    files = {name: (tmp_path / name).stat().st_size for name in listed(tmp_path)}
    frames, labels = check(source(), files, tmp_path)
    assert (frames.found, labels.found) == (6, 5)
    assert frames.wrong[0] == "images/b/001.png: is empty" and "000.png: is no readable image" in frames.wrong[1]
