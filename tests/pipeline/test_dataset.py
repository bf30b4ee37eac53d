from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mapped_clips import MappedClips

from pipeline import arrays, dataset, layout, params
from pipeline.errors import InputError
from pipeline.index import read_index


def made(clips: MappedClips, split: str = "train", exclude: list[str] | None = None, min_frames: int = 4) -> Path:
    p = params.Dataset(exclude=exclude or [], min_frames=min_frames)
    out = clips.folder("dataset")
    dataset.run_split(split, clips.folder("clips"), optical_flow=clips.folder("optical_flow"), out=out, p=p, **clips.maps())
    return out


def left_out(out: Path) -> list[dict]:
    return pd.read_csv(layout.clips_left_out(out)).to_dict("records")


@pytest.mark.parametrize("has", [{"face"}, {"iuv", "points"}, {"canny", "labels"}])
def test_the_longest_part_without_a_gap_is_used(has, tmp_path):
    clips = MappedClips(tmp_path, has)
    clips.add("whole", "train", 6)
    clips.add("cut", "train", 9, missing=[1, 8])
    index = read_index(made(clips), "train")
    assert index[["clip", "start", "num_frames", "first_frame"]].values.tolist() == [["whole", 0, 6, 100], ["cut", 2, 6, 100]]
    assert not layout.clips_left_out(clips.folder("dataset")).exists()


def test_a_clip_of_which_too_little_is_left_is_listed_with_the_reason(tmp_path):
    clips = MappedClips(tmp_path, {"face"})
    clips.add("good", "test", 5)
    clips.add("short", "test", 8, missing=[3, 7])
    clips.add("gone", "test", 3, missing=[0, 1, 2])
    out = made(clips, "test")
    assert read_index(out, "test")["clip"].tolist() == ["good"]
    reason = "no face or person is seen in more than {} frames in a row; dataset.min_frames is 4"
    assert left_out(out) == [
        {"clip": "short", "split": "test", "num_frames": 8, "reason": reason.format(3)},
        {"clip": "gone", "split": "test", "num_frames": 3, "reason": reason.format(0)},
    ]


def test_a_clip_without_a_gap_may_be_shorter_than_min_frames(tmp_path):
    clips = MappedClips(tmp_path, {"canny"})
    clips.add("short", "test", 3)
    assert read_index(made(clips, "test"), "test")["num_frames"].tolist() == [3]


def test_a_split_of_which_nothing_is_left_is_refused(tmp_path):
    clips = MappedClips(tmp_path, {"iuv"})
    clips.add("a", "train", 6, missing=list(range(6)))
    with pytest.raises(InputError, match="every train clip is left out; the first is a: no face or person is seen in more than 0 frames"):
        made(clips)


def test_only_the_used_part_counts_in_the_shares_and_the_confidence(tmp_path):
    clips = MappedClips(tmp_path, {"labels", "face"})
    clips.add("a", "train", 9, missing=[0, 1])
    path = layout.arrays(clips.folder("optical_flow") / "a", "optical_flow")
    path.unlink()
    with arrays.writing(path, {"strides": [1]}) as writer:
        for confidence in (9, 9, 9, 0, 255, 0, 255, 0, 255):
            writer.append("confidence_1", np.full((32, 48), confidence, np.uint8))
    out = made(clips)
    label = arrays.reading(layout.arrays(clips.folder("segmentation") / "a", "segmentation"))["label"][2:]
    shares = pd.read_csv(layout.class_table(out, "train")).set_index("id")["share"]
    assert shares[8] == pytest.approx((label == 8).mean(), abs=1e-6)
    assert read_index(out, "train")["confidence"][0] == 0.5  # of frames 3 to 8, whose mean is that


def test_without_labels_there_are_no_class_shares(tmp_path):
    clips = MappedClips(tmp_path, {"face"})
    clips.add("a", "train", 6)
    assert not layout.class_table(made(clips), "train").exists()


def test_clips_can_be_excluded_whatever_maps_they_have(tmp_path):
    clips = MappedClips(tmp_path, {"iuv"})
    clips.add("a", "train", 6)
    clips.add("b", "train", 6)
    assert read_index(made(clips, exclude=["a"]), "train")["clip"].tolist() == ["b"]
    with pytest.raises(InputError, match="dataset.exclude: there is no clip c"):
        made(clips, exclude=["c"])


def test_clips_whose_maps_are_of_different_kinds_are_refused(tmp_path):
    face, canny = MappedClips(tmp_path, {"face"}), MappedClips(tmp_path, {"canny"})
    face.add("a", "train", 6)
    canny.rows = face.rows
    canny.add("b", "train", 6)
    with pytest.raises(InputError, match="b: its maps are 1 edge channels, the first clip's are 15 edge channels: all must be of one kind"):
        made(face)


def test_maps_of_other_lengths_or_sizes_than_the_frames_are_refused(tmp_path):
    clips = MappedClips(tmp_path, {"points", "iuv"})
    clips.add("a", "train", 6)
    path = layout.arrays(clips.folder("pose") / "a", "pose")
    path.unlink()
    with arrays.writing(path, {}) as writer:
        for _ in range(5):
            writer.append("keypoints", np.zeros((1, 137, 3), np.float32))
            writer.append("iuv", np.zeros((32, 48, 3), np.uint8))
    with pytest.raises(InputError, match=r"a: iuv has shape \(5, 32, 48\), the clip's frames have \(6, 32, 48\)"):
        made(clips)
