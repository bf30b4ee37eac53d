import weakref
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch

from models.warp import warp
from pipeline import arrays, extractors, layout, params
from pipeline.errors import InputError
from pipeline.extractors.optical_flow import Measure, opencv_dis, ptlflow, torchvision_raft
from pipeline.optical_flow import at_size, confidence, measured, run_clip, sampled, scaled, stored
from pipeline.optical_flow_network import padded
from pipeline.weights import version_of

PARAMS = params.OpticalFlow(
    backend="opencv_dis",
    options={"preset": "medium"},
    strides=[1, 3],
    batch_size=4,
    scale=1.0,
    rounding=0.0625,
    photometric=0.02,
    forward_backward=1.0,
)
JUDGE = {"photometric": 0.02, "forward_backward": 1.0}


def texture(height=64, width=96, seed=0):
    """Smooth noise: something to hold on to everywhere."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2.0) // 2 + np.uint8(60)


def panning(num_frames, step):
    """A camera that sees a wide texture from `step` (x, y) pixels further on in each frame: flow to t-k is +k * step."""
    wide = texture(128, 192)
    return [wide[20 + step[1] * t :, 20 + step[0] * t :][:64, :96].copy() for t in range(num_frames)]


def made(folder, frames, p=PARAMS):
    with arrays.writing(layout.arrays(folder, "frames"), {}) as writer:
        for frame in frames:
            writer.append("rgb", frame)
    out = folder / "out"
    out.mkdir(exist_ok=True)
    run_clip(folder, out, p, {"key": "k"}, "cpu")
    return arrays.reading(layout.arrays(out, "optical_flow"))


def read_flo(path):
    """Middlebury's format; unknown flow is 1e9 and more."""
    data = path.read_bytes()
    width, height = np.frombuffer(data, "<i4", 2, 4)
    return np.frombuffer(data, "<f4", width * height * 2, 12).reshape(height, width, 2)


def read_rgb(path):
    return np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])


def end_point_error(measure, first, second, truth):
    known = (np.abs(truth) < 1e9).all(axis=-1)
    distance = np.linalg.norm(measure(first[None], second[None])[0] - truth, axis=-1)
    return float(distance[known].mean()), float(np.linalg.norm(truth, axis=-1)[known].mean())


def test_a_known_shift_is_recovered_at_every_stride(tmp_path):
    result = made(tmp_path, panning(5, (2, 1)))
    for k in (1, 3):
        inner = result[f"optical_flow_{k}"][4][16:-16, 16:-16].astype(np.float32)
        np.testing.assert_allclose(np.median(inner, axis=(0, 1)), [2 * k, k], atol=0.1)
        assert (result[f"confidence_{k}"][4][16:-16, 16:-16] >= 128).mean() > 0.9


def test_the_first_k_frames_have_no_flow_and_no_confidence(tmp_path):
    result = made(tmp_path, panning(5, (2, 1)))
    for k in (1, 3):
        assert result[f"optical_flow_{k}"].shape == (5, 64, 96, 2)
        assert result[f"optical_flow_{k}"].dtype == np.float16
        assert not result[f"optical_flow_{k}"][0:k].any()
        assert not result[f"confidence_{k}"][0:k].any()
        assert result[f"confidence_{k}"][k].any()
    assert result.attributes == {"key": "k", "strides": [1, 3]}


def test_stored_flow_is_in_multiples_of_the_rounding():
    optical_flow = np.random.default_rng(0).normal(0, 20, (8, 9, 2)).astype(np.float32)
    rounded = stored(optical_flow, 0.25)
    np.testing.assert_array_equal(rounded.astype(np.float32) % 0.25, 0)
    assert np.abs(rounded.astype(np.float32) - optical_flow).max() <= 0.125


def test_stored_flow_warps_the_earlier_frame_onto_the_frame_by_the_models_own_warp(tmp_path):
    frames = panning(2, (3, 1))
    result = made(tmp_path, frames)
    flow = torch.from_numpy(result["optical_flow_1"][1].astype(np.float32)).permute(2, 0, 1)[None]
    earlier, frame = (torch.from_numpy(f).permute(2, 0, 1)[None].float() for f in frames)
    trusted = torch.from_numpy(result["confidence_1"][1] >= 128)
    still = (earlier - frame).abs().mean(dim=1)[0][trusted].mean()
    assert (warp(earlier, flow) - frame).abs().mean(dim=1)[0][trusted].mean() < 0.2 * still


def test_sampling_is_the_models_warp():
    random = np.random.default_rng(3)
    image, flow = random.random((20, 30, 3)).astype(np.float32), random.integers(-80, 81, (20, 30, 2)).astype(np.float32) / 16
    position = np.stack(np.meshgrid(np.arange(30), np.arange(20)), axis=-1).astype(np.float32) + flow
    expected = warp(torch.from_numpy(image).permute(2, 0, 1)[None], torch.from_numpy(flow).permute(2, 0, 1)[None])
    np.testing.assert_allclose(sampled(image, position), expected[0].permute(1, 2, 0), atol=1e-4)


