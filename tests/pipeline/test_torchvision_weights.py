"""Files as torchvision publishes them, with random weights of its own architectures."""

import pytest
import torch
import torchvision
from torchvision.models import segmentation

from pipeline import torchvision_weights
from pipeline.deeplabv3 import Segmenter
from pipeline.errors import InputError
from pipeline.segmentation_model import run
from tests.pipeline.test_segmentation_model import PALETTE, PARAMS, toy  # noqa: F401

MOBILE, RESNET = "deeplabv3_mobilenet_v3_large", "deeplabv3_resnet50"


def untrained(architecture=MOBILE):
    return Segmenter.untrained(architecture, PALETTE, 1.0, "cpu")


def written(folder, network, changes=lambda state: state):
    torch.save(changes(network.state_dict()), folder / "weights.pth")
    return folder / "weights.pth"


def load(segmenter, path):
    torchvision_weights.load(segmenter, path, "its-name")
    return segmenter.network.state_dict()


@pytest.mark.parametrize(("architecture", "classifier"), [(MOBILE, "mobilenet_v3_large"), (RESNET, "resnet50")])
def test_a_classifiers_features_become_the_backbones(tmp_path, architecture, classifier):
    """Compared as torchvision itself makes a DeepLabV3 from a classifier: the two see the same in a picture."""
    torch.manual_seed(0)
    source = getattr(torchvision.models, classifier)(weights=None)
    path = written(tmp_path, source, lambda state: {key: value for key, value in state.items() if "num_batches" not in key})  # as old files
    segmenter = untrained(architecture)
    head = segmenter.network.classifier[0].project[0].weight.clone()
    load(segmenter, path)
    image = torch.rand(1, 3, 32, 32)
    early = source.features[:4] if architecture == MOBILE else torch.nn.Sequential(source.conv1, source.bn1, source.relu, source.maxpool)
    ours = segmenter.network.backbone
    mine = list(ours.children())[:4]
    source.eval(), ours.eval()
    torch.testing.assert_close(torch.nn.Sequential(*mine)(image), early(image))
    parameters = [value for key, value in source.state_dict().items() if not key.startswith(("classifier.", "fc."))]
    assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), parameters, strict=True))
    assert torch.equal(segmenter.network.classifier[0].project[0].weight, head)


def test_a_whole_network_is_taken_but_for_its_last_layer_where_the_classes_are_others(tmp_path):
    """As the COCO files: 21 classes and an auxiliary head."""
    torch.manual_seed(0)
    coco = getattr(segmentation, MOBILE)(weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
    segmenter = untrained()
    last = segmenter.network.classifier[4].weight.clone()
    found = load(segmenter, written(tmp_path, coco))
    theirs = coco.state_dict()
    assert all(torch.equal(value, theirs[key]) for key, value in found.items() if not key.startswith("classifier.4."))
    assert torch.equal(found["classifier.4.weight"], last)


def test_a_whole_network_of_as_many_classes_is_taken_whole(tmp_path):
    torch.manual_seed(1)
    other = getattr(segmentation, MOBILE)(weights=None, weights_backbone=None, num_classes=3, aux_loss=False)
    found = load(untrained(), written(tmp_path, other))
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in found.items())


def test_what_does_not_fit_is_refused_in_a_sentence(tmp_path):
    deeper = written(tmp_path, torchvision.models.resnet101(weights=None))
    with pytest.raises(
        InputError, match=r"^segmentation_model.backbone_weights: its-name is not of deeplabv3_resnet50 .*\(it has backbone."
    ):
        load(untrained(RESNET), deeper)
    with pytest.raises(InputError, match=r"is not of deeplabv3_mobilenet_v3_large or its backbone \(backbone.0.0.weight is missing\)"):
        load(untrained(), deeper)
    mobile = torchvision.models.mobilenet_v3_large(weights=None)
    narrow = written(tmp_path, mobile, lambda state: {**state, "features.0.0.weight": torch.zeros(8, 3, 3, 3)})
    with pytest.raises(InputError, match=r"backbone.0.0.weight has the shape \(8, 3, 3, 3\), not \(16, 3, 3, 3\)"):
        load(untrained(), narrow)
    (tmp_path / "weights.pth").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"is no file of weights"):
        load(untrained(), tmp_path / "weights.pth")


def test_a_training_begins_with_the_weights_that_params_name(toy, tmp_path, monkeypatch):  # noqa: F811
    path = written(tmp_path, torchvision.models.mobilenet_v3_large(weights=None))
    wanted = torch.load(path, weights_only=True)["features.0.0.weight"]

    def look(segmenter, frames, work, p):
        assert torch.equal(segmenter.network.backbone["0"][0].weight, wanted)
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.segmentation_model.train", look)
    p = PARAMS.model_copy(update={"backbone_weights": str(path)})
    with pytest.raises(KeyboardInterrupt):
        run(toy, tmp_path, tmp_path, p, "toy", True, "cpu")
