import itertools

import pytest
import torch
from torch import nn

from pipeline.tiles import Tiles, features, spans


@pytest.mark.parametrize("length", [5, 31, 32, 33, 47, 64, 95, 100, 257])
@pytest.mark.parametrize("tiles", [Tiles(32, 0), Tiles(32, 16), Tiles(40, 7), Tiles(64, 32)])
def test_every_pixel_is_kept_once_and_no_tile_is_larger_than_asked_for(length, tiles):
    found = spans(length, tiles, 8)
    assert [span.keep_from for span in found] == [0, *[span.keep_to for span in found[:-1]]]
    assert found[-1].keep_to == found[-1].stop == length
    for span in found:
        assert span.start % 8 == span.keep_from % 8 == 0
        assert span.start <= span.keep_from < span.keep_to <= span.stop <= span.start + tiles.side


@pytest.mark.parametrize("tiles", [Tiles(399, 200), Tiles(47, 15), Tiles(64, 32)])
def test_neighbours_share_as_much_as_was_asked_for_whatever_the_stride(tiles):
    found = spans(2000, tiles, 16)
    assert min(before.stop - after.start for before, after in itertools.pairwise(found)) >= tiles.overlap


def network(num_layers: int) -> nn.Module:
    """Stride 4 by two convolutions, then some that look one output further each: it sees 4 * num_layers + 3 pixels around."""
    torch.manual_seed(0)
    strided = [nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, padding=1)]
    return nn.Sequential(*strided, *[nn.Conv2d(8, 8, 3, padding=1) for _ in range(num_layers)]).double().eval()


@pytest.mark.parametrize("size", [(64, 200), (119, 75), (30, 30)])
def test_tiles_are_equal_to_the_whole_where_the_overlap_covers_what_the_network_sees(size):
    image, wide = torch.rand(2, 3, *size, dtype=torch.float64), Tiles(64, 40)  # 20 pixels around; the network sees 11
    with torch.no_grad():
        whole = network(2)(image)
        torch.testing.assert_close(features(network(2), image, wide, 4), whole, rtol=0, atol=1e-12)
        narrow = features(network(2), image, Tiles(64, 8), 4)
    assert narrow.shape == whole.shape
    assert torch.allclose(narrow, whole) == (max(size) <= 64)
