from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from pipeline import params, yaml_file
from pipeline.errors import InputError
from pipeline.journey import STAGES
from pipeline.params_file import Params, _merge
from pipeline.plan import _JobMaker, _with_hashes
from pipeline.store import Store, file_sha256
from tests.conftest import REPOSITORY

PATH = REPOSITORY / "params.yaml"
RAW = yaml_file.values(PATH.read_text(), PATH)

FACES = {"face_discriminator": {"width": 64, "layers": 3, "scales": 1, "side": 0.25}}
PHASE = {
    **{"scales": 1, "only_finest": False, "steps": 1, "learning_rate": 0.1, "decay_from": 1.0},
    **{"window_frames": 1, "sequence_frames": 1, "double_every": None},
}
SKIPPING = {"divergence": {"above": 5.0, "action": "skip", "patience": 2}}

OF_ANY_TRAINING: list[dict[str, Any]] = [
    *({"seed": 1}, {"gan": "hinge"}, {"log_every": 3}, {"preview_every": 3}, {"ema_decay": 0.5}, {"precision": "bfloat16"}),
    *({"compile": True}, {"decay_from": 0.25}, {"augmentation": {"flip": 0.5}}, {"checkpoints": {"keep": 1}}, SKIPPING),
    *({"validation": {"every": 2}}, {"image_discriminator": {"width": 8}}, {"weights": {"image_gan": 3.0}}),
]
"""Settings of `train` that change every training."""

OF_VIDEOS: list[dict[str, Any]] = [
    *({"steps": 5}, {"learning_rate": 0.5}, {"batch_size": 2}, {"window_frames": 2}, {"earlier_phases": [PHASE]}),
    *({"generator": {"width": 8}}, {"generator": {"past_frames": 1}}, FACES),
    *({"weights": {f"face_{name}": 3.0}} for name in ("gan", "feature_matching", "real", "fake")),
]
"""Those that single frames know nothing of, or for which they have their own."""

NOT_WITHOUT_THE_PAST: list[dict[str, Any]] = [
    *({"weights": {name: 3.0}} for name in ("optical_flow", "flow_warp", "temporal_warp", "mask", "video_gan", "video_real")),
    *({"video_discriminator": {"strides": []}}, {"video_discriminator": {"width": 8}}, {"gradient_frames": 2}, {"start_from_nothing": 0.5}),
    *({"generator": {name: value}} for name, value in (("blend", "paper"), ("mask", "binary"), ("warping", False))),
    *({"vgg_imagenet_norm": True}, {"initial_weights": str(PATH)}, {"vgg_weights": str(PATH)}),
]
"""Those that a generator without the past has no use for, without the perceptual term; any file stands for weights."""

COUNTED: dict[str, list[dict[str, Any]]] = {
    "train": [*OF_ANY_TRAINING, *OF_VIDEOS, *NOT_WITHOUT_THE_PAST],
    "segmentation_model": [{"steps": 5}, {"validation": {"every": 2}}, {"precision": "bfloat16"}],
    "synthesize": [{"first_frame": "given"}, {"crf": 3}],
}

UNCOUNTED: dict[str, list[dict[str, Any]]] = {
    "train": [{"save_every": 3}, {"checkpointing": True}, {"divergence": {"above": 5.0}}, {"divergence": {"patience": 2}}],
    "segmentation_model": [{"save_every": 3}],
    "synthesize": [{"part_frames": 7}],
}
"""Settings that change no byte of the result."""


def measuring(weights: str) -> dict:
    network = params.VideoNetwork(name="r3d_18", weights=weights, window_frames=8, window_stride=2)
    return params.Evaluate(stride=1, video_network=network).model_dump()


def test_weights_count_by_their_content_at_any_depth(tmp_path):
    first, same, other = (tmp_path / name for name in ("first.pth", "same.pth", "other.pth"))
    for path, content in ((first, b"1"), (same, b"1"), (other, b"2")):
        path.write_bytes(content)
    counted = _with_hashes(measuring(str(first)), "evaluate")
    assert counted["video_network"]["weights"] == file_sha256(first)
    assert counted == _with_hashes(measuring(str(same)), "evaluate") != _with_hashes(measuring(str(other)), "evaluate")


def test_missing_weights_are_named_with_their_key():
    with pytest.raises(InputError, match=r"^evaluate\.video_network\.weights: none\.pth is no file"):
        _with_hashes(measuring("none.pth"), "evaluate")


def key_of(stage: str, tmp_path: Path, **changed: dict[str, Any]) -> str:
    """Of a result of smoke's, where its entry changes these sections further."""
    raw = deepcopy(RAW)
    for name, changes in changed.items():
        raw[name] = _merge(raw[name], raw["datasets"]["smoke"][name])
        raw["datasets"]["smoke"][name] = changes
    return _JobMaker(STAGES[stage], "smoke", Params(raw, PATH), Store(tmp_path))("*", inputs={}, arguments={}).key


def test_settings_that_change_no_byte_of_the_result_are_in_no_key_and_all_others_are(tmp_path):
    for stage in UNCOUNTED:
        key = key_of(stage, tmp_path)
        for changes in UNCOUNTED[stage]:
            assert key_of(stage, tmp_path, **{stage: changes}) == key, changes
        for changes in COUNTED[stage]:
            assert key_of(stage, tmp_path, **{stage: changes}) != key, changes


def test_a_limit_counts_where_steps_beyond_it_are_skipped(tmp_path):
    limits = [key_of("train", tmp_path, train={"divergence": {"above": above, "action": "skip"}}) for above in (1.0, 2.0)]
    assert limits[0] != limits[1]
    assert limits[0] == key_of("train", tmp_path, train={"divergence": {"above": 1.0, "action": "skip", "patience": 3}})


def test_what_a_report_shows_of_a_training_is_what_its_own_key_counts(tmp_path):
    keys = {key_of("report", tmp_path, train=changes) for changes in ({}, {"save_every": 3}, {"checkpointing": True})}
    assert len(keys) == 1 and key_of("report", tmp_path, train={"steps": 5}) not in keys
    shown = params.Train.model_validate(RAW["train"]).counted()
    assert not {"save_every", "checkpointing"} & set(shown) and shown["divergence"] == {}


def test_what_only_the_past_needs_is_in_the_key_of_no_training_without_it(tmp_path):
    for stage in ("train_per_frame", "train_image_generator"):
        key = key_of(stage, tmp_path)
        for changes in NOT_WITHOUT_THE_PAST:
            assert key_of(stage, tmp_path, train=changes) == key, changes


def test_what_every_training_needs_is_in_the_keys_of_those_without_the_past(tmp_path):
    for stage in ("train_per_frame", "train_image_generator"):
        key = key_of(stage, tmp_path)
        for changes in OF_ANY_TRAINING:
            assert key_of(stage, tmp_path, train=changes) != key, changes


def test_an_image_generator_has_steps_rate_and_size_of_its_own(tmp_path):
    images, frames = key_of("train_image_generator", tmp_path), key_of("train_per_frame", tmp_path)
    for changes in OF_VIDEOS:
        assert key_of("train_image_generator", tmp_path, train=changes) == images, changes
        assert key_of("train_per_frame", tmp_path, train=changes) != frames, changes
    for changes in ({"steps": 5}, {"learning_rate": 0.5}, {"batch_size": 2}, {"scales": 1}, {"generator": {"width": 8}}):
        assert key_of("train_image_generator", tmp_path, train_image_generator=changes) != images, changes
