"""The adapter of DensePose against the real library, with random weights: what is under test is what happens to its output."""

import pickle
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from pipeline.errors import InputError
from tests.pipeline.extractors.stand_ins import densepose_weights

pytestmark = [
    pytest.mark.detectron2,
    pytest.mark.skipif(find_spec("densepose") is None, reason="detectron2 and DensePose are not installed: DensePose itself is not run"),
]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return densepose_weights(tmp_path_factory.mktemp("densepose"))


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 64, 3)).astype(np.uint8)


def test_people_are_those_of_the_librarys_own_predictor(weights):
    """Their parts, U and V, box by box; the predictor is told the same sizes."""
    from densepose.vis.extractor import DensePoseResultExtractor
    from detectron2.engine import DefaultPredictor

    from pipeline.extractors.pose import densepose

    cfg = densepose.configuration("R_50_FPN_s1x", 0.504, "cpu")
    cfg.MODEL.WEIGHTS = str(weights)
    cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST = 64, 106
    found = DefaultPredictor(cfg)(np.ascontiguousarray(picture()[..., ::-1]))["instances"]
    results, _ = DensePoseResultExtractor()(found)
    (people,) = densepose.build(str(weights), "cpu", min_score=0.504, shortest_side=64).find(picture()[None], range(1))
    assert len(people) == len(results) > 0
    for person, result, box in zip(people, results, found.pred_boxes.tensor, strict=True):
        assert (person.surface.left, person.surface.top) == (int(box[0]), int(box[1]))
        labels = result.labels.numpy()
        np.testing.assert_array_equal(person.surface.iuv[..., 0], labels)
        for channel, values in enumerate(result.uv.clamp(0, 1).numpy(), start=1):
            np.testing.assert_allclose(person.surface.iuv[..., channel], np.floor(values * 255) * (labels > 0), atol=1)
    assert [person.score for person in people] == found.scores.tolist()


def test_a_pickle_of_arrays_gives_the_same_people_and_one_that_runs_code_is_refused(weights, tmp_path):
    from pipeline.extractors.pose import densepose

    arrays = {name: weight.numpy() for name, weight in torch.load(weights)["model"].items()}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"model": arrays, "__author__": "somebody"}))
    found = [densepose.build(str(path), "cpu", min_score=0.504, shortest_side=64) for path in (weights, tmp_path / "a.pkl")]
    one, other = (poses.find(picture()[None], range(1))[0] for poses in found)
    assert len(one) == len(other)
    np.testing.assert_array_equal(one[0].surface.iuv, other[0].surface.iuv)
    (tmp_path / "b.pkl").write_bytes(pickle.dumps({"model": print}))
    with pytest.raises(InputError, match="is no file of weights .*print, which weights do not need"):
        densepose.build(str(tmp_path / "b.pkl"), "cpu")


def test_weights_of_another_network_are_refused_by_the_first_name_that_differs(weights):
    from pipeline.extractors.pose import densepose

    with pytest.raises(InputError, match=r"pose.options.weights: .* does not fit R_101_FPN_s1x: it has no backbone.bottom_up.res4.6"):
        densepose.build(str(weights), "cpu", network="R_101_FPN_s1x")


def test_weights_of_the_deeper_network_are_refused_and_not_cut(tmp_path):
    from detectron2.modeling import build_model

    from pipeline.extractors.pose import densepose

    deep = build_model(densepose.configuration("R_101_FPN_s1x", 0.7, "cpu")).state_dict()
    torch.save({"model": {name: torch.zeros(()).expand(weight.shape) for name, weight in deep.items()}}, tmp_path / "deep.pth")
    with pytest.raises(InputError, match=r"does not fit R_50_FPN_s1x: it has backbone.bottom_up.res4.6.* which the network has not"):
        densepose.build(str(tmp_path / "deep.pth"), "cpu", network="R_50_FPN_s1x")
