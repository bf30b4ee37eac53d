import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from pipeline import arrays, layout, manifest, params, segmentation_model
from pipeline.deeplabv3 import Segmenter
from pipeline.errors import InputError
from pipeline.palettes import Class, Palette
from pipeline.segmentation_model import copy_nearest_label, labelled_frames, most_frequent_class, run, settle_statistics, varied

COLOURS = np.array([[220, 60, 60], [60, 220, 60], [60, 60, 220]])
PALETTE = Palette("toy", tuple(Class(i, name, tuple(COLOURS[i].tolist()), False, False) for i, name in enumerate("abc")), ())
PARAMS = params.SegmentationModel(
    architecture="deeplabv3_mobilenet_v3_large",
    weights=None,
    enlarge=1.0,
    label_every=2,
    steps=30,
    batch_size=4,
    learning_rate=0.05,
    power=0.9,
    scale_range=[0.8, 1.25],
    seed=0,
)
LABELLING = params.Segmentation(backend="deeplabv3", options={}, weights_from="toy", batch_size=4)


def write_clips(folder, clips):
    """clips: (name, split, sequence, first_frame, labels of all frames, labelled frames); a frame shows its labels' colours."""
    rows, random = [], np.random.default_rng(0)
    for name, split, sequence, first_frame, labels, labelled in clips:
        (folder / name).mkdir(parents=True)
        with arrays.writing(layout.arrays(folder / name, "frames"), {}) as writer:
            for label in labels:
                writer.append("rgb", (COLOURS[label] + random.normal(0, 15, (*label.shape, 3))).clip(0, 255).astype(np.uint8))
        if labelled is not None:
            about = {"palette": PALETTE.as_attributes(), "labelled_frames": labelled}
            with arrays.writing(layout.arrays(folder / name, "segmentation"), about) as writer:
                for t, label in enumerate(labels):
                    writer.append("label", label if t in labelled else np.full_like(label, 255))
        rows.append((name, "k", split, sequence, first_frame, len(labels)))
    manifest.write(folder, pd.DataFrame(rows, columns=["clip", "key", "split", "sequence", "first_frame", "num_frames"]))
    return folder


