import hashlib

import numpy as np
import pytest
import torch

from models.random_video_network import DETAIL, SLOPE, RandomVideoNetwork, draw_weights

WIDTHS = (16, 32, 64, 128)


def network(seed: int = 0) -> RandomVideoNetwork:
    return RandomVideoNetwork(widths=WIDTHS, seed=seed)


def test_the_weights_are_the_ones_that_were_published():
    weights = draw_weights((3, *WIDTHS), seed=0)
    digest = hashlib.sha256(b"".join(weight.astype("<f4").tobytes() for weight in weights)).hexdigest()
    assert digest == "0345a9f0255276720fe19f6e2f019c80b0fef61eed8a47854d3bf7278c6cdb67"


def test_weights_are_drawn_layer_by_layer_from_philox():
    random = np.random.Generator(np.random.Philox(7))
    first, second = random.standard_normal((4, 3, 3, 3, 3)), random.standard_normal((5, 4, 3, 3, 3))
    drawn = draw_weights((3, 4, 5), seed=7)
    he = [np.sqrt(2 / (1 + SLOPE**2) / inputs) for inputs in (3 * 27, 4 * 27)]
    np.testing.assert_allclose(drawn[0][:1], he[0] * first[:1], rtol=1e-6)
    change = DETAIL * he[0] * (first[1:] - first[1:].mean(axis=(2, 3, 4), keepdims=True))
    np.testing.assert_allclose(drawn[0][1:], change, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(drawn[1], he[1] * second, rtol=1e-6)


def test_equal_videos_have_equal_features_whatever_the_random_state():
    video = torch.rand(2, 3, 5, 20, 24)
    torch.manual_seed(1)
    once = network()(video)
    torch.manual_seed(2)
    assert torch.equal(once, network()(video))
    assert not torch.equal(once, network(seed=1)(video))


def test_there_is_a_mean_and_a_deviation_of_every_channel():
    assert network()(torch.rand(2, 3, 4, 16, 16)).shape == (2, 2 * sum(WIDTHS))


def test_a_video_of_one_colour_shows_nothing_to_the_filters_that_see_change():
    flat = torch.ones(1, 3, 4, 16, 16) * torch.tensor([0.9, -0.3, 0.5])[:, None, None, None]
    seen = network().layers[0](flat)
    assert seen[:, :4].abs().max() > 0.1
    assert seen[:, 4:].abs().max() == pytest.approx(0, abs=1e-5)


def test_played_backwards_it_is_another_video():
    video = torch.rand(1, 3, 2, 24, 24).repeat_interleave(4, dim=2)  # four times the first frame, then the second
    forwards, backwards = network()(video), network()(video.flip(2))
    assert (forwards - backwards).norm() > 0.1 * forwards.std()
