"""Against the real library, on random weights of the real architecture: where it is installed."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

detectron2 = pytest.importorskip(
    "detectron2", reason="detectron2 is not installed (docs/models.md says how): make test-detectron2 runs this"
)

from detectron2.config import get_cfg  # noqa: E402
from detectron2.data import MetadataCatalog  # noqa: E402
from detectron2.engine import DefaultPredictor  # noqa: E402
from detectron2.modeling import build_model  # noqa: E402

from pipeline import arrays, instances, layout, masks, palettes, params  # noqa: E402
from pipeline.errors import InputError  # noqa: E402
from pipeline.extractors.instances import detectron2_maskrcnn  # noqa: E402
from pipeline.weights import version_of  # noqa: E402

pytestmark = pytest.mark.detectron2

PALETTE = palettes.load("cityscapes_train")
ROAD, PERSON, CAR = 0, 11, 13
COCO, CITYSCAPES = "COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml", "Cityscapes/mask_rcnn_R_50_FPN.yaml"
CAR_CLASS = 2
"""Its number among the classes of either."""
FRAMES = np.random.default_rng(0).integers(0, 256, (3, 33, 47, 3)).astype(np.uint8)


@pytest.fixture(scope="module", params=[COCO, CITYSCAPES], ids=["coco", "cityscapes"])
def network(request, tmp_path_factory) -> tuple[str, str]:
    """Name of a configuration, and path of random weights with which every proposal is a car that fills its box."""
    folder = tmp_path_factory.mktemp("weights")
    model = build_model(settings(request.param))
    with torch.no_grad():
        for parameter in model.backbone.parameters():
            parameter *= 0.5  # features of random layers are huge
        for last in (model.roi_heads.box_predictor.cls_score, model.roi_heads.mask_head.predictor):
            last.weight *= 0.1
            last.bias[CAR_CLASS] += 6
    torch.save({"model": model.state_dict()}, folder / "weights.pth")
    return request.param, str(folder / "weights.pth")


def settings(config: str):
    """For small images."""
    found = get_cfg()
    found.merge_from_file(str(detectron2_maskrcnn.CONFIGS / config))
    found.INPUT.MIN_SIZE_TEST, found.INPUT.MAX_SIZE_TEST = 64, {COCO: 106, CITYSCAPES: 128}[config]
    found.MODEL.WEIGHTS, found.MODEL.DEVICE = "", "cpu"
    torch.manual_seed(0)
    return found


def built(network, palette=PALETTE, score=0.0, rest="none"):
    options = {"config": network[0], "weights": network[1], "score": score, "shortest_side": 64, "margin": 0, "rest": rest}
    return detectron2_maskrcnn.build(palette, 4, "cpu", **options)


def loaded(config: str, weights: Path | str) -> detectron2_maskrcnn.Network:
    return detectron2_maskrcnn._loaded(config, Path(weights), version_of(Path(weights)), 0.0, 64, "cpu")


def test_masks_are_those_of_detectron2s_own_predictor(network):
    config = settings(network[0])
    config.MODEL.WEIGHTS, config.MODEL.ROI_HEADS.SCORE_THRESH_TEST = network[1], 0.0
    theirs = DefaultPredictor(config)(FRAMES[0][..., ::-1])["instances"]
    ours = loaded(*network).masks(FRAMES[:1])[0]
    assert len(ours) == len(theirs) > 3
    for mask, pixels, score in zip(ours, theirs.pred_masks.numpy(), theirs.scores.tolist(), strict=True):
        np.testing.assert_array_equal(mask.pixels, pixels)
        assert mask.score == pytest.approx(score, abs=1e-5)
    assert ours[0].name == "car"


def test_each_frame_of_a_batch_is_treated_alone(network):
    together = loaded(*network).masks(FRAMES[:2])
    alone = loaded(*network).masks(FRAMES[1:2])
    assert [mask.name for mask in together[1]] == [mask.name for mask in alone[0]]
    np.testing.assert_allclose([mask.score for mask in together[1]], [mask.score for mask in alone[0]], atol=1e-4)


@pytest.mark.parametrize("length", [1, 3])
def test_the_stage_finds_its_cars_the_same_ones_each_time_and_none_where_no_label_is(network, tmp_path, length):
    labels = [np.full((33, 47), ROAD, np.uint8) for _ in range(length)]
    labels[0][5:25, 5:40] = CAR
    files = {"frames": ("rgb", FRAMES[:length]), "segmentation": ("label", labels)}
    files["optical_flow"] = ("optical_flow_1", [np.zeros((33, 47, 2), np.float16)] * length)
    about = {"frames": {}, "segmentation": {"palette": PALETTE.as_attributes()}, "optical_flow": {"strides": [1]}}
    for modality, (name, values) in files.items():
        with arrays.writing(layout.arrays(tmp_path, modality), about[modality]) as writer:
            for value in values:
                writer.append(name, value)
    options = {"config": network[0], "weights": network[1], "score": 0.0, "margin": 2, "rest": "none", "shortest_side": 64}
    p = params.Instances(backend="detectron2_maskrcnn", options=options, min_pixels=4, min_overlap=0.3, memory_frames=0, batch_size=2)
    for out in ("first", "second"):
        (tmp_path / out).mkdir()
        instances.run_clip(tmp_path, tmp_path, tmp_path, tmp_path / out, p, {}, "cpu")
    first, second = (layout.arrays(tmp_path / out, "instances") for out in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    result = arrays.reading(first)
    assert result["instance"].shape == (length, 33, 47)
    assert (labels[0][result["instance"][0] > 0] == CAR).all() and result["instance"][0].any()
    assert not result["instance"][1:length].any()
    assert {thing["class"] for thing in result.attributes["objects"].values()} == {CAR}


def test_a_score_that_nothing_reaches_leaves_no_objects_or_the_components(network):
    labels = np.full((1, 33, 47), CAR, np.uint8)
    assert not built(network, score=1.0)(FRAMES[:1], labels, range(1))[0].things
    assert len(built(network, score=1.0, rest="components")(FRAMES[:1], labels, range(1))[0].things) == 1


def test_published_pickles_are_read_like_files_of_torch(network, tmp_path):
    state = {name: weight.numpy() for name, weight in torch.load(network[1])["model"].items()}
    (tmp_path / "weights.pkl").write_bytes(pickle.dumps({"model": state, "__author__": "somebody"}))
    expected, found = (loaded(network[0], path) for path in (network[1], tmp_path / "weights.pkl"))
    for name, weight in expected.model.state_dict().items():
        torch.testing.assert_close(found.model.state_dict()[name], weight)


def test_weights_that_lack_a_part_are_refused_and_not_left_at_random(network, tmp_path):
    state = torch.load(network[1])["model"]
    torch.save({"model": {name: weight for name, weight in state.items() if "mask_head" not in name}}, tmp_path / "boxes.pth")
    with pytest.raises(InputError, match=r"options.weights: .*boxes.pth does not fit .*yaml: it has no roi_heads.mask_head"):
        built((network[0], str(tmp_path / "boxes.pth")))
    (tmp_path / "text.pkl").write_text("no weights")
    with pytest.raises(InputError, match=r"options.weights: .*text.pkl is no file of weights"):
        built((network[0], str(tmp_path / "text.pkl")))


def test_weights_of_other_classes_are_refused(network, tmp_path):
    other = CITYSCAPES if MetadataCatalog.get("coco_2017_val").thing_classes == loaded(*network).names else COCO
    with pytest.raises(InputError, match=r"does not fit .*: it has no roi_heads.box_predictor"):
        built((other, network[1]))


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("mask_rcnn.yaml", "detectron2's model zoo has no 'mask_rcnn.yaml'; near are "),
        (str(detectron2_maskrcnn.CONFIGS / COCO), "detectron2's model zoo has no "),
        (f"COCO-Detection/../{COCO}", "detectron2's model zoo has no "),
        ("COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml", "COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml draws no masks"),
    ],
)
def test_configurations_that_do_not_serve_are_refused_in_a_sentence(network, config, sentence):
    with pytest.raises(InputError, match=f"instances.options.config: {sentence}"):
        built((config, network[1]))


def test_a_configuration_of_unknown_classes_is_refused_and_one_with_code_is_not_run(network, tmp_path, monkeypatch, capfd):
    (tmp_path / "own.yaml").write_text(f'_BASE_: "{detectron2_maskrcnn.CONFIGS / network[0]}"\nDATASETS: {{TEST: ["my_own"]}}\n')
    (tmp_path / "code.yaml").write_text('VERSION: !!python/object/apply:print ["it ran"]\n')
    monkeypatch.setattr(detectron2_maskrcnn, "CONFIGS", tmp_path)
    with pytest.raises(InputError, match=r"own.yaml names no DATASETS.TEST whose classes detectron2 knows \(my_own\)"):
        built(("own.yaml", network[1]))
    with pytest.raises(InputError, match=r"instances.options.config: code.yaml is no plain configuration"):
        built(("code.yaml", network[1]))
    assert "it ran" not in capfd.readouterr().out


def test_frames_are_seen_in_the_size_of_the_configuration_or_in_proportion():
    def sides(shortest):
        sizes = detectron2_maskrcnn._settings(CITYSCAPES, shortest).INPUT
        return sizes.MIN_SIZE_TEST, sizes.MAX_SIZE_TEST

    assert sides(None) == (1024, 2048)
    assert sides(64) == (64, 128)


def test_a_palette_of_other_things_is_refused(network):
    moon = palettes.Palette("moon", (palettes.Class(1, "rover", (1, 1, 1), True, False),), ())
    with pytest.raises(InputError, match="the network knows none of palette moon's things"):
        built(network, palette=moon)


def test_the_written_table_has_every_class_of_both_data_sets():
    classes = {name for data in ("coco_2017_val", "cityscapes_fine_instance_seg_val") for name in MetadataCatalog.get(data).thing_classes}
    assert classes == set(masks.names())
