"""Street lamps, poles, traffic signs and lights."""

import numpy as np
from jaxtyping import UInt8

from pipeline.street_world.textures.canvas import Canvas

LAMP_METRES = (2.4, 6.4)
SIGN_METRES = 0.72
LIGHT_METRES = (0.36, 0.96)
_STEEL = (86, 90, 94)


def lamp() -> UInt8[np.ndarray, "h w 4"]:
    """The post stands at a quarter of the width; its arm reaches to the right."""
    canvas = Canvas(*LAMP_METRES, (128, 512))
    canvas.rectangle(0.51, 0, 0.69, 6.2, _STEEL)
    canvas.rectangle(0.51, 0, 0.57, 6.2, (132, 136, 140))
    canvas.rectangle(0.46, 0, 0.74, 0.5, (70, 74, 78))
    canvas.polygon([(0.55, 6.05), (0.55, 6.2), (1.8, 6.4), (1.8, 6.28)], _STEEL)
    canvas.polygon([(1.5, 6.22), (1.6, 6.4), (2.2, 6.4), (2.3, 6.22)], (60, 62, 66))
    canvas.rectangle(1.56, 6.16, 2.24, 6.23, (250, 244, 214))
    return canvas.filled()


def pole() -> UInt8[np.ndarray, "h w 4"]:
    canvas = Canvas(0.12, 3.2, (16, 64), (112, 116, 120))
    canvas.rectangle(0, 0, 0.04, 3.2, (160, 164, 168))
    return canvas.pixels


def sign(kind: int) -> UInt8[np.ndarray, "h w 4"]:
    """A prohibition, a warning or a parking sign, for kind 0, 1 and 2."""
    size = SIGN_METRES
    canvas = Canvas(size, size, (64, 64))
    middle = size / 2
    if kind == 0:
        canvas.ellipse(middle, middle, 0.35, 0.35, (196, 34, 36))
        canvas.ellipse(middle, middle, 0.25, 0.25, (240, 238, 232))
        canvas.rectangle(0.22, 0.24, 0.32, 0.48, (40, 40, 44))
        canvas.ellipse(0.44, 0.36, 0.08, 0.12, (40, 40, 44))
    elif kind == 1:
        canvas.polygon([(0.01, 0.05), (size - 0.01, 0.05), (middle, 0.7)], (196, 34, 36))
        canvas.polygon([(0.14, 0.13), (size - 0.14, 0.13), (middle, 0.54)], (240, 238, 232))
        canvas.rectangle(middle - 0.04, 0.17, middle + 0.04, 0.42, (40, 40, 44))
    else:
        canvas.rectangle(0.04, 0.04, size - 0.04, size - 0.04, (32, 82, 168))
        canvas.rectangle(0.24, 0.14, 0.32, 0.58, (240, 240, 240))
        canvas.ellipse(0.38, 0.47, 0.13, 0.12, (240, 240, 240))
        canvas.ellipse(0.38, 0.47, 0.06, 0.06, (32, 82, 168))
    return canvas.filled()


def traffic_light() -> UInt8[np.ndarray, "h w 4"]:
    """It shows green: nobody stops in this street."""
    canvas = Canvas(*LIGHT_METRES, (32, 64), (36, 38, 40))
    for height, colour in ((0.8, (70, 16, 12)), (0.48, (72, 54, 15)), (0.16, (60, 220, 130))):
        canvas.ellipse(0.18, height, 0.12, 0.12, colour)
    return canvas.pixels
