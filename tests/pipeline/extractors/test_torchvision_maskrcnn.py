from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torchvision.models import detection

from pipeline import palettes
from pipeline.errors import InputError
from pipeline.extractors.instances import torchvision_maskrcnn
from pipeline.weights import version_of
from tests.pipeline.extractors import maskrcnn_weights

PALETTE = palettes.load("cityscapes_train")
ROAD, CAR = 0, 13
VALUES = {"shortest_side": 64, "longest_side": 128, "score": 0.05, "margin": 0, "rest": "none"}
FRAMES = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A file as torchvision publishes it: of frozen norms, which count no batches."""
    path = tmp_path_factory.mktemp("weights") / "published.pth"
    maskrcnn_weights.publish(maskrcnn_weights.finding_cars("maskrcnn_resnet50_fpn"), path)
    return path


def built(weights: Path, palette=PALETTE, architecture="maskrcnn_resnet50_fpn", **changed):
    return torchvision_maskrcnn.build(palette, 1, "cpu", architecture=architecture, weights=str(weights), **{**VALUES, **changed})


def test_published_weights_give_what_torchvision_makes_of_them(published, monkeypatch):
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", lambda *_, **__: torch.load(published, weights_only=True))
    theirs = detection.maskrcnn_resnet50_fpn(weights="COCO_V1", min_size=64, max_size=128).eval()
    ours = torchvision_maskrcnn._loaded("maskrcnn_resnet50_fpn", published, version_of(published), 64, 128, 0.05, "cpu")
    image = [torch.from_numpy(FRAMES[0]).movedim(-1, 0).float() / 255]
    with torch.inference_mode():
        expected, found = theirs(image)[0], ours(image)[0]
    assert len(expected["scores"]) > 3
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-4)


def test_its_masks_are_cut_to_the_labels_and_keep_class_and_score(published):
    labels = np.full((2, 32, 48), ROAD, np.uint8)
    labels[0, 8:24, 8:40] = CAR
    first, second = built(published)(FRAMES, labels, range(2))
    assert first.things and not second.things
    assert (labels[0][first.instance > 0] == CAR).all()
    assert all(thing.label == CAR and 0.05 <= thing.score <= 1 for thing in first.things.values())


def test_masks_below_the_score_are_left_out(published):
    labels = np.full((2, 32, 48), CAR, np.uint8)
    assert built(published)(FRAMES, labels, range(2))[0].things
    assert not built(published, score=0.999)(FRAMES, labels, range(2))[0].things


def test_weights_of_the_other_architecture_and_files_of_something_else_are_refused_in_a_sentence(published, tmp_path):
    with pytest.raises(InputError, match=r"instances.options.weights: .*published.pth does not fit MaskRCNN"):
        built(published, architecture="maskrcnn_resnet50_fpn_v2")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(InputError, match=r"instances.options.weights: .*text.pth is no file of weights"):
        built(tmp_path / "text.pth")
    with pytest.raises(InputError, match=r"instances.options.weights: nowhere.pth is no file"):
        built(Path("nowhere.pth"))


def test_a_palette_of_other_things_is_refused_before_weights_are_read():
    moon = palettes.Palette("moon", (palettes.Class(1, "rover", (1, 1, 1), True, False),), ())
    with pytest.raises(InputError, match="the network knows none of palette moon's things"):
        built(Path("nowhere.pth"), palette=moon)
