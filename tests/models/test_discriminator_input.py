"""Groups of frames, against the reference and by hand."""

import torch

from models.discriminator_input import grouped_video_input, image_input, temporal_groups, video_input


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
