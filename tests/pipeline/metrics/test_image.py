import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from pipeline.metrics.image import gradient_energy, psnr, squared_error, ssim

PICTURE = np.random.default_rng(0).integers(0, 200, (24, 32, 3), np.uint8)


def test_psnr_of_a_constant_difference_is_the_closed_form():
    assert squared_error(PICTURE, PICTURE + 51) == pytest.approx(0.04)
    assert psnr(0.04) == pytest.approx(13.9794, abs=1e-4)
    assert psnr(squared_error(PICTURE, PICTURE + 7)) == pytest.approx(peak_signal_noise_ratio(PICTURE, PICTURE + 7))


def test_a_picture_against_itself_has_no_finite_psnr():
    assert psnr(squared_error(PICTURE, PICTURE)) is None


def test_ssim_is_1_for_the_same_picture_and_the_closed_form_for_two_flat_ones():
    assert ssim(PICTURE, PICTURE) == pytest.approx(1)
    a, b, c = 100.0, 150.0, (0.01 * 255) ** 2
    flat = [np.full((24, 32, 3), value, np.uint8) for value in (a, b)]
    assert ssim(*flat) == pytest.approx((2 * a * b + c) / (a**2 + b**2 + c))


def test_gradient_energy_of_a_ramp_is_its_squared_slope():
    y, x = np.mgrid[:20, :30]
    ramp = np.repeat((3 * x + 4 * y)[..., None], 3, axis=2).astype(np.uint8)
    assert gradient_energy(ramp) == pytest.approx((3**2 + 4**2) / 255**2)
    assert gradient_energy(np.full((20, 30, 3), 99, np.uint8)) == 0


def test_gradient_energy_weighs_the_channels_as_luma():
    x = np.mgrid[:20, :30][1]
    green = np.zeros((20, 30, 3), np.uint8)
    green[..., 1] = 5 * x
    assert gradient_energy(green) == pytest.approx((0.587 * 5 / 255) ** 2)
