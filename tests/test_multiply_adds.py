"""That networks cost what the reference's cost, and that counting says so."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.multiply_adds import billions
from models.video_generator import VideoGenerator


def test_a_convolution_is_counted_forwards_and_backwards():
    convolution, image = nn.Conv2d(3, 8, 5, padding=2), torch.rand(1, 3, 20, 10, requires_grad=True)
    once = 3 * 8 * 5 * 5 * 20 * 10 / 1e9
    assert billions(lambda: convolution(image)) == pytest.approx(once)
    assert billions(lambda: convolution(image).sum().backward()) == pytest.approx(3 * once)  # of the image and of the weights


@pytest.mark.parametrize(
    ("scales", "downsamplings", "width", "expected"),
    [(1, 3, 512, 1057), (2, 3, 1024, 1650), (3, 3, 2048, 2532), (1, 2, 256, 337), (3, 2, 1024, 825)],
)
def test_a_frame_of_the_street_generator_takes_the_reference_s_multiply_adds(scales, downsamplings, width, expected):
    with FakeTensorMode(), torch.no_grad():
        generator = VideoGenerator(
            map_channels=36,
            width=128,
            downsamplings=downsamplings,
            blocks=9,
            fine_blocks=3,
            scales=scales,
            past_frames=2,
            foreground=True,
            warping=True,
        )
        maps, foreground, past = (torch.zeros(1, frames, channels, width // 2, width) for frames, channels in ((3, 36), (3, 1), (2, 3)))
        assert billions(lambda: generator(maps, foreground, past)) == pytest.approx(expected, abs=1)
