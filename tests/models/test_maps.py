"""Maps and their pyramid, against the reference and by hand."""

import torch

from models.maps import foreground_mask, instance_edges, label_maps, one_hot, pyramid


def test_instance_edges_have_parity_with_the_reference(parity):
    helpers = parity("helpers").tensors
    edges = instance_edges(helpers["instances"][:, :, 0].int())
    assert torch.equal(edges, helpers["instance_edges"])


def test_the_pyramid_has_parity_with_the_reference(parity, relative_error):
    helpers = parity("helpers").tensors
    full, half, quarter = pyramid(helpers["maps"], 3)
    assert full is helpers["maps"]
    assert relative_error(half, helpers["maps_half"]) < 1e-4
    assert relative_error(quarter, helpers["maps_quarter"]) < 1e-4


def test_one_hot_has_one_channel_a_label_and_void_has_none():
    label = torch.tensor([[0, 2], [255, 1]], dtype=torch.uint8)
    expected = torch.tensor([[[1, 0], [0, 0]], [[0, 0], [0, 1]], [[0, 1], [0, 0]]]).float()
    assert torch.equal(one_hot(label, 3), expected)


def test_an_edge_lies_on_both_sides_of_a_border():
    instance = torch.tensor([[7, 7, 3, 3]])
    assert instance_edges(instance).tolist() == [[[0, 1, 1, 0]]]


def test_maps_are_labels_then_edges_for_any_leading_axes():
    label = torch.randint(0, 4, (2, 3, 6, 8), dtype=torch.uint8)
    maps = label_maps(label, label.int(), num_labels=4)
    assert maps.shape == (2, 3, 5, 6, 8)
    assert torch.equal(maps[:, :, 4:], instance_edges(label.int()))


def test_the_foreground_is_the_sum_of_its_labels_at_every_scale():
    label = torch.randint(0, 4, (1, 6, 8), dtype=torch.uint8)
    maps = one_hot(label, 4)
    mask = foreground_mask(maps, [1, 3])
    assert torch.equal(mask[:, 0], ((label == 1) | (label == 3)).float())
    for pooled_maps, pooled_mask in zip(pyramid(maps, 3), pyramid(mask, 3), strict=True):
        torch.testing.assert_close(foreground_mask(pooled_maps, [1, 3]), pooled_mask)


def test_a_constant_stays_constant_through_odd_sizes():
    assert [tuple(level.shape) for level in pyramid(torch.ones(1, 2, 7, 5), 3)] == [(1, 2, 7, 5), (1, 2, 4, 3), (1, 2, 2, 2)]
    assert all(torch.equal(level, torch.ones_like(level)) for level in pyramid(torch.ones(1, 2, 7, 5), 3))
