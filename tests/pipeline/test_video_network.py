"""The networks behind video FID, and that what they say is worth something."""

from collections.abc import Iterable
from itertools import islice, pairwise
from typing import get_args

import cv2
import numpy as np
import pytest
import torch
import torchvision
from pydantic import ValidationError

from pipeline import params, video, video_network
from pipeline.errors import InputError
from pipeline.metrics.frechet_distance import frechet_distance
from pipeline.metrics.kernel_distance import kernel_distance
from pipeline.metrics.video_features import WindowFeatures
from pipeline.store import file_sha256

RANDOM = params.VideoNetwork(name="random", weights=None, window_frames=8, window_stride=4)


def given(name: str, weights, window_frames: int = 8) -> params.VideoNetwork:
    return params.VideoNetwork(name=name, weights=str(weights), window_frames=window_frames, window_stride=1)


def features(frames: Iterable[np.ndarray], p: params.VideoNetwork = RANDOM) -> np.ndarray:
    network = video_network.load(p, "cpu")
    windows = WindowFeatures(network.prepare, network.features, length=p.window_frames, stride=p.window_stride)
    for rgb in frames:
        windows.see(rgb)
    return np.stack(windows.features)


@pytest.fixture(scope="module")
def drive() -> np.ndarray:
    """48 frames of a smooth panorama, passing at a speed that changes, with something that flickers in front."""
    random = np.random.default_rng(0)
    world = cv2.GaussianBlur(random.integers(0, 256, (96, 500, 3), np.uint8), (0, 0), 1.2)
    frames = []
    for t in range(48):
        at = int(3 * t + 10 * np.sin(t / 5))
        frame = world[:, 20 + at : 148 + at].copy()
        cv2.circle(frame, (64, 48), 6 + t % 5, (220, 40, 40), -1)
        frames.append(frame)
    return np.stack(frames)


@pytest.fixture(scope="module")
def highway(shared_data) -> np.ndarray:
    frames = islice(video.frames(shared_data / "clips/street/highway_960x540.mp4"), 48)
    return np.stack([cv2.resize(frame, (256, 144), interpolation=cv2.INTER_AREA) for frame in frames])


@pytest.fixture(params=["drive", "highway"])
def real(request) -> np.ndarray:
    return request.getfixturevalue(request.param)


def blurred(frames: np.ndarray, sigma: float) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames])


def noisy(frames: np.ndarray, deviation: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, deviation, frames.shape)
    return np.clip(frames + noise, 0, 255).astype(np.uint8)


def shuffled(frames: np.ndarray, block: int) -> np.ndarray:
    """Frames change places within blocks of so many; the frames themselves stay what they are."""
    random = np.random.default_rng(0)
    return frames[np.concatenate([start + random.permutation(block) for start in range(0, len(frames), block)])]


