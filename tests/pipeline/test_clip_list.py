import pandas as pd
import pytest

from pipeline import clip_list, layout, manifest
from pipeline.errors import InputError

CLIP = {"key": "k", "item_key": "i", "sequence": "a", "first_frame": 0, "labelled": 1, "height": 90, "width": 160}


@pytest.fixture
def mine(project):
    """Two training clips of 2 s each at 15 frames/s, a test clip of 100.1 s at 30000/1001."""
    rows = [
        {**CLIP, "clip": "a_0", "split": "train", "num_frames": 30, "frames_per_second": "15/1"},
        {**CLIP, "clip": "a_30", "split": "train", "num_frames": 30, "frames_per_second": "15/1"},
        {**CLIP, "clip": "b_0", "split": "test", "num_frames": 3000, "frames_per_second": "30000/1001", "width": 320},
    ]
    manifest.write(layout.stage("mine", "clips"), pd.DataFrame(rows))
    clip_list.write("mine")
    return project


def test_the_list_has_a_line_a_clip_and_neither_keys_nor_times(mine):
    assert layout.clip_list("mine").read_text().splitlines() == [
        "clip,split,sequence,first_frame,num_frames,seconds,frames_per_second,width,height,labelled",
        "a_0,train,a,0,30,2.0,15/1,160,90,1",
        "a_30,train,a,0,30,2.0,15/1,160,90,1",
        "b_0,test,a,0,3000,100.1,30000/1001,320,90,1",
    ]


def test_splits_are_summed_up(mine):
    found = clip_list.per_split(manifest.table(layout.clip_list("mine")))
    assert found.loc["train"].tolist() == [2, 60, 4.0, "160x90", 2]
    assert found.loc["test"].tolist() == [1, 3000, 100.1, "320x90", 1]


def test_class_shares_are_described_once_they_are_known(mine):
    assert "Share" not in clip_list.described("mine")
    folder = layout.stage("mine", "dataset")
    folder.mkdir(parents=True)
    for split, shares in {"train": [0.25, 0.75, 0.0], "test": [0.5, 0.5, 0.0]}.items():
        table = pd.DataFrame({"id": [0, 1, 255], "class": ["sky", "road", "void"], "share": shares})
        table.to_csv(layout.class_table(folder, split), index=False)
    lines = clip_list.described("mine").splitlines()
    assert [line.split() for line in lines[-2:]] == [["road", "0.7500", "0.5000"], ["sky", "0.2500", "0.5000"]]


def test_the_page_of_data_quality_is_named_once_it_is_there(mine):
    assert "quality" not in clip_list.described("mine")
    page = layout.page(layout.stage("mine", "quality_page"))
    page.parent.mkdir(parents=True)
    page.touch()
    assert clip_list.described("mine").endswith(": reports/mine.quality/index.html")


def test_before_the_clips_are_made_there_is_nothing_to_describe(project):
    with pytest.raises(InputError, match=r"data/mine\.clips\.csv is missing: `dvc repro clips@mine` makes it"):
        clip_list.described("mine")
