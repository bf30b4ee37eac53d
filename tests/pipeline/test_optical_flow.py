import cv2
import numpy as np
import pytest
import torch

from models.warp import warp
from pipeline import arrays, extractors, layout, params
from pipeline.errors import InputError
from pipeline.extractors.optical_flow import opencv_dis, ptlflow
from pipeline.optical_flow import confidence, measured, run_clip, sampled, stored

PARAMS = params.OpticalFlow(
    backend="opencv_dis", options={"preset": "medium"}, strides=[1, 3], rounding=0.0625, photometric=0.02, forward_backward=1.0
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


def test_only_as_many_frames_are_held_as_the_largest_stride_needs():
    made_from = []

    def frames():
        for t in range(9):
            made_from.append(t)
            yield np.full((16, 16, 3), t, np.uint8)

    pairs = []

    def measure(source, target):
        pairs.append((int(source[0, 0, 0, 0]), int(target[0, 0, 0, 0])))
        return np.zeros((*source.shape[:3], 2), np.float32)

    for t, by_stride in enumerate(measured(measure, frames(), [1, 3], PARAMS)):
        assert made_from[-1] == t
        assert sorted(by_stride) == [1, 3]
    assert [pair for pair in pairs if pair[0] == 5] == [(5, 4), (5, 2)]


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

    with pytest.raises(InputError, match=r"optical_flow.backend is 'dis': there are given, opencv_dis, ptlflow"):
        build(backend="dis")
    with pytest.raises(InputError, match=r"preset is 'slow': input should be 'ultrafast', 'fast' or 'medium'"):
        build(options={"preset": "slow"})
    with pytest.raises(InputError, match=r"optical_flow.options.weights is missing"):
        build(backend="ptlflow", options={"model": "raft_small"})
    with pytest.raises(InputError, match=r"none.pth is no file"):
        build(backend="ptlflow", options={"model": "raft_small", "weights": "none.pth"})
    with pytest.raises(InputError, match=r"its source has no optical flow"):
        build(backend="given", options={})


@pytest.mark.parametrize(("scene", "limit"), [("whale", 0.25), ("chairs", 1.7)])
def test_opencv_dis_meets_the_truth_far_better_than_no_motion(shared_data, scene, limit):
    error, error_of_zero = end_point_error(opencv_dis.build("medium"), *known_pair(shared_data, scene))
    assert error < limit < error_of_zero / 2


@pytest.mark.parametrize(("scene", "limit"), [("whale", 0.34), ("chairs", 1.05)])
def test_raft_small_meets_the_truth_as_published(shared_data, scene, limit):
    raft = ptlflow.build("raft_small", "cpu", str(shared_data / "weights" / "raft-small.pth"))
    error, error_of_zero = end_point_error(raft, *known_pair(shared_data, scene))
    assert error < limit < error_of_zero / 3


def known_pair(shared_data, scene):
    """Their truth runs from the first frame to the second: source is the first."""
    folder = shared_data / "flow_gt" / {"whale": "middlebury_rubberwhale", "chairs": "flyingchairs"}[scene]
    first, second, truth = {
        "whale": ("frame10.png", "frame11.png", "flow10.flo"),
        "chairs": ("0000001-img0.ppm", "0000001-img1.ppm", "0000001-gt.flo"),
    }[scene]
    return read_rgb(folder / first), read_rgb(folder / second), read_flo(folder / truth)


def test_weights_of_another_network_are_refused(shared_data):
    weights = str(shared_data / "weights" / "raft-small.pth")
    with pytest.raises(InputError, match=r"does not fit raft"):
        ptlflow.build("raft", "cpu", weights)
    with pytest.raises(InputError, match=r"ptlflow has no 'raft_smal'; near are raft_small"):
        ptlflow.build("raft_smal", "cpu", weights)
