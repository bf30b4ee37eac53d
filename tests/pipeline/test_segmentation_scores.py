import json
from dataclasses import replace

import numpy as np
import pytest

from pipeline import arrays, layout, params
from pipeline.errors import InputError
from pipeline.labelled_frames import labelled_frames
from pipeline.segmentation_scores import copy_nearest_label, most_frequent_class, run
from tests.pipeline.test_segmentation_model import PALETTE, PARAMS, write_clips

LABELLING = params.Segmentation(backend="deeplabv3", options={}, weights_from="toy", batch_size=4)


def halves() -> tuple[np.ndarray, np.ndarray]:
    half = np.zeros((4, 8), np.uint8)
    half[:, 4:] = 1
    return np.zeros((4, 8), np.uint8), half


def test_copying_the_nearest_label_is_scored_as_by_hand(tmp_path):
    whole, half = halves()
    clips = write_clips(
        tmp_path, [("a", "train", "s", 0, [whole, half], [0, 1]), ("b", "test", "s", 2, [half, np.roll(half, 2, 1)], [0, 1])]
    )
    seen, held_out = labelled_frames(clips, "train"), labelled_frames(clips, "test")
    # frame 1 is nearest to both: the first fits; in the second, shifted by 2 of 8 columns, half the pixels of each class do
    a, b = (16 + 8) / (16 + 16 + 16 - 8), (16 + 8) / (16 + 16 + 16 - 8)
    assert copy_nearest_label(seen, held_out, PALETTE) == pytest.approx((a + b) / 2)
    assert copy_nearest_label([], held_out, PALETTE) is None
    # class 0 everywhere: half of all pixels, and nothing of class 1
    assert most_frequent_class(seen, held_out, PALETTE) == pytest.approx((0.5 + 0) / 2)


def test_stored_labels_are_scored_on_the_labelled_test_frames_alone(tmp_path):
    whole, half = halves()
    clips = write_clips(tmp_path / "clips", [("a", "train", "s", 0, [half], [0]), ("b", "test", "s", 1, [half, half], [1])])
    (tmp_path / "labels" / "b").mkdir(parents=True)
    with arrays.writing(layout.arrays(tmp_path / "labels" / "b", "segmentation"), {"palette": PALETTE.as_attributes()}) as writer:
        for label in (whole, half):  # the first frame is wrong, but has no true label
            writer.append("label", label)
    run(clips, tmp_path / "labels", tmp_path, PARAMS, LABELLING, own_model=True)
    scores = json.loads(layout.scores(tmp_path).read_text())
    assert (scores["miou"], scores["seen_frames"], scores["held_out_frames"]) == (1.0, 1, 1)
    assert scores["baselines"]["copy_nearest_label"] == 1.0
    assert sorted(scores["iou"]) == ["a", "b"]


def test_true_labels_that_no_model_learns_count_nowhere(tmp_path, monkeypatch):
    """Class b is not learned: only the half with class a is judged, of which a quarter is wrong; and no baseline may choose b."""
    palette = replace(PALETTE, classes=(PALETTE.classes[0], replace(PALETTE.classes[1], learned=False), PALETTE.classes[2]))
    monkeypatch.setattr("tests.pipeline.test_segmentation_model.PALETTE", palette)
    _, half = halves()
    mostly_b = np.ones_like(half)
    mostly_b[:, 0] = 0
    clips = write_clips(tmp_path / "clips", [("a", "train", "s", 0, [mostly_b], [0]), ("b", "test", "s", 1, [half], [0])])
    (tmp_path / "labels" / "b").mkdir(parents=True)
    with arrays.writing(layout.arrays(tmp_path / "labels" / "b", "segmentation"), {"palette": palette.as_attributes()}) as writer:
        writer.append("label", np.repeat([[2, 0, 0, 0, 2, 2, 2, 2]], 4, 0).astype(np.uint8))
    run(clips, tmp_path / "labels", tmp_path, PARAMS, LABELLING, own_model=True)
    scores = json.loads(layout.scores(tmp_path).read_text())
    assert scores["iou"] == {"a": 0.75}
    assert scores["miou"] == 0.75
    assert scores["baselines"]["most_frequent_class"] == 1.0


@pytest.mark.parametrize(("backend", "labelled"), [("given", [0]), ("deeplabv3", None)])
def test_given_labels_and_unlabelled_frames_are_not_scored(tmp_path, backend, labelled):
    clips = write_clips(tmp_path / "clips", [("b", "test", "s", 0, [halves()[1]], labelled)])
    run(clips, tmp_path, tmp_path, PARAMS, LABELLING.model_copy(update={"backend": backend}), own_model=True)
    assert json.loads(layout.scores(tmp_path).read_text()) == {"used": False}


def test_labels_of_another_palette_are_refused(tmp_path):
    clips = write_clips(tmp_path / "clips", [("b", "test", "s", 0, [halves()[1]], [0])])
    (tmp_path / "b").mkdir()
    other = {**PALETTE.as_attributes(), "name": "other"}
    with arrays.writing(layout.arrays(tmp_path / "b", "segmentation"), {"palette": other}) as writer:
        writer.append("label", halves()[1])
    with pytest.raises(InputError, match="was labelled in palette other, its true labels are in toy"):
        run(clips, tmp_path, tmp_path, PARAMS, LABELLING, own_model=True)
