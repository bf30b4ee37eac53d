from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline import arrays, layout, palettes, params, street_world
from pipeline.clips import Cut, cropped, fit, plan_cuts, run_item
from pipeline.errors import InputError
from pipeline.sources import Box, Footage, Item, SourceFrame


def footage(num_frames: int, test_from: int, shots: tuple[int, ...] = ()) -> Footage:
    return Footage(iter(()), num_frames, test_from, "15/1", None, shots)


def clips(frames: int, **values: object) -> params.Clips:
    return params.Clips(**{"width": 64, "height": 32, "crop": None, "frames": frames, "stride": None, **values})


def test_training_clips_are_full_and_the_test_clip_is_whole():
    assert plan_cuts(footage(25, 17), clips(8), "a") == [Cut("train", 0, 8), Cut("train", 8, 16), Cut("test", 17, 25)]
    assert plan_cuts(footage(25, 0), clips(8), "a") == [Cut("test", 0, 25)]
    assert plan_cuts(footage(16, 16), clips(8), "a") == [Cut("train", 0, 8), Cut("train", 8, 16)]
    assert plan_cuts(footage(9, 4), clips(4), "a") == [Cut("train", 0, 4), Cut("test", 4, 9)]


def test_no_clip_goes_across_a_change_of_scene():
    cuts = plan_cuts(footage(42, 30, shots=(5, 20, 33)), clips(8), "a")
    assert cuts == [Cut("train", 5, 13), Cut("train", 20, 28), Cut("test", 33, 42)]


def test_test_shots_that_are_shorter_than_a_training_clip_are_dropped():
    assert plan_cuts(footage(40, 0, shots=(7, 15, 20)), clips(8), "a") == [Cut("test", 7, 15), Cut("test", 20, 40)]


def test_a_change_of_scene_at_the_first_test_frame_or_in_the_other_split_changes_nothing():
    alone = plan_cuts(footage(24, 16), clips(8), "a")
    assert plan_cuts(footage(24, 16, shots=(16,)), clips(8), "a") == alone == [Cut("train", 0, 8), Cut("train", 8, 16), Cut("test", 16, 24)]


def test_training_clips_are_thinned_out_by_the_stride_in_each_shot():
    cuts = plan_cuts(footage(60, 60, shots=(31,)), clips(8, stride=20), "a")
    assert cuts == [Cut("train", 0, 8), Cut("train", 20, 28), Cut("train", 31, 39), Cut("train", 51, 59)]
    with pytest.raises(ValueError, match="stride is 7, less than frames"):
        clips(8, stride=7)


