import numpy as np
import pytest
import torch
import torchvision

from pipeline import arrays, extractors, layout, params
from pipeline.deeplabv3 import Segmenter
from pipeline.errors import InputError
from pipeline.palettes import Class, Palette
from pipeline.segmentation import run_clip
from pipeline.tiles import Tiles

GAPPED = Palette("gapped", (Class(1, "sky", (0, 0, 9), False, False), Class(7, "road", (9, 0, 0), False, False)), (0,))
PARAMS = params.Segmentation(backend="deeplabv3", options={}, weights_from="toy", batch_size=2)


@pytest.fixture
def model(tmp_path):
    """An untrained one: its labels are arbitrary, but always the same."""
    torch.manual_seed(0)
    folder = tmp_path / "model"
    folder.mkdir()
    Segmenter.untrained("deeplabv3_mobilenet_v3_large", GAPPED, 2.0, "cpu").save(layout.segmentation_checkpoint(folder))
    return folder


@pytest.fixture
def clip(tmp_path):
    """Five frames of an odd size, labels on the first and the third alone."""
    folder, random = tmp_path / "clip", np.random.default_rng(0)
    folder.mkdir()
    with arrays.writing(layout.arrays(folder, "frames"), {}) as writer:
        for _ in range(5):
            writer.append("rgb", random.integers(0, 256, (33, 47, 3)).astype(np.uint8))
    with arrays.writing(layout.arrays(folder, "segmentation"), {"palette": GAPPED.as_attributes(), "labelled_frames": [0, 2]}) as writer:
        for t in range(5):
            writer.append("label", np.full((33, 47), 7 if t in (0, 2) else 255, np.uint8))
    return folder


def made(clip, model, p):
    out = clip.parent / f"out-{p.backend}-{p.batch_size}"
    out.mkdir(exist_ok=True)
    run_clip(clip, model, out, p, {"key": "k"}, "cpu")
    return arrays.reading(layout.arrays(out, "segmentation"))


def test_every_frame_gets_labels_of_the_models_palette_whatever_the_batch_size(clip, model):
    by_two, by_five = (made(clip, model, PARAMS.model_copy(update={"batch_size": size})) for size in (2, 5))
    assert by_two["label"].shape == (5, 33, 47)
    assert by_two["label"].dtype == np.uint8
    assert set(np.unique(by_two["label"][0:5])) <= {1, 7}
    assert by_two.attributes == {"key": "k", "palette": made(clip, model, PARAMS).attributes["palette"]}
    assert by_two.attributes["palette"]["name"] == "gapped"
    assert (by_two["label"][0:5] == by_five["label"][0:5]).mean() > 0.999  # other batches round otherwise


@pytest.mark.parametrize(("tile", "overlap", "equal"), [(672, 448, True), (64, 16, False)])
def test_tiles_of_a_resnet_give_the_labels_of_the_whole_where_the_overlap_covers_what_it_sees(tmp_path, tile, overlap, equal):
    """The backbone sees 213 pixels around, the head all of the picture. MobileNetV3 pools over what it sees: never equal, but near."""
    torch.manual_seed(0)
    segmenter = Segmenter.untrained("deeplabv3_resnet50", GAPPED, 1.0, "cpu")
    for module in segmenter.network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.weight, 1.0, 0.2)  # of other sizes, so that the middle of the picture is no sum of noise
    segmenter.network.eval()
    rgb = np.random.default_rng(0).integers(0, 256, (1, 33, 1000, 3)).astype(np.uint8)
    with torch.no_grad():
        whole, parts = segmenter._scores(rgb, None), segmenter._scores(rgb, Tiles(tile, overlap))
    assert whole.shape == parts.shape
    apart = float((whole - parts).abs().max() / whole.std())
    assert (apart < 1e-3) == equal
    if equal:
        assert (segmenter.predict(rgb) == segmenter.predict(rgb, Tiles(tile, overlap))).mean() > 0.999


def test_the_stages_backbone_sees_tiles_where_options_say_so(clip, model, monkeypatch):
    """Frames of 47x33 pixels, enlarged to 94x66."""
    backbone, sizes = Segmenter._backbone, set()

    def looked_at(self, image):
        sizes.add(tuple(image.shape[-2:]))
        return backbone(self, image)

    monkeypatch.setattr(Segmenter, "_backbone", looked_at)
    labels = {}
    for side, expected in ((None, {(66, 94)}), (96, {(66, 94)}), (64, {(64, 64), (64, 62), (50, 64), (50, 62)})):
        sizes.clear()
        labels[side] = made(clip, model, PARAMS.model_copy(update={"options": {"tile": side, "overlap": 16}}))["label"][0:5]
        assert sizes == expected, side
    np.testing.assert_array_equal(labels[96], labels[None])
    for side, overlap in ((64, 40), (16, 0)):
        with pytest.raises(InputError, match=rf"tile is {side} and overlap {overlap}: tile must be 32 pixels more"):
            made(clip, model, PARAMS.model_copy(update={"options": {"tile": side, "overlap": overlap}}))