@pytest.mark.parametrize(
    ("spoil", "amounts"),
    [(blurred, (0.5, 1, 2, 4)), (noisy, (5, 10, 20, 40)), (shuffled, (2, 4, 8, 48))],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_the_more_a_video_is_spoilt_the_farther_random_features_see_it(real, spoil, amounts):
    of_real = features(real)
    spoilt = [features(spoil(real, amount)) for amount in amounts]
    for distance in (frechet_distance, kernel_distance):
        values = [distance(of_real, of_real), *(distance(of_real, fake) for fake in spoilt)]
        assert all(less < more for less, more in pairwise(values)), (distance.__name__, values)


def test_a_still_picture_is_far_from_the_video_that_it_is_taken_from(real):
    of_real = features(real)
    still = features(np.repeat(real[24:25], len(real), axis=0))
    assert frechet_distance(of_real, still) > 3 * frechet_distance(of_real, features(shuffled(real, 2)))


def test_the_random_network_is_named_by_the_hash_of_its_weights():
    network = video_network.load(RANDOM, "cpu")
    assert network.weights_sha256 == "9d6dce4427df6ad0a1fb078c39771ac5e83f61b37572d5d943d7a4ab7dd97f5a"
    assert network.features_are == "random features, comparable within this report only"


def test_every_video_network_of_torchvision_can_be_named():
    field = params.VideoNetwork.model_fields["name"]
    assert set(get_args(field.annotation)) == {"random", *torchvision.models.list_models(module=torchvision.models.video)}


@pytest.fixture(scope="module")
def r3d(tmp_path_factory):
    """As torchvision publishes weights: a state dict, its classes with it; here random ones."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "r3d_18.pth"
    torch.save(torchvision.models.video.r3d_18(weights=None).state_dict(), path)
    return path


def test_given_weights_give_what_torchvision_gives_before_the_classes(r3d, drive):
    network = torchvision.models.video.r3d_18(weights=None)
    network.load_state_dict(torch.load(r3d, weights_only=True))
    clip = torch.from_numpy(drive[:8]).movedim(-1, 1)  # t 3 h w
    see = torchvision.models.video.R3D_18_Weights.KINETICS400_V1.transforms()
    before = []
    network.fc.register_forward_pre_hook(lambda layer, inputs: before.append(inputs[0]))
    with torch.inference_mode():
        network.eval()(see(clip)[None])
    (found,) = features(drive[:8], given("r3d_18", r3d))
    assert found.shape == (512,)
    np.testing.assert_allclose(found, before[0][0], rtol=1e-4, atol=1e-5)


def test_given_weights_are_named_by_the_hash_of_their_file(r3d):
    network = video_network.load(given("r3d_18", r3d), "cpu")
    assert network.weights_sha256 == file_sha256(r3d)
    assert "random" not in network.features_are


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "frames", "dimensions"),
    [("mc3_18", 8, 512), ("r2plus1d_18", 8, 512), ("s3d", 16, 1024), ("mvit_v2_s", 16, 768), ("swin3d_t", 8, 768)],
)
def test_the_last_layer_of_other_networks_is_found(name, frames, dimensions, tmp_path, drive):
    torch.save(torchvision.models.get_model(name, weights=None).state_dict(), tmp_path / "w.pth")
    assert features(drive[:frames], given(name, tmp_path / "w.pth", frames)).shape == (1, dimensions)


def test_weights_of_another_network_are_refused(r3d):
    with pytest.raises(
        InputError, match=r"r3d_18\.pth: holds no weights of mc3_18: layer2\.0\.conv1\.0\.weight is .* in the file and .* in the"
    ):
        video_network.load(given("mc3_18", r3d), "cpu")


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lambda path: path.write_text("not weights"), "is no file of weights"),
        (lambda path: path.write_bytes(b""), "is no file of weights"),
        (lambda path: torch.save({"model": {"stem.0.weight": torch.zeros(1)}}, path), "holds no state dict"),
        (
            lambda path: torch.save({"stem.0.weight": torch.zeros(1)}, path),
            r"stem\.0\.weight is \(1,\) in the file and \(64, 3, 3, 7, 7\) in the",
        ),
        (lambda path: None, "is no file"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(write, sentence, tmp_path):
    write(tmp_path / "w.pth")
    with pytest.raises(InputError, match=sentence) as refused:
        video_network.load(given("r3d_18", tmp_path / "w.pth"), "cpu")
    assert "\n" not in str(refused.value) and "w.pth" in str(refused.value)


def test_cut_weights_are_refused(r3d, tmp_path):
    (tmp_path / "w.pth").write_bytes(r3d.read_bytes()[:100_000])
    with pytest.raises(InputError, match="is no file of weights"):
        video_network.load(given("r3d_18", tmp_path / "w.pth"), "cpu")


def test_windows_that_a_network_does_not_take_are_refused(tmp_path):
    torch.save(torchvision.models.get_model("s3d", weights=None).state_dict(), tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"evaluate\.video_network\.window_frames is 4: s3d takes no windows of that length"):
        video_network.load(given("s3d", tmp_path / "w.pth", 14).model_copy(update={"window_frames": 4}), "cpu")


@pytest.mark.parametrize(("name", "refused", "taken"), [("mvit_v1_b", 8, 16), ("mvit_v2_s", 17, 16), ("s3d", 8, 14)])
def test_windows_that_a_network_does_not_take_are_refused_with_the_parameters(name, refused, taken):
    with pytest.raises(ValidationError, match=f"{name} takes windows of {taken} frames .*, window_frames is {refused}"):
        given(name, "w.pth", refused)
    assert given(name, "w.pth", taken).window_frames == taken
