from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from pipeline import arrays, layout, manifest, params, segmentation_model
from pipeline.deeplabv3 import Segmenter
from pipeline.errors import InputError
from pipeline.labelled_frames import labelled_frames, seen_frames
from pipeline.metrics.segmentation import confusion, mean_iou
from pipeline.palettes import Class, Palette
from pipeline.segmentation_model import run, settle_statistics, varied

COLOURS = np.array([[220, 60, 60], [60, 220, 60], [60, 60, 220]])
PALETTE = Palette("toy", tuple(Class(i, name, tuple(COLOURS[i].tolist()), False, False) for i, name in enumerate("abc")), ())
PARAMS = params.SegmentationModel(
    architecture="deeplabv3_mobilenet_v3_large",
    weights=None,
    enlarge=1.0,
    label_every=2,
    steps=30,
    batch_size=4,
    learning_rate=0.02,
    power=0.9,
    scale_range=[0.8, 1.25],
    seed=0,
)


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


def trained(clips, name, p=PARAMS, own_model=True):
    out, work = clips.parent / name, clips.parent / f"{name}-work"
    out.mkdir(exist_ok=True)
    work.mkdir(exist_ok=True)
    run(clips, out, work, p, "toy", own_model, "cpu")
    return out


def test_three_colours_are_learned(toy):
    segmenter = Segmenter.load(layout.segmentation_checkpoint(trained(toy, "out", PARAMS)), "cpu")
    counts = sum(confusion(f.label(), segmenter.predict(f.rgb()[None])[0], 3) for f in labelled_frames(toy, "test"))
    assert mean_iou(counts) > 0.6


def test_a_class_that_is_not_learned_has_no_channel_and_teaches_nothing():
    """Its pixels count as void, so the network cannot predict it, whatever its weights."""
    palette = replace(PALETTE, classes=(PALETTE.classes[0], replace(PALETTE.classes[1], learned=False), PALETTE.classes[2]))
    torch.manual_seed(0)
    segmenter = Segmenter.untrained(PARAMS.architecture, palette, 1.0, "cpu")
    assert segmenter.channels_of(np.array([[0, 1, 2, 255]], np.uint8)).tolist() == [[0, 255, 1, 255]]
    rgb = np.random.default_rng(0).integers(0, 255, (2, 48, 64, 3)).astype(np.uint8)
    segmenter.network.eval()
    assert segmenter.logits(rgb).shape == (2, 2, 48, 64)
    seen = set()
    for favoured in range(2):
        bias = segmenter.network.classifier[-1].bias
        torch.nn.init.constant_(bias, 0)
        bias.data[favoured] = 100.0
        seen |= set(np.unique(segmenter.predict(rgb)).tolist())
    assert seen == {0, 2}


def test_every_second_label_of_the_training_clips_is_seen(toy):
    assert [f.number for f in seen_frames(toy, 2)] == [0, 2, 4]
    assert [f.number for f in seen_frames(toy, 3)] == [0]


def test_a_training_that_was_stopped_ends_bit_equal(toy, monkeypatch):
    p = PARAMS.model_copy(update={"steps": 6})
    monkeypatch.setattr(segmentation_model, "SAVE_EVERY", 2)
    monkeypatch.setattr(segmentation_model, "STATISTICS_BATCHES", 3)
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
    assert len(drawn) == 4 + 4 + 3  # after the stop: steps 3 to 6, and the statistics
    assert resumed == whole


def test_statistics_are_plain_means_over_batches_as_in_training(toy):
    seen = labelled_frames(toy, "train")
    torch.manual_seed(0)
    segmenter = Segmenter.untrained(PARAMS.architecture, PALETTE, 1.0, "cpu")
    first = next(module for module in segmenter.network.modules() if isinstance(module, nn.BatchNorm2d))
    inputs = []
    first.register_forward_hook(lambda module, given, result: inputs.append(given[0]))
    settle_statistics(segmenter, seen, PARAMS)
    assert {len(x) for x in inputs} == {PARAMS.batch_size}
    torch.testing.assert_close(first.running_mean, torch.stack([x.mean(dim=(0, 2, 3)) for x in inputs]).mean(dim=0), rtol=1e-4, atol=1e-4)
    assert not any(module.training for module in segmenter.network.modules())


def test_a_batch_without_a_labelled_pixel_changes_nothing():
    logits = torch.zeros(1, 2, 3, 4, requires_grad=True)
    loss = segmentation_model.error(logits, torch.full((1, 3, 4), 255))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()
    labelled = torch.full((1, 3, 4), 255)
    labelled[0, 0, :2] = 1
    assert segmentation_model.error(logits, labelled).item() == pytest.approx(np.log(2))


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


def test_nothing_is_trained_where_no_model_of_its_own_is_used(toy):
    out = trained(toy, "out", own_model=False)
    assert list(out.iterdir()) == []


def test_missing_labels_are_refused_with_what_to_set(tmp_path):
    labels = [bands(9, 20)] * 3
    clips = write_clips(tmp_path / "clips", [("a", "train", "s", 1, labels, [0, 2]), ("b", "train", "t", 0, labels, None)])
    with pytest.raises(InputError, match=r"no training frame has a label to learn from: set datasets.toy.segmentation.weights_from"):
        trained(clips, "out")  # frames 1 and 3 of the sequence have labels, label_every is 2


def test_given_weights_are_kept_and_another_palette_is_refused(toy, tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "weights.safetensors"
    Segmenter.untrained(PARAMS.architecture, PALETTE, 1.0, "cpu").save(path)
    out = trained(toy, "out", PARAMS.model_copy(update={"weights": str(path)}))
    assert layout.segmentation_checkpoint(out).read_bytes() == path.read_bytes()
    Segmenter.untrained(PARAMS.architecture, Palette("other", PALETTE.classes, ()), 1.0, "cpu").save(path)
    with pytest.raises(InputError, match=r"has palette other, the clips' labels toy"):
        trained(toy, "out", PARAMS.model_copy(update={"weights": str(path)}))
