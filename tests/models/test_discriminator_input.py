"""Groups of frames, against the reference and by hand."""

import torch

from models.discriminator_input import Spot, grouped_video_input, image_input, squares, temporal_groups, video_input


def test_temporal_groups_have_parity_with_the_reference(parity):
    for length, by_stride in parity("temporal_groups").about["groups"].items():
        for stride, groups in zip((1, 3, 9), by_stride, strict=True):
            assert [list(group) for group in temporal_groups(int(length), stride)] == (groups or [])


def test_maps_come_before_the_image():
    maps, image = torch.rand(2, 5, 4, 4), torch.rand(2, 3, 4, 4)
    joined = image_input(maps, image)
    assert torch.equal(joined[:, :5], maps) and torch.equal(joined[:, 5:], image)


def test_each_group_holds_its_frames_and_the_flows_between_them():
    frames, flow = torch.rand(2, 7, 3, 4, 4), torch.rand(2, 1, 2, 2, 4, 4)
    grouped = grouped_video_input(frames, [(2, 4, 6)], flow)
    assert torch.equal(grouped, video_input(frames[:, [2, 4, 6]], flow[:, 0]))


def test_groups_of_one_video_lie_next_to_each_other_in_the_batch():
    frames, flow = torch.rand(2, 6, 3, 4, 4), torch.rand(2, 2, 2, 2, 4, 4)
    grouped = grouped_video_input(frames, [(3, 4, 5), (0, 1, 2)], flow)
    assert torch.equal(grouped[1], video_input(frames[:1, :3], flow[:1, 1])[0])
    assert torch.equal(grouped[2], video_input(frames[1:, 3:], flow[1:, 0])[0])


def test_squares_have_their_spots_in_the_middle_and_lie_inside_their_image():
    images = torch.rand(3, 2, 10, 12)
    around = [Spot(2, x=5, y=6), Spot(0, x=0, y=0), Spot(0, x=11, y=9), Spot(2, x=0, y=9)]
    cut = squares(images, around, 4)
    assert torch.equal(cut[0], images[2, :, 4:8, 3:7])
    assert torch.equal(cut[1], images[0, :, :4, :4])
    assert torch.equal(cut[2], images[0, :, 6:, 8:])
    assert torch.equal(cut[3], images[2, :, 6:, :4])
    assert torch.equal(squares(images, [Spot(1, x=11, y=3)], 10)[0], images[1, :, :, 2:])


def test_each_pixel_has_as_many_gradients_as_squares_that_show_it():
    images = torch.rand(2, 3, 8, 8, requires_grad=True)
    squares(images, [Spot(1, x=2, y=2), Spot(1, x=4, y=2)], 4).sum().backward()
    expected = torch.zeros(2, 8, 8)
    expected[1, :4, :4] += 1
    expected[1, :4, 2:6] += 1
    assert torch.equal(images.grad, expected[:, None].expand(2, 3, 8, 8))