def test_confidence_is_the_references_mask_where_the_flow_leads_back():
    """Reference: sum over channels of the squared difference on [-1, 1] frames is below 0.02."""
    random = np.random.default_rng(4)
    earlier = random.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    frame = (earlier + random.normal(0, 12, earlier.shape)).clip(0, 255).astype(np.uint8)
    still = np.zeros((40, 50, 2), np.float32)
    mask = np.square((frame / 127.5 - 1) - (earlier / 127.5 - 1)).sum(axis=-1) < 0.02
    assert 0.1 < mask.mean() < 0.9
    np.testing.assert_array_equal(confidence(frame, earlier, still, still, **JUDGE) >= 128, mask)


def test_confidence_falls_with_the_distance_between_there_and_back():
    frame, there = np.zeros((4, 40, 3), np.uint8), np.zeros((4, 40, 2), np.float32)
    back = np.zeros((4, 40, 2), np.float32)
    back[..., 0] = np.arange(40) / 10
    trust = confidence(frame, frame, there, back, **JUDGE)[0].astype(int)
    assert trust[0] == 255
    assert (np.diff(trust) <= 0).all()
    np.testing.assert_array_equal(trust >= 128, np.arange(40) <= 10)


def test_flow_out_of_the_image_has_no_confidence():
    frame, back = np.zeros((10, 12, 3), np.uint8), np.zeros((10, 12, 2), np.float32)
    there = np.zeros((10, 12, 2), np.float32)
    there[..., 0] = 3
    trust = confidence(frame, frame, there, -there + back, **JUDGE)
    assert (trust[:, :9] == 255).all()
    assert (trust[:, 9:] == 0).all()


def test_what_a_moving_square_uncovers_is_not_trusted(tmp_path):
    background, square = texture(), 255 - texture(20, 20, seed=7)
    frames = [background.copy() for _ in range(2)]
    for t, frame in enumerate(frames):
        frame[20:40, 20 + 8 * t : 40 + 8 * t] = square
    trust = made(tmp_path, frames)["confidence_1"][1]
    assert (trust[22:38, 20:27] >= 128).mean() < 0.4  # uncovered
    assert (trust[24:36, 32:44] >= 128).mean() > 0.8  # the square itself
    assert (trust[:, 60:] >= 128).mean() > 0.95


def counted(pairs, prepared):
    """A back-end that finds nothing and writes down what it was asked for."""

    def prepare(rgb):
        prepared.append(int(rgb[0, 0, 0]))
        return Grey(int(rgb[0, 0, 0]), *rgb.shape[:2])

    def between(source, target):
        pairs.append([(s.t, t.t) for s, t in zip(source, target, strict=True)])
        return np.zeros((len(source), source[0].height, source[0].width, 2), np.float32)

    return Measure(prepare, between)


@dataclass(eq=False)
class Grey:
    """A prepared frame whose life can be watched."""

    t: int
    height: int
    width: int


def numbered(count):
    return (np.full((16, 16, 3), t, np.uint8) for t in range(count))


def test_a_frame_is_prepared_once_and_its_pairs_are_measured_both_ways_in_batches_of_the_set_size():
    for batch_size, batches in ((8, [4]), (3, [3, 1]), (1, [1, 1, 1, 1])):
        pairs, prepared = [], []
        list(measured(counted(pairs, prepared), numbered(6), [1, 3], PARAMS.model_copy(update={"batch_size": batch_size})))
        assert prepared == list(range(6))
        of_the_last = [batch for batch in pairs if any(5 in pair for pair in batch)]
        assert [len(batch) for batch in of_the_last] == batches
        assert [pair for batch in of_the_last for pair in batch] == [(5, 4), (4, 5), (5, 2), (2, 5)]
        assert sum(map(len, pairs)) == 2 * (5 + 3)


def test_only_as_many_prepared_frames_are_held_as_the_largest_stride_needs():
    alive: weakref.WeakSet[Grey] = weakref.WeakSet()
    measure = counted([], [])

    def prepare(rgb):
        alive.add(grey := measure.prepare(rgb))
        return grey

    most = 0
    for _ in measured(Measure(prepare, measure.between), numbered(12), [1, 3], PARAMS):
        most = max(most, len(alive))
    assert most == 3 + 1


def test_the_flow_there_is_not_taken_for_the_flow_back(tmp_path):
    """Of a batch of strides and directions: a back-end whose flow says which pair it was asked for."""

    def between(source, target):
        return np.stack([np.full((s.height, s.width, 2), s.t - t.t, np.float32) for s, t in zip(source, target, strict=True)])

    measure = Measure(counted([], []).prepare, between)
    last = list(measured(measure, numbered(5), [1, 3], PARAMS))[4]
    assert {k: (both.there[0, 0, 0], both.back[0, 0, 0]) for k, both in last.items()} == {1: (1, -1), 3: (3, -3)}


