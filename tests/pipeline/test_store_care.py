import errno
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import arrays, layout, manifest, store_care
from pipeline.errors import InputError
from pipeline.store import Store


@pytest.fixture
def store(project):
    return Store(layout.store())


def finish(store: Store, key: str, *, link_to: str | None = None) -> None:
    with store.writing(key) as folder, arrays.writing(layout.arrays(folder, "segmentation"), {}) as writer:
        writer.append("label", np.zeros((4, 4), np.uint8))
    if link_to:
        folder = layout.stage("mine", "segmentation")
        store.link(key, folder / link_to)
        manifest.write(folder, pd.DataFrame([(link_to, key)], columns=["clip", "key"]))


def test_pruning_keeps_what_an_output_refers_to(store):
    finish(store, "aa01", link_to="clip")
    finish(store, "bb02")
    store.work("cc03")
    store_care.prune()
    assert list(store.keys()) == ["aa01"]
    assert not (store.root / "work").exists()


def test_an_entry_with_a_damaged_file_is_removed(store, capsys):
    finish(store, "aa01")
    finish(store, "bb02")
    path = layout.arrays(store.path("bb02"), "segmentation")
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    store_care.verify()
    assert list(store.keys()) == ["aa01"]
    assert "1 damaged" in capsys.readouterr().out


def test_outputs_fetched_into_an_empty_store_are_adopted(store):
    finish(store, "aa01", link_to="clip")
    store.remove("aa01")
    store_care.adopt("mine")
    assert store.has("aa01")
    assert layout.arrays(store.path("aa01"), "segmentation").samefile(layout.stage("mine", "segmentation") / "clip" / "segmentation.zip")


def test_clips_are_adopted_under_their_items_key(store):
    folder = layout.stage("mine", "clips")
    (folder / "a_000000").mkdir(parents=True)
    with arrays.writing(layout.arrays(folder / "a_000000", "frames"), {}) as writer:
        writer.append("rgb", np.zeros((2, 2, 3), np.uint8))
    manifest.write(folder, pd.DataFrame([("a_000000", "k", "aa01", "train")], columns=["clip", "key", "item_key", "split"]))
    store_care.adopt("mine")
    assert (store.path("aa01") / "a_000000" / "frames.zip").samefile(folder / "a_000000" / "frames.zip")
    assert pd.read_csv(layout.clips_table(store.path("aa01"))).columns.tolist() == ["clip", "split"]


def test_why_clips_are_left_out_is_adopted_with_their_item_and_kept_by_prune(store):
    """Of item bb02 no clip is left, so the manifest does not name it."""
    folder = layout.stage("mine", "clips")
    (folder / "a_000000").mkdir(parents=True)
    (folder / "a_000000" / "x.json").write_text("{}")
    manifest.write(folder, pd.DataFrame([("a_000000", "k", "aa01", "train")], columns=["clip", "key", "item_key", "split"]))
    rows = [("aa01", "a_000030", "no face"), ("bb02", "b_000000", "dark")]
    pd.DataFrame(rows, columns=["item_key", "clip", "reason"]).to_csv(layout.left_out(folder), index=False)
    store_care.adopt("mine")
    assert pd.read_csv(layout.clips_left_out(store.path("aa01"))).to_dict("records") == [{"clip": "a_000030", "reason": "no face"}]
    for key in ("bb02", "cc03"):
        with store.writing(key) as entry:
            (entry / "clips.csv").touch()
    store_care.prune()
    assert sorted(store.keys()) == ["aa01", "bb02"]
    store_care.verify()
    assert layout.left_out(folder).is_file()


def test_a_flipped_bit_in_any_file_of_an_entry_is_found(store, capsys):
    for key, damaged in {
        "aa01": "scores.json",
        "bb02": "deep/table.csv",
        "cc03": "segmentation.zip",
        "dd04": ".sha256",
        "ee05": None,
    }.items():
        with store.writing(key) as folder:
            (folder / "deep").mkdir()
            (folder / "scores.json").write_text("{}")
            (folder / "deep" / "table.csv").write_text("a,b")
            with arrays.writing(layout.arrays(folder, "segmentation"), {}) as writer:
                writer.append("label", np.zeros((4, 4), np.uint8))
        if damaged:
            flip(store.path(key) / damaged, 1)
    store_care.verify()
    assert list(store.keys()) == ["ee05"]
    assert "bb02: table.csv\n" in capsys.readouterr().out


