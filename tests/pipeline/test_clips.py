import numpy as np
import pytest

from pipeline import arrays, layout, palettes, params, street_world
from pipeline.clips import Cut, fit, plan_cuts, run_item
from pipeline.errors import InputError
from pipeline.sources import Footage, Item, SourceFrame


def footage(num_frames: int, test_from: int) -> Footage:
    return Footage(iter(()), num_frames, test_from, "15/1", None)


def test_training_clips_are_full_and_the_test_clip_is_whole():
    assert plan_cuts(footage(25, 17), 8, "a") == [Cut("train", 0, 8), Cut("train", 8, 16), Cut("test", 17, 25)]
    assert plan_cuts(footage(25, 0), 8, "a") == [Cut("test", 0, 25)]
    assert plan_cuts(footage(16, 16), 8, "a") == [Cut("train", 0, 8), Cut("train", 8, 16)]


def test_too_short_a_sequence_is_refused_with_both_numbers():
    with pytest.raises(InputError, match="a: has 7 frames for training, a clip needs clips.frames = 8"):
        plan_cuts(footage(9, 7), 8, "a")
    with pytest.raises(InputError, match="a: has no frames"):
        plan_cuts(footage(0, 0), 8, "a")


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
    run_item(item, tmp_path, tmp_path, params.Clips(width=64, height=32, frames=4), {"key": "k"})
    folder = tmp_path / "train-0000_000000"
    files = {modality: arrays.reading(layout.arrays(folder, modality)) for modality in layout.MODALITIES}
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
