"""pix2pixHD behind the video generator's call."""

import inspect

import pytest
import torch

from models.frame_by_frame import FrameByFrame
from models.image_generator import GlobalImageGenerator, LocalImageGenerator
from models.video_generator import VideoGenerator

NUMBERS = {"map_channels": 3, "width": 8, "downsamplings": 2, "blocks": 1}


@pytest.mark.parametrize("local_blocks", [0, 2])
def test_frames_are_the_image_generator_s_one_by_one(local_blocks):
    generator = FrameByFrame(**NUMBERS, local_blocks=local_blocks)
    alone = LocalImageGenerator(**{**NUMBERS, "width": 4}, local_blocks=local_blocks) if local_blocks else GlobalImageGenerator(**NUMBERS)
    alone.load_state_dict(generator.network.state_dict(), strict=True)
    maps = torch.rand(2, 3, 3, 24, 32)
    video = generator(maps)
    for b in range(2):
        for t in range(3):
            torch.testing.assert_close(video.image[b, t], alone(maps[b, t][None])[0])


def test_what_is_drawn_is_the_frame_and_nothing_moves():
    video = FrameByFrame(**NUMBERS, local_blocks=0)(torch.rand(1, 2, 3, 16, 24))
    assert torch.equal(video.image, video.raw) and (video.mask == 1).all() and not video.optical_flow.any()
    assert [tuple(x.shape) for x in (video.optical_flow, video.mask)] == [(1, 2, 2, 16, 24), (1, 2, 1, 16, 24)]
    assert video.state.past is None


@pytest.mark.parametrize("local_blocks", [0, 1])
def test_odd_sizes_come_out_as_they_went_in(local_blocks):
    assert FrameByFrame(**NUMBERS, local_blocks=local_blocks)(torch.rand(1, 2, 3, 17, 30)).image.shape == (1, 2, 3, 17, 30)


def test_padding_is_by_reflection():
    generator, maps = FrameByFrame(**NUMBERS, local_blocks=0), torch.rand(1, 1, 3, 16, 22)
    reflected = torch.cat([maps, maps[..., [20, 19]]], dim=-1)
    torch.testing.assert_close(generator(maps).image, generator(reflected).image[..., :22])


def test_a_local_generator_needs_frames_twice_as_large():
    maps = torch.rand(1, 1, 3, 8, 32)
    assert FrameByFrame(**NUMBERS, local_blocks=0)(maps).image.shape[-2:] == (8, 32)
    with pytest.raises(ValueError, match=r"8 x 32.*more than 8"):
        FrameByFrame(**NUMBERS, local_blocks=1)(maps)


def test_the_past_and_the_schedule_change_nothing():
    generator, maps = FrameByFrame(**NUMBERS, local_blocks=0), torch.rand(1, 2, 3, 16, 24)
    other = generator(maps, None, torch.rand(1, 2, 3, 16, 24), gradient_frames=2, only_finest=True, scales=1)
    assert torch.equal(other.image, generator(maps).image)
    other.image.sum().backward()
    assert all(p.grad is not None for p in generator.parameters())


def test_it_is_called_as_the_video_generator_is():
    ours, video_s = (list(inspect.signature(network.forward).parameters) for network in (FrameByFrame, VideoGenerator))
    assert ours == video_s