def flip(file: Path, position: int) -> None:
    """A bit, as a disk would: the file stays the same file."""
    file.chmod(0o644)
    with file.open("r+b") as stream:
        stream.seek(position)
        byte = stream.read(1)[0]
        stream.seek(position)
        stream.write(bytes([byte ^ 1]))


def test_every_name_of_a_damaged_file_is_removed_so_that_it_is_made_again(store):
    finish(store, "aa01", link_to="clip")
    output = layout.stage("mine", "segmentation") / "clip" / "segmentation.zip"
    cached = layout.DVC_CACHE / "files" / "md5" / "ab" / "cdef"
    cached.parent.mkdir(parents=True)
    cached.hardlink_to(output)
    flip(output, 60)
    store_care.verify()
    assert not output.exists()
    assert not cached.exists()


def test_an_entry_from_before_there_were_check_sums_stays(store):
    finish(store, "aa01")
    (store.path("aa01") / ".sha256").unlink()
    store_care.verify()
    assert list(store.keys()) == ["aa01"]


@pytest.mark.parametrize("remove", [store_care.prune, store_care.verify])
def test_nothing_is_removed_beside_a_run(store, remove):
    finish(store, "aa01")
    with store.in_use(0.0), pytest.raises(InputError, match="is used by a run: nothing was removed; wait for it to end"):
        remove()
    assert list(store.keys()) == ["aa01"]


def test_a_damaged_copy_on_another_file_system_is_removed_and_the_sound_entry_stays(store, monkeypatch, capsys):
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    finish(store, "aa01")
    store.link("aa01", layout.stage("mine", "segmentation") / "a")
    store.link("aa01", layout.stage("mine", "segmentation") / "b")
    manifest.write(layout.stage("mine", "segmentation"), pd.DataFrame([("a", "aa01"), ("b", "aa01")], columns=["clip", "key"]))
    copy = layout.stage("mine", "segmentation") / "a" / "segmentation.zip"
    flip(copy, 60)
    store_care.verify()
    assert "aa01: its copy data/mine/segmentation/a/segmentation.zip\n1 damaged" in capsys.readouterr().out
    assert not copy.exists()
    assert (layout.stage("mine", "segmentation") / "b" / "segmentation.zip").exists()
    assert list(store.keys()) == ["aa01"]


def test_damaged_copies_of_a_table_and_of_an_items_clip_are_found(store, monkeypatch):
    monkeypatch.setattr("pipeline.store.os.link", lambda *_: (_ for _ in ()).throw(OSError(errno.EXDEV, "Invalid cross-device link")))
    for key, name, stage in [("aa01", "a_000000/frames.zip", "clips"), ("bb02", "train.parquet", "dataset")]:
        with store.writing(key) as folder:
            (folder / name).parent.mkdir(exist_ok=True)
            if name.endswith("zip"):
                with arrays.writing(folder / name, {}) as writer:
                    writer.append("rgb", np.zeros((2, 2, 3), np.uint8))
            else:
                (folder / name).write_bytes(b"rows")
        store.link(key, layout.stage("mine", stage))
        flip(layout.stage("mine", stage) / name, 1)
    rows = pd.DataFrame([("a_000000", "k", "aa01")], columns=["clip", "key", "item_key"])
    manifest.write(layout.stage("mine", "clips"), rows)
    manifest.write(layout.stage("mine", "dataset"), pd.DataFrame([("train", "bb02")], columns=["clip", "key"]))
    store_care.verify()
    assert sorted(path.name for path in layout.DATA.rglob("*") if path.is_file()) == ["manifest.csv", "manifest.csv"]


def test_an_entry_that_another_process_removes_meanwhile_is_no_damage(store, monkeypatch):
    finish(store, "aa01")
    monkeypatch.setattr(Store, "keys", lambda self: iter(["aa01", "gone"]))

    def unsound(self: Store, key: str) -> list[str]:
        if key == "gone":
            raise FileNotFoundError(key)
        return []

    monkeypatch.setattr(Store, "unsound", unsound)
    store_care.verify()
    assert store.has("aa01")


def test_without_damage_no_output_is_walked(store, monkeypatch):
    finish(store, "aa01", link_to="clip")
    monkeypatch.setattr(store_care, "_remove_every_name", None)
    store_care.verify()