@pytest.mark.parametrize(("size", "box"), [((32, 20), Box(0, 0, 96, 66)), ((48, 96), Box(7, 3, 60, 61)), ((130, 100), Box(10, 5, 70, 50))])
def test_a_point_stays_on_what_was_drawn_there_through_crop_and_scaling(size, box):
    """The middle of a bright square, found again as the brightness's centre of mass."""
    x, y = 41.0, 29.0
    rgb = np.zeros((66, 96, 3), np.uint8)
    rgb[26:33, 38:45] = 200
    keypoints = np.zeros((1, 137, 3), np.float32)
    keypoints[0, 5] = x, y, 0.5
    frame = SourceFrame(rgb, landmarks=np.full((68, 2), (x, y), np.float32), keypoints=keypoints, iuv=rgb // 10)
    shown = fit(cropped(frame, box), *size)
    for picture in (shown.rgb, shown.iuv):
        rows, columns = np.nonzero(picture[..., 0] > picture.max() / 2)
        np.testing.assert_allclose(shown.landmarks[3], (columns.mean(), rows.mean()), atol=0.51)
    light = shown.rgb[..., 0].astype(float)
    centre = (light.sum(axis=0) @ np.arange(size[0]) / light.sum(), light.sum(axis=1) @ np.arange(size[1]) / light.sum())
    np.testing.assert_allclose(shown.landmarks[3], centre, atol=0.05)
    np.testing.assert_allclose(shown.keypoints[0, 5], (*centre, 0.5), atol=0.05)
    assert np.count_nonzero(shown.keypoints) == 3  # what was not found stays so


def test_too_short_a_sequence_is_refused_with_both_numbers():
    with pytest.raises(InputError, match="a: has 7 frames for training, a clip needs clips.frames = 8"):
        plan_cuts(footage(9, 7), clips(8), "a")
    with pytest.raises(InputError, match="a: has at most 7 frames between changes of scene for training, a clip needs clips.frames = 8"):
        plan_cuts(footage(14, 14, shots=(7,)), clips(8), "a")
    with pytest.raises(
        InputError, match="a: has at most 7 frames between changes of scene for testing, that is shorter than clips.frames = 8"
    ):
        plan_cuts(footage(14, 0, shots=(7,)), clips(8), "a")
    with pytest.raises(InputError, match="a: has no frames"):
        plan_cuts(footage(0, 0), clips(8), "a")


def test_a_part_of_the_picture_is_cut_from_its_centre_before_it_is_scaled(tmp_path, monkeypatch):
    """Columns hold their own numbers: the central 32 of 80 begin at 24."""
    rgb = np.broadcast_to(np.arange(80, dtype=np.uint8)[None, :, None], (40, 80, 3))
    seen = Footage(iter([SourceFrame(rgb)] * 2), 2, 0, "15/1", None)
    monkeypatch.setattr("pipeline.clips.open_item", lambda item, root: seen)
    p = clips(2, width=32, height=40, crop=[32, 40])
    run_item(Item("a", "videos", (), {}), tmp_path, tmp_path, p, {})
    stored = arrays.reading(layout.arrays(tmp_path / "a_000000", "frames"))["rgb"][0]
    assert stored[0, :, 0].tolist() == list(range(24, 56))


def test_a_part_that_is_larger_than_the_picture_is_refused_with_both_sizes(tmp_path, monkeypatch):
    seen = Footage(iter([SourceFrame(np.zeros((40, 80, 3), np.uint8))] * 2), 2, 0, "15/1", None)
    monkeypatch.setattr("pipeline.clips.open_item", lambda item, root: seen)
    with pytest.raises(InputError, match="a: clips.crop is 96x40, its frames are 80x40: that much at most"):
        run_item(Item("a", "videos", (), {}), tmp_path, tmp_path, clips(2, crop=[96, 40]), {})


def test_truth_is_cut_out_with_its_frame(tmp_path, monkeypatch):
    """A frame of 8 columns of which each holds its number, as label and instance; the flow leads two columns to the right."""
    columns = np.broadcast_to(np.arange(8)[None], (16, 8))
    flow = np.full((16, 8, 2), [2, 0], np.float32)
    frame = SourceFrame(
        np.repeat(columns[..., None], 3, -1).astype(np.uint8),
        columns.astype(np.uint8),
        columns.astype(np.uint16),
        {1: flow},
        {1: columns != 3},
    )
    part = cropped(frame, Box(2, 4, 4, 6))
    assert part.rgb.shape == (6, 4, 3) and part.rgb[0, :, 0].tolist() == [2, 3, 4, 5]
    assert part.label[0].tolist() == part.instance[0].tolist() == [2, 3, 4, 5]
    assert part.optical_flow[1].shape == (6, 4, 2)
    assert part.visible[1][0].tolist() == [True, False, False, False]  # 3 is hidden; 4 and 5 come from columns 6 and 7


def test_a_clip_that_does_not_show_what_it_should_is_left_out_and_listed(tmp_path, monkeypatch):
    """The others go on, and each shows its own part of the picture."""

    def crop(frames: range) -> list[Box]:
        if frames.start == 2:
            raise InputError("frames 2 to 3: nothing to see")
        return [Box(t, 0, 16, 16) for t in frames]

    rgb = np.broadcast_to(np.arange(40, dtype=np.uint8)[None, :, None], (16, 40, 3))
    seen = replace(footage(6, 6), frames=iter([SourceFrame(rgb)] * 6), crop=crop)
    monkeypatch.setattr("pipeline.clips.open_item", lambda item, root: seen)
    run_item(Item("a", "videos", (), {}), tmp_path, tmp_path, clips(2, width=16, height=16), {})
    assert pd.read_csv(layout.clips_table(tmp_path))["clip"].tolist() == ["a_000000", "a_000004"]
    assert pd.read_csv(layout.clips_left_out(tmp_path)).to_dict("records") == [
        {"clip": "a_000002", "split": "train", "num_frames": 2, "reason": "frames 2 to 3: nothing to see"}
    ]
    shown = [arrays.reading(layout.arrays(tmp_path / clip, "frames"))["rgb"][:] for clip in ("a_000000", "a_000004")]
    assert [rgb[:, 0, 0, 0].tolist() for rgb in shown] == [[0, 1], [4, 5]]


def test_a_frame_covers_the_stored_size_and_is_cropped_centrally():
    rgb = np.zeros((40, 100, 3), np.uint8)
    rgb[:, 30:70] = 200  # the middle 40 columns
    label = (rgb[..., 0] > 0).astype(np.uint8)
    fitted = fit(SourceFrame(rgb, label), width=20, height=20)
    assert fitted.rgb.shape == (20, 20, 3)
    assert (fitted.rgb == 200).all()
    assert (fitted.label == 1).all()


def test_optical_flow_is_scaled_by_its_own_axis_and_still_leads_to_the_same_point():
    optical_flow = np.full((40, 80, 2), [8.0, 4.0], np.float32)
    frame = SourceFrame(np.zeros((40, 80, 3), np.uint8), None, None, {1: optical_flow}, {1: np.ones((40, 80), bool)})
    fitted = fit(frame, width=40, height=20)
    np.testing.assert_allclose(fitted.optical_flow[1], np.full((20, 40, 2), [4.0, 2.0]))


def test_a_street_clip_is_written_with_its_truth(tmp_path):
    parameters = {
        "width": 64,
        "height": 32,
        "strides": [1],
        "frames_per_second": "15/1",
        "palette": palettes.load("cityscapes_train").as_attributes(),
        "seed": 0,
        "frames": 4,
        "test": False,
        "approach": False,
    }
    item = Item("train-0000", "sample_street", (), parameters)
    run_item(item, tmp_path, tmp_path, clips(4), {"key": "k"})
    folder = tmp_path / "train-0000_000000"
    files = {modality: arrays.reading(layout.arrays(folder, modality)) for modality in layout.MODALITIES[:4]}
    assert files["frames"]["rgb"].shape == (4, 32, 64, 3)
    assert files["frames"].attributes["split"] == "train"
    assert files["segmentation"].attributes["labelled_frames"] == [0, 1, 2, 3]
    assert set(np.unique(files["segmentation"]["label"][:])) <= set(range(19))
    assert files["optical_flow"]["confidence_1"][0].max() == 0
    assert files["optical_flow"]["confidence_1"][1].max() == 255
    *_, drawn = street_world.render(seed=0, num_frames=4, width=64, height=32, strides=[1], approach=False)
    visible = drawn.visible[1]
    assert np.array_equal(files["optical_flow"]["confidence_1"][3] == 255, visible)
    stored = files["optical_flow"]["optical_flow_1"][3].astype(np.float32)
    assert np.abs(stored - drawn.optical_flow[1])[visible].max() < 0.05
    classes = {entry["class"] for entry in files["instances"].attributes["objects"].values()}
    assert classes <= {11, 13}  # persons and cars
