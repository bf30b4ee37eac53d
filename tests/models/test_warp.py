"""Warping, against the reference and closed forms."""

import torch

from models.warp import warp


def constant_flow(dx: float, dy: float, *, height: int, width: int) -> torch.Tensor:
    return torch.tensor([float(dx), float(dy)])[None, :, None, None].expand(1, 2, height, width)


def test_warp_has_parity_with_the_reference(parity, relative_error):
    helpers = parity("helpers").tensors
    assert relative_error(warp(helpers["image"], helpers["flow"]), helpers["warped"]) < 1e-4


def test_a_flow_of_whole_pixels_shifts_the_image():
    image = torch.rand(1, 3, 8, 11)
    warped = warp(image, constant_flow(2, -1, height=8, width=11))
    torch.testing.assert_close(warped[:, :, 1:, :-2], image[:, :, :-1, 2:])


def test_what_comes_from_outside_takes_the_borders_value():
    image = torch.rand(1, 3, 8, 11)
    warped = warp(image, constant_flow(100, 0, height=8, width=11))
    torch.testing.assert_close(warped, image[..., -1:].expand_as(image))


def test_no_flow_gives_the_image_itself_even_one_pixel_high():
    image = torch.rand(2, 1, 1, 5)
    torch.testing.assert_close(warp(image, torch.zeros(2, 2, 1, 5)), image)


def test_warping_stays_in_float32_under_autocast():
    image, flow = torch.rand(1, 3, 4, 2000), constant_flow(3, 0, height=4, width=2000)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        warped = warp(image, flow.bfloat16())
    assert warped.dtype == torch.float32
    torch.testing.assert_close(warped[..., :-3], image[..., 3:], atol=1e-3, rtol=0)