@pytest.mark.parametrize("scale", [0.5, 0.37, 1.6])
def test_flow_that_was_measured_at_another_scale_is_in_pixels_of_the_frames_odd_sizes_too(tmp_path, scale):
    wide = cv2.GaussianBlur(texture(220, 320), (0, 0), 2.0)
    frames = [np.ascontiguousarray(wide[20 + 4 * t :, 20 + 6 * t :][:131, :217]) for t in range(2)]
    result = made(tmp_path, frames, PARAMS.model_copy(update={"strides": [1], "scale": scale}))
    assert result["optical_flow_1"].shape == (2, 131, 217, 2)
    inner = result["optical_flow_1"][1][24:-24, 24:-24].astype(np.float32)
    np.testing.assert_allclose(np.median(inner, axis=(0, 1)), [6, 4], atol=0.25)


def test_each_axis_grows_by_its_own_true_ratio_where_sizes_do_not_divide():
    """A frame of 33x47 at half its size has 24 columns, not 23.5, and 16 rows, not 16.5: 1.958 and 2.0625, not 2, bring flow back."""
    assert scaled(np.zeros((33, 47, 3), np.uint8), 0.5).shape == (16, 24, 3)
    grown = at_size(np.full((16, 24, 2), 8, np.float32), 33, 47)
    np.testing.assert_allclose(grown, np.broadcast_to([8 * 47 / 24, 8 * 33 / 16], (33, 47, 2)), rtol=1e-6)


def test_what_is_scaled_keeps_sixteen_pixels_a_side(tmp_path):
    assert scaled(np.zeros((40, 200, 3), np.uint8), 0.125).shape == (16, 25, 3)
    still = made(tmp_path, [texture(16, 20)] * 2, PARAMS.model_copy(update={"strides": [1], "scale": 0.125}))
    assert np.abs(still["optical_flow_1"][1]).max() < 0.5


def test_true_flow_is_taken_as_it_is_and_a_stride_without_truth_is_refused(tmp_path):
    flow, trust = np.full((6, 8, 2), 1.5, np.float16), np.full((6, 8), 200, np.uint8)
    with arrays.writing(layout.arrays(tmp_path, "optical_flow"), {"strides": [1]}) as writer:
        for _ in range(2):
            writer.append("optical_flow_1", flow)
            writer.append("confidence_1", trust)
    p = PARAMS.model_copy(update={"backend": "given", "options": {}, "strides": [1]})
    result = made(tmp_path, [np.zeros((6, 8, 3), np.uint8)] * 2, p)
    np.testing.assert_array_equal(result["optical_flow_1"][1], flow)
    np.testing.assert_array_equal(result["confidence_1"][1], trust)
    with pytest.raises(InputError, match=r"strides asks for 3: .* has true flow of 1"):
        made(tmp_path, [np.zeros((6, 8, 3), np.uint8)] * 2, p.model_copy(update={"strides": [1, 3]}))


def test_what_is_misnamed_or_missing_is_refused_with_what_there_is(tmp_path):
    def build(**changed):
        return extractors.load(PARAMS.model_copy(update=changed), clips=tmp_path, device="cpu")

    with pytest.raises(InputError, match=r"optical_flow.backend is 'dis': there are given, opencv_dis, ptlflow, torchvision_raft"):
        build(backend="dis")
    with pytest.raises(InputError, match=r"preset is 'slow': input should be 'ultrafast', 'fast' or 'medium'"):
        build(options={"preset": "slow"})
    with pytest.raises(InputError, match=r"optical_flow.options.weights is missing"):
        build(backend="ptlflow", options={"model": "raft_small"})
    with pytest.raises(InputError, match=r"none.pth is no file"):
        build(backend="ptlflow", options={"model": "raft_small", "weights": "none.pth"})
    with pytest.raises(InputError, match=r"its source has no optical flow"):
        build(backend="given", options={})
    with pytest.raises(InputError, match=r"optical_flow.options.model is 'raft': input should be 'raft_small' or 'raft_large'"):
        build(backend="torchvision_raft", options={"model": "raft", "weights": "none.pth"})


@pytest.mark.parametrize(("preset", "whale", "chairs"), [("ultrafast", 0.6, 2.4), ("fast", 0.5, 2.1), ("medium", 0.25, 1.7)])
def test_opencv_dis_meets_the_truth_far_better_than_no_motion(shared_data, preset, whale, chairs):
    for scene, limit in (("whale", whale), ("chairs", chairs)):
        error, error_of_zero = end_point_error(opencv_dis.build(preset), *known_pair(shared_data, scene))
        assert error < limit < 0.6 * error_of_zero


