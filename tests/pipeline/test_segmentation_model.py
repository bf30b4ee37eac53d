from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from pipeline import arrays, layout, manifest, params, segmentation_model, segmentation_training
from pipeline.deeplabv3 import Segmenter
from pipeline.errors import InputError
from pipeline.labelled_frames import labelled_frames, training_frames
from pipeline.metrics.segmentation import confusion, mean_iou
from pipeline.palettes import Class, Palette
from pipeline.segmentation_model import run
from pipeline.segmentation_training import settled

COLOURS = np.array([[220, 60, 60], [60, 220, 60], [60, 60, 220]])
PALETTE = Palette("toy", tuple(Class(i, name, tuple(COLOURS[i].tolist()), False, False) for i, name in enumerate("abc")), ())
PARAMS = params.SegmentationModel(
    architecture="deeplabv3_mobilenet_v3_large",
    weights=None,
    backbone_weights=None,
    enlarge=1.0,
    label_every=2,
    validation=params.Validation(every=None, frames=4, share=0.5, patience=None),
    crop=None,
    scale_range=[0.8, 1.25],
    class_weighting="none",
    steps=30,
    batch_size=4,
    learning_rate=0.02,
    power=0.9,
    save_every=2,
    precision="float32",
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


def test_every_second_label_of_the_training_clips_is_seen_and_the_others_judge(toy):
    frames = training_frames(toy, PARAMS)
    assert ([f.number for f in frames.seen], frames.held_out) == ([0, 2, 4], [])
    frames = training_frames(toy, judged(every=5))
    assert ([f.number for f in frames.seen], [f.number for f in frames.held_out]) == ([0, 2, 4], [1])
    frames = training_frames(toy, judged(every=5).model_copy(update={"label_every": 3}))
    assert ([f.number for f in frames.seen], [f.number for f in frames.held_out]) == ([0], [1, 2, 4])


def test_where_every_label_is_seen_whole_sequences_are_held_out_and_never_a_test_clip(tmp_path):
    labels = [bands(9, 20)] * 2
    clips = write_clips(tmp_path, [(name, "train", name, 0, labels, [0, 1]) for name in "abcdef"] + [("z", "test", "z", 0, labels, [0, 1])])
    frames = training_frames(clips, judged(every=5, share=0.3).model_copy(update={"label_every": 1}))
    seen, held_out = ({frame.sequence for frame in some} for some in (frames.seen, frames.held_out))
    assert (len(seen), len(held_out)) == (4, 2)
    assert seen | held_out == set("abcdef")
    assert (
        len(training_frames(clips, judged(every=5, share=1.0).model_copy(update={"label_every": 1})).seen) == 2
    )  # one is left to learn from
    spread = training_frames(clips, judged(every=5, share=0.5, frames=3).model_copy(update={"label_every": 1})).held_out
    assert len({frame.sequence for frame in spread}) == 3
    few = training_frames(clips, judged(every=5, share=0.05).model_copy(update={"label_every": 1}))
    assert (len(few.seen), few.held_out) == (12, [])  # one of six would be three times as many as were asked for


def judged(**validation) -> params.SegmentationModel:
    return PARAMS.model_copy(update={"validation": PARAMS.validation.model_copy(update=validation)})


def stopped_at(monkeypatch, call):
    """The training is killed when it asks for the error of this step of the process."""
    error, asked = segmentation_model.error, []

    def stopping(*arguments):
        asked.append(1)
        if len(asked) == call:
            raise KeyboardInterrupt
        return error(*arguments)

    monkeypatch.setattr(segmentation_model, "error", stopping)
    return asked


@pytest.mark.parametrize("stop", [4, 6])
def test_a_training_that_was_stopped_ends_bit_equal(toy, monkeypatch, stop):
    """Weights and table; before and after the first look at what is held out, between two saved states."""
    p = judged(every=3, patience=2).model_copy(update={"steps": 7, "class_weighting": "frequency", "crop": [48, 32]})
    monkeypatch.setattr(segmentation_training, "STATISTICS_BATCHES", 3)
    whole = trained(toy, "whole", p)
    asked = stopped_at(monkeypatch, stop)
    with pytest.raises(KeyboardInterrupt):
        trained(toy, "stopped", p)
    saved = torch.load(layout.training_state(toy.parent / "stopped-work"), weights_only=True)
    last = (stop - 1) // 2 * 2
    assert saved["step"] == last
    resumed = trained(toy, "stopped", p)
    assert len(asked) == stop + 7 - last
    for file in (layout.segmentation_checkpoint, layout.validation):
        assert file(resumed).read_bytes() == file(whole).read_bytes()
    assert pd.read_csv(layout.validation(whole))["step"].tolist() == [3, 6, 7]


def test_looking_at_held_out_frames_does_not_disturb_the_training(toy, monkeypatch):
    """The weights of the last step are those of a training that never looked."""
    monkeypatch.setattr(segmentation_training, "STATISTICS_BATCHES", 3)
    states = []
    for name, p in (("with", judged(every=2)), ("without", PARAMS)):
        trained(toy, name, p.model_copy(update={"steps": 4}))
        states.append(torch.load(layout.training_state(toy.parent / f"{name}-work"), weights_only=True)["network"])
    assert all(torch.equal(weight, states[1][key]) for key, weight in states[0].items())


def scored(monkeypatch, values):
    """Looks at held-out frames find these mean IoUs, one after another; the networks that were looked at."""
    left, networks = list(values), []

    def scores(segmenter, held_out):
        networks.append(segmenter.network.state_dict())
        return {"miou": left.pop(0)}

    monkeypatch.setattr(segmentation_training, "STATISTICS_BATCHES", 1)
    monkeypatch.setattr(segmentation_training, "scores", scores)
    return networks


def test_the_best_state_is_kept_and_training_ends_where_it_gets_no_better(toy, monkeypatch):
    networks = scored(monkeypatch, [0.2, 0.5, 0.5, 0.4, 0.9])
    out = trained(toy, "out", judged(every=1, patience=2).model_copy(update={"steps": 9}))
    assert pd.read_csv(layout.validation(out))["miou"].tolist() == [0.2, 0.5, 0.5, 0.4]  # 0.5 again is no better
    kept = Segmenter.load(layout.segmentation_checkpoint(out), "cpu").network.state_dict()
    assert all(torch.equal(weight, networks[1][key]) for key, weight in kept.items())
    assert not all(torch.equal(weight, networks[2][key]) for key, weight in kept.items())


def test_a_training_that_had_ended_early_stays_ended(toy, monkeypatch):
    p = judged(every=1, patience=1).model_copy(update={"steps": 9})
    scored(monkeypatch, [0.5, 0.4])
    first = layout.segmentation_checkpoint(trained(toy, "out", p)).read_bytes()
    scored(monkeypatch, [])
    assert layout.segmentation_checkpoint(trained(toy, "out", p)).read_bytes() == first


def test_the_table_has_each_classs_iou_on_the_held_out_frames(toy, monkeypatch):
    monkeypatch.setattr(segmentation_training, "STATISTICS_BATCHES", 3)
    p = judged(every=4).model_copy(update={"steps": 4})
    out = trained(toy, "out", p)
    (row,) = pd.read_csv(layout.validation(out)).to_dict("records")
    segmenter, (frame,) = Segmenter.load(layout.segmentation_checkpoint(out), "cpu"), training_frames(toy, p).held_out
    truth, found = frame.label(), segmenter.predict(frame.rgb()[None])[0]
    for id_, name in enumerate("abc"):
        either = ((truth == id_) | (found == id_)).sum()
        assert row[name] == pytest.approx(((truth == id_) & (found == id_)).sum() / either, abs=1e-5)
    assert row["miou"] == pytest.approx((row["a"] + row["b"] + row["c"]) / 3, abs=1e-5)


@pytest.mark.parametrize("architecture", ["deeplabv3_resnet50", "deeplabv3_resnet101"])
def test_a_deeper_network_learns_a_step_and_is_kept(toy, monkeypatch, architecture):
    monkeypatch.setattr(segmentation_training, "STATISTICS_BATCHES", 1)
    p = PARAMS.model_copy(update={"architecture": architecture, "steps": 1, "batch_size": 2, "crop": [32, 32], "precision": "bfloat16"})
    out = trained(toy, "out", p)
    assert Segmenter.load(layout.segmentation_checkpoint(out), "cpu").architecture == architecture


def test_statistics_are_plain_means_over_batches_as_in_training(toy):
    seen = labelled_frames(toy, "train")
    torch.manual_seed(0)
    segmenter = Segmenter.untrained(PARAMS.architecture, PALETTE, 1.0, "cpu")
    first = next(module for module in segmenter.network.modules() if isinstance(module, nn.BatchNorm2d))
    inputs = []

    def keep(module, given, result):
        inputs.append(given[0])

    first.register_forward_hook(keep)
    network = settled(segmenter, seen, PARAMS).network
    norm = next(module for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    assert {len(x) for x in inputs} == {PARAMS.batch_size}
    torch.testing.assert_close(norm.running_mean, torch.stack([x.mean(dim=(0, 2, 3)) for x in inputs]).mean(dim=0), rtol=1e-4, atol=1e-4)
    assert not any(module.training for module in network.modules())
    assert not first.running_mean.any()  # the training's own are left alone


def test_a_batch_without_a_labelled_pixel_changes_nothing():
    logits = torch.zeros(1, 2, 3, 4, requires_grad=True)
    loss = segmentation_model.error(logits, torch.full((1, 3, 4), 255), torch.ones(2))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()
    labelled = torch.full((1, 3, 4), 255)
    labelled[0, 0, :2] = 1
    assert segmentation_model.error(logits, labelled, torch.ones(2)).item() == pytest.approx(np.log(2))


def test_the_error_is_torchs_weighted_mean():
    torch.manual_seed(0)
    logits, channel, weights = torch.randn(2, 3, 4, 5), torch.randint(3, (2, 4, 5)), torch.tensor([1.0, 5.0, 0.5])
    channel[0, 0] = 255
    expected = torch.nn.functional.cross_entropy(logits, channel, weights, ignore_index=255)
    torch.testing.assert_close(segmentation_model.error(logits, channel, weights), expected)


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
