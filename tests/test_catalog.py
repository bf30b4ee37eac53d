"""The catalog's entries say what the paper and its reference implementation chose (arXiv:1808.06601; NVIDIA/vid2vid)."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline import params, weights
from pipeline.params_file import Params, check
from tests.conftest import REPOSITORY

PAPER = ("cityscapes", "apolloscape", "faceforensics", "dance")


@pytest.fixture(scope="module")
def catalog() -> Params:
    """The catalog as if all of it had been added."""
    yaml, text = YAML(), StringIO()
    values = yaml.load(REPOSITORY / "params.yaml")
    values["datasets"] = values.pop("catalog")
    yaml.dump(values, text)
    return check(text.getvalue(), Path("params.yaml"))


def entry(catalog: Params, name: str) -> dict[str, Any]:
    """Its sections with what it does not change, as plain values."""
    return {section: catalog.section(cls, name).model_dump() for section, cls in params.SECTIONS.items()}


def test_the_papers_four_data_sets_and_peoples_own_are_there(catalog):
    assert set(PAPER) < set(catalog.datasets())
    assert {catalog.source(name).kind for name in catalog.datasets()} == set(params.SOURCES) - {"sample_street"}


@pytest.mark.parametrize("name", PAPER)
def test_flow_is_flownet2s_and_losses_are_the_papers(catalog, name):
    found = entry(catalog, name)
    assert found["optical_flow"]["backend"] == "ptlflow"
    assert found["optical_flow"]["options"] == {"model": "flownet2", "weights": "ptlflow-flownet2-things"}
    weights = found["train"]["weights"]
    named = (
        "image_feature_matching",
        "video_feature_matching",
        "perceptual",
        "optical_flow",
        "flow_warp",
        "temporal_warp",
        "reconstruction",
    )
    assert [weights[term] for term in named] == [10, 10, 10, 10, 10, 10, 0]
    assert found["train"]["vgg_weights"] == "torchvision-vgg19-imagenet1k_v1"
    assert (found["train"]["generator"]["width"], found["train"]["generator"]["past_frames"]) == (128, 2)
    assert (found["train"]["image_discriminator"]["width"], found["train"]["video_discriminator"]["width"]) == (64, 64)


@pytest.mark.parametrize(
    ("name", "size", "strides", "scales", "image_scales"),
    [
        ("cityscapes", (2048, 1024), [1, 3, 9], 3, 4),
        ("apolloscape", (1024, 512), [1, 3, 9], 2, 3),
        ("faceforensics", (512, 512), [1, 3, 9], 1, 3),
        ("dance", (512, 720), [1, 3, 9, 27], 2, 3),
    ],
)
def test_sizes_strides_and_scales(catalog, name, size, strides, scales, image_scales):
    found = entry(catalog, name)
    assert (found["clips"]["width"], found["clips"]["height"]) == size
    assert found["optical_flow"]["strides"] == strides
    assert (found["train"]["generator"]["scales"], found["train"]["image_discriminator"]["scales"]) == (scales, image_scales)


def test_streets_are_labelled_by_a_deeplabv3_of_their_own(catalog):
    for name in ("cityscapes", "apolloscape"):
        found = entry(catalog, name)
        assert (found["segmentation"]["backend"], found["segmentation"]["weights_from"]) == ("deeplabv3", name)
        model = found["segmentation_model"]
        assert (model["architecture"], model["backbone_weights"]) == ("deeplabv3_resnet101", "torchvision-resnet101-imagenet1k_v1")
        assert (model["learning_rate"], model["power"], model["steps"], model["scale_range"]) == (0.007, 0.9, 90000, [0.5, 2.0])
        assert model["crop"] == {"cityscapes": [769, 769], "apolloscape": [769, 513]}[name]
        assert found["clips"]["frames"] == 30
        assert found["train"]["generator"]["foreground"]


@pytest.mark.parametrize(("name", "classes"), [("cityscapes", "Cityscapes/"), ("apolloscape", "COCO-InstanceSegmentation/")])
def test_things_on_streets_are_told_apart_by_mask_r_cnn(catalog, name, classes):
    found = entry(catalog, name)["instances"]
    assert found["backend"] == "detectron2_maskrcnn"
    assert found["options"]["config"].startswith(f"{classes}mask_rcnn_R_50_FPN")
    assert weights.named(found["options"]["weights"]).used_by == "instances.options.weights (detectron2_maskrcnn)"


def test_cityscapes_is_trained_scale_by_scale_for_as_many_steps_as_the_reference_has_clips_in_its_epochs(catalog):
    train = catalog.section(params.Train, "cityscapes")
    steps = {scales: sum(phase.steps for phase in train.phases() if phase.scales == scales) for scales in (1, 2, 3)}
    assert steps == {1: 20 * 2975, 2: 20 * 2975, 3: 10 * 2975}
    assert {phase.scales: phase.learning_rate for phase in train.phases()} == {1: 2e-4, 2: 1e-4, 3: 5e-5}
    assert [phase.only_finest for phase in train.phases()] == [False, True, False, True, False]
    assert train.generator.model_dump() == {
        **{"width": 128, "downsamplings": 3, "blocks": 9, "fine_blocks": 3, "scales": 3, "past_frames": 2},
        **{"norm": "instance", "foreground": True, "warping": True, "blend": "foreground_last", "mask": "soft"},
    }


@pytest.mark.parametrize("name", PAPER)
def test_video_discriminators_see_three_frame_rates_whose_flow_is_stored(catalog, name):
    found = entry(catalog, name)
    assert found["train"]["video_discriminator"]["strides"] == [1, 3, 9]
    wanted = {spacing * stride for spacing in found["train"]["augmentation"]["spacing"] for stride in (1, 3, 9)}
    assert wanted <= set(found["optical_flow"]["strides"])


def test_dancers_are_shown_in_the_middle_of_their_videos(catalog):
    assert entry(catalog, "dance")["clips"]["crop"] == [512, 720]
    assert entry(catalog, "dance")["train"]["learning_rate"] == 1e-4
    assert entry(catalog, "dance")["pose"]["backend"] == "densepose_and_openpose"


def test_a_dancers_face_has_a_discriminator_of_its_own_that_counts_twice(catalog):
    found = entry(catalog, "dance")["train"]
    assert found["face_discriminator"] == {"width": 64, "layers": 3, "scales": 1, "side": 1 / 4}
    for name in ("gan", "feature_matching", "real", "fake"):
        assert found["weights"][f"face_{name}"] == 2 * found["weights"][f"image_{name}"]
    others = set(catalog.datasets()) - {"dance"}
    assert all(entry(catalog, name)["train"]["face_discriminator"] is None for name in others)


def test_faces_are_shown_in_two_and_a_half_times_their_width(catalog):
    source = catalog.source("faceforensics")
    assert isinstance(source, params.FaceForensics)
    assert source.face_enlarge == 2.5
    assert not entry(catalog, "faceforensics")["train"]["generator"]["foreground"]


def test_faces_are_sketched_from_landmarks_and_cut_where_there_is_none(catalog):
    found = entry(catalog, "faceforensics")["edges"]
    assert (found["backend"], found["missing"]) == ("face_sketch", "cut")
    assert set(found["options"].values()) <= set(weights.table())


@pytest.mark.parametrize(("name", "maps"), [("paired_faces", ("edges", "face_sketch_given")), ("paired_poses", ("pose", "given"))])
def test_folders_for_vid2vid_with_faces_or_poses_have_no_other_maps_and_nothing_that_labels_alone_can_say(catalog, name, maps):
    found = entry(catalog, name)
    backends = {section: values["backend"] for section, values in found.items() if values.get("backend") and section != "optical_flow"}
    assert backends == dict([maps])
    assert not found["train"]["generator"]["foreground"]
    assert found["segmentation"]["weights_from"] == name
    source = catalog.source(name)
    assert isinstance(source, params.Paired)
    assert source.palette is None
