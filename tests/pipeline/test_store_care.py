import numpy as np
import pandas as pd
import pytest

from pipeline import arrays, layout, manifest, store_care
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