def bands(*heights, size=(48, 64)):
    """Three bands; heights: where the second and the third begin."""
    label = np.zeros(size, np.uint8)
    label[heights[0] :] = 1
    label[heights[1] :, : size[1] // 2] = 2
    return label


@pytest.fixture
def toy(tmp_path):
    train = [bands(10 + 2 * t, 30 + t) for t in range(6)]
    return write_clips(
        tmp_path / "clips", [("a", "train", "s", 0, train, [0, 1, 2, 4]), ("b", "test", "u", 0, [bands(17, 29), bands(12, 36)], [0, 1])]
    )


def trained(clips, name, p=PARAMS, labelling=LABELLING):
    out, work = clips.parent / name, clips.parent / f"{name}-work"
    out.mkdir(exist_ok=True)
    work.mkdir(exist_ok=True)
    run(clips, out, work, p, labelling, "toy", "cpu")
    return out


def test_three_colours_are_learned_and_scored_beside_the_baselines(toy):
    out = trained(toy, "out", PARAMS.model_copy(update={"enlarge": 2.0, "steps": 24}))
    scores = json.loads(layout.scores(out).read_text())
    assert (scores["used"], scores["seen_frames"], scores["held_out_frames"]) == (True, 3, 2)  # frames 0, 2, 4
    assert scores["miou"] > 0.5 > 2 * scores["baselines"]["most_frequent_class"]
    assert scores["baselines"]["copy_nearest_label"] is None  # no seen frame in the test clip's sequence
    assert sorted(scores["iou"]) == ["a", "b", "c"]
    assert np.mean(list(scores["iou"].values())) == pytest.approx(scores["miou"], abs=1e-5)


def test_a_training_that_was_stopped_ends_bit_equal(toy, monkeypatch):
    p = PARAMS.model_copy(update={"steps": 6})
    monkeypatch.setattr(segmentation_model, "SAVE_EVERY", 2)
    whole = layout.segmentation_checkpoint(trained(toy, "whole", p)).read_bytes()

    draw, drawn = segmentation_model.batch, []

    def stopping(*arguments):
        drawn.append(1)
        if len(drawn) == 4:
            raise KeyboardInterrupt
        return draw(*arguments)

    monkeypatch.setattr(segmentation_model, "batch", stopping)
    with pytest.raises(KeyboardInterrupt):
        trained(toy, "stopped", p)
    assert torch.load(layout.training_state(toy.parent / "stopped-work"), weights_only=True)["step"] == 2
    resumed = layout.segmentation_checkpoint(trained(toy, "stopped", p)).read_bytes()
    assert len(drawn) == 4 + 4  # steps 3 to 6 were done after the stop
    assert resumed == whole


def test_statistics_are_plain_means_over_the_seen_frames(toy):
    seen = labelled_frames(toy, "train")
    torch.manual_seed(0)
    segmenter = Segmenter.untrained(PARAMS.architecture, PALETTE, 1.0, "cpu")
    settle_statistics(segmenter, seen, batch_size=4)
    first = next(module for module in segmenter.network.modules() if isinstance(module, nn.BatchNorm2d))
    inputs = []
    first.register_forward_hook(lambda module, given, result: inputs.append(given[0]))
    segmenter.predict(np.stack([frame.rgb() for frame in seen]))
    torch.testing.assert_close(first.running_mean, inputs[0].mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-4)
    assert not any(module.training for module in segmenter.network.modules())


def test_copying_the_nearest_label_is_scored_as_by_hand(tmp_path):
    half = np.zeros((4, 8), np.uint8)
    half[:, 4:] = 1
    whole = np.zeros((4, 8), np.uint8)
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


def test_a_varied_image_keeps_its_size_and_its_labels():
    label = bands(20, 30)
    rgb = COLOURS[label].astype(np.uint8)
    for number in range(20):
        new_rgb, new_label = varied(rgb, label, [0.5, 2.0], np.random.default_rng(number))
        assert new_rgb.shape == rgb.shape
        assert new_label.shape == label.shape
        known = new_label != 255
        assert known.any()
        distance = np.abs(new_rgb[known].astype(int) - COLOURS[new_label[known]]).max(axis=-1)
        assert (distance < 60).mean() > 0.9  # but for the blend along edges


@pytest.mark.parametrize("other", [{"backend": "given"}, {"weights_from": "another"}])
def test_nothing_is_trained_where_no_model_of_its_own_is_used(toy, other):
    out = trained(toy, "out", labelling=LABELLING.model_copy(update=other))
    assert json.loads(layout.scores(out).read_text()) == {"used": False}
    assert not layout.segmentation_checkpoint(out).exists()


def test_missing_labels_are_refused_with_what_to_set(tmp_path):
    labels = [bands(9, 20)] * 3
    clips = write_clips(tmp_path / "clips", [("a", "train", "s", 1, labels, [0, 2]), ("b", "train", "t", 0, labels, None)])
    with pytest.raises(InputError, match=r"no training frame has a label to learn from: set datasets.toy.segmentation.weights_from"):
        trained(clips, "out")  # frames 1 and 3 of the sequence have labels, label_every is 2


def test_given_weights_are_scored_and_kept_and_another_palette_is_refused(toy, tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "weights.safetensors"
    Segmenter.untrained(PARAMS.architecture, PALETTE, 1.0, "cpu").save(path)
    out = trained(toy, "out", PARAMS.model_copy(update={"weights": str(path)}))
    assert layout.segmentation_checkpoint(out).read_bytes() == path.read_bytes()
    assert 0 <= json.loads(layout.scores(out).read_text())["miou"] < 1
    Segmenter.untrained(PARAMS.architecture, Palette("other", PALETTE.classes, ()), 1.0, "cpu").save(path)
    with pytest.raises(InputError, match=r"has palette other, the clips' labels toy"):
        trained(toy, "out", PARAMS.model_copy(update={"weights": str(path)}))