def test_the_precision_of_the_options_is_the_networks(clip, model, monkeypatch):
    seen = []
    monkeypatch.setattr(
        Segmenter, "_scores", lambda self, rgb, within: seen.append(torch.is_autocast_enabled("cpu")) or torch.zeros(1, 2, 3, 4)
    )
    frames = np.zeros((1, 33, 47, 3), np.uint8)
    for precision in ("float32", "bfloat16"):
        labels = extractors.load(PARAMS.model_copy(update={"options": {"precision": precision}}), clips=clip, model=model, device="cpu")
        labels(frames, range(1))
    assert seen == [False, True]


def test_labels_are_the_best_of_the_scores_enlarged_to_the_frame(model):
    """Against torchvision's own forward: where a frame is not enlarged, both are the same network."""
    torch.manual_seed(2)
    segmenter = Segmenter.untrained("deeplabv3_mobilenet_v3_large", GAPPED, 1.0, "cpu")
    segmenter.network.eval()
    rgb = np.random.default_rng(0).integers(0, 256, (3, 40, 56, 3)).astype(np.uint8)
    image = torchvision.transforms.functional.normalize(
        torch.from_numpy(rgb).permute(0, 3, 1, 2) / 255, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]
    )
    with torch.no_grad():
        expected = segmenter.network(image)["out"]
    assert (segmenter.predict(rgb) == np.array([1, 7])[expected.argmax(dim=1).numpy()]).mean() > 0.999
    torch.testing.assert_close(segmenter.logits(rgb), expected, rtol=1e-3, atol=1e-3)


def test_equal_input_gives_equal_bytes(clip, model):
    first = layout.arrays(clip.parent / "out-deeplabv3-2", "segmentation")
    made(clip, model, PARAMS)
    before = first.read_bytes()
    made(clip, model, PARAMS)
    assert first.read_bytes() == before


def test_true_labels_are_taken_only_where_every_frame_has_them(clip, model):
    given = PARAMS.model_copy(update={"backend": "given"})
    with pytest.raises(InputError, match=r"but frame 1 has no label \(3 have none\)"):
        made(clip, model, given)
    about = {"palette": GAPPED.as_attributes(), "labelled_frames": [0, 1, 2, 3, 4]}
    with arrays.writing(layout.arrays(clip, "segmentation"), about) as writer:
        for t in range(5):
            writer.append("label", np.full((33, 47), 1 + 6 * (t % 2), np.uint8))
    np.testing.assert_array_equal(made(clip, model, given)["label"][0:5][:, 0, 0], [1, 7, 1, 7, 1])


def test_a_missing_model_or_truth_is_refused_in_a_sentence(clip, model, tmp_path):
    with pytest.raises(InputError, match=r"holds no trained model: segmentation.weights_from must name"):
        made(clip, tmp_path, PARAMS)
    layout.arrays(clip, "segmentation").unlink()
    with pytest.raises(InputError, match=r"its source has no labels"):
        made(clip, model, PARAMS.model_copy(update={"backend": "given"}))
    with pytest.raises(InputError, match=r"segmentation.backend is 'deeplab': there are deeplabv3, given"):
        made(clip, model, PARAMS.model_copy(update={"backend": "deeplab"}))


def test_what_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"nothing")
    for wrong in (path, tmp_path / "absent.safetensors"):
        with pytest.raises(InputError, match=r"is no DeepLabV3 checkpoint"):
            Segmenter.load(wrong, "cpu")


def test_a_checkpoint_gives_the_same_network_again_and_the_same_bytes(tmp_path):
    torch.manual_seed(1)
    segmenter = Segmenter.untrained("deeplabv3_mobilenet_v3_large", GAPPED, 1.5, "cpu")
    segmenter.network.eval()
    segmenter.save(tmp_path / "first")
    again = Segmenter.load(tmp_path / "first", "cpu")
    again.save(tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    assert (again.palette, again.enlarge) == (GAPPED, 1.5)
    rgb = np.random.default_rng(0).integers(0, 256, (1, 32, 48, 3)).astype(np.uint8)
    np.testing.assert_array_equal(again.predict(rgb), segmenter.predict(rgb))