def authors_weights(shared_data):
    return str(shared_data / "weights" / "raft-small.pth")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("scene", "limit"), [("whale", 0.34), ("chairs", 1.05)])
def test_raft_small_meets_the_truth_as_published(shared_data, scene, limit, precision):
    raft = torchvision_raft.build("raft_small", "cpu", authors_weights(shared_data), precision=precision)
    error, error_of_zero = end_point_error(raft, *known_pair(shared_data, scene))
    assert error < limit < error_of_zero / 3


def test_both_libraries_make_the_same_of_the_authors_weights_and_padding_leaves_the_unit_as_it_is(shared_data):
    """On a part of RubberWhale whose sides divide by nothing; ptlflow's network corrects its flow 32 times."""
    first, second, truth = (image[101:292, 203:410] for image in known_pair(shared_data, "whale"))
    weights = authors_weights(shared_data)
    one, other = ptlflow.build("raft_small", "cpu", weights), torchvision_raft.build("raft_small", "cpu", weights, updates=32)
    np.testing.assert_allclose(one(first[None], second[None]), other(first[None], second[None]), atol=1e-3)
    error, error_of_zero = end_point_error(other, first, second, truth)
    assert error < 0.4 < error_of_zero / 2


@pytest.mark.parametrize(("theirs", "ours"), [("raft_small", "raft_small"), ("raft", "raft_large")])
def test_torchvisions_raft_takes_the_files_of_both_and_gives_what_ptlflow_gives(tmp_path, theirs, ours):
    import ptlflow as collection

    torch.manual_seed(0)
    torch.save({f"module.{name}": weight for name, weight in collection.get_model(theirs).state_dict().items()}, tmp_path / "authors.pth")
    random = np.random.default_rng(0)
    source, target = random.integers(0, 256, (2, 1, 128, 136, 3)).astype(np.uint8)
    expected = ptlflow.build(theirs, "cpu", str(tmp_path / "authors.pth"))(source, target)
    raft = torchvision_raft.build(ours, "cpu", str(tmp_path / "authors.pth"), updates=32)
    np.testing.assert_allclose(raft(source, target), expected, atol=1e-3 * np.abs(expected).max())

    authors = tmp_path / "authors.pth"
    torch.save(torchvision_raft._loaded(ours, authors, version_of(authors), "cpu").state_dict(), tmp_path / "torchvisions.pth")
    again = torchvision_raft.build(ours, "cpu", str(tmp_path / "torchvisions.pth"), updates=32)
    np.testing.assert_array_equal(again(source, target), raft(source, target))


@pytest.mark.parametrize("backend", [ptlflow, torchvision_raft])
def test_a_worker_takes_the_new_network_when_the_file_is_replaced(tmp_path, backend):
    import ptlflow as collection

    file, frames = tmp_path / "raft.pth", np.random.default_rng(0).integers(0, 256, (2, 1, 128, 136, 3)).astype(np.uint8)
    flows = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        torch.save(collection.get_model("raft_small").state_dict(), tmp_path / "new.pth")
        (tmp_path / "new.pth").replace(file)
        flows.append(backend.build("raft_small", "cpu", str(file))(*frames))
    assert np.abs(flows[1] - flows[0]).max() > 0.01


def test_what_is_padded_repeats_the_border_right_and_below():
    image = torch.rand(3, 130, 100)
    large = padded(image, 64)
    assert large.shape == (3, 192, 128)
    assert torch.equal(large[:, :130, :100], image)
    assert torch.equal(large[:, 130:, :100], image[:, 129:].expand(3, 62, 100))
    assert torch.equal(large[:, :130, 100:], image[:, :, 99:].expand(3, 130, 28))


def known_pair(shared_data, scene):
    """Their truth runs from the first frame to the second: source is the first."""
    folder = shared_data / "flow_gt" / {"whale": "middlebury_rubberwhale", "chairs": "flyingchairs"}[scene]
    first, second, truth = {
        "whale": ("frame10.png", "frame11.png", "flow10.flo"),
        "chairs": ("0000001-img0.ppm", "0000001-img1.ppm", "0000001-gt.flo"),
    }[scene]
    return read_rgb(folder / first), read_rgb(folder / second), read_flo(folder / truth)


def test_weights_of_another_network_are_refused(shared_data):
    weights = authors_weights(shared_data)
    with pytest.raises(InputError, match=r"does not fit raft"):
        ptlflow.build("raft", "cpu", weights)
    with pytest.raises(InputError, match=r"does not fit raft_large"):
        torchvision_raft.build("raft_large", "cpu", weights)
    with pytest.raises(InputError, match=r"ptlflow has no 'raft_smal'; near are raft_small"):
        ptlflow.build("raft_smal", "cpu", weights)
