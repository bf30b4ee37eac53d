"""Walkers as cut-out figures: a trunk with head, a leg, an arm."""

import numpy as np
from jaxtyping import UInt8

from pipeline.street_world.textures.canvas import Canvas, mix
from pipeline.street_world.values import Colour

TRUNK_METRES = (0.6, 1.0)
LEG_METRES = (0.22, 0.92)
ARM_METRES = (0.16, 0.66)
_BLACK: Colour = (0, 0, 0)


def front(shirt: Colour, skin: Colour, hair: Colour) -> UInt8[np.ndarray, "h w 4"]:
    """From the hips to the top of the head."""
    canvas = _trunk(shirt, skin)
    canvas.polygon([(0.29, 0.1), (0.31, 0.1), (0.31, 0.6), (0.29, 0.6)], mix(shirt, _BLACK, 0.35))
    canvas.polygon([(0.25, 0.62), (0.35, 0.62), (0.3, 0.5)], mix(shirt, (255, 255, 255), 0.6))
    canvas.ellipse(0.3, 0.81, 0.105, 0.14, skin)
    canvas.polygon([(0.3, 0.68), (0.37, 0.72), (0.405, 0.82), (0.33, 0.84)], mix(skin, _BLACK, 0.14))
    canvas.polygon([(0.21, 0.94), (0.3, 0.985), (0.39, 0.94), (0.412, 0.86), (0.188, 0.86)], hair)
    for eye in (0.262, 0.338):
        canvas.ellipse(eye, 0.81, 0.016, 0.014, (48, 40, 38))
    return canvas.filled()


def back(shirt: Colour, skin: Colour, hair: Colour) -> UInt8[np.ndarray, "h w 4"]:
    """Of those that walk away, with a bag on the back."""
    canvas = _trunk(shirt, skin)
    canvas.rectangle(0.19, 0.16, 0.41, 0.56, mix(shirt, (30, 30, 36), 0.7))
    canvas.rectangle(0.22, 0.2, 0.38, 0.34, mix(shirt, (30, 30, 36), 0.5))
    canvas.ellipse(0.3, 0.83, 0.11, 0.15, hair)
    canvas.polygon([(0.34, 0.7), (0.39, 0.76), (0.405, 0.86), (0.35, 0.94)], mix(hair, _BLACK, 0.25))
    return canvas.filled()


def _trunk(shirt: Colour, skin: Colour) -> Canvas:
    canvas = Canvas(*TRUNK_METRES, (64, 128))
    canvas.rectangle(0.255, 0.58, 0.345, 0.72, mix(skin, _BLACK, 0.25))
    canvas.polygon([(0.14, 0), (0.46, 0), (0.51, 0.55), (0.43, 0.625), (0.17, 0.625), (0.09, 0.55)], shirt)
    canvas.polygon([(0.36, 0), (0.46, 0), (0.51, 0.55), (0.43, 0.625)], mix(shirt, _BLACK, 0.2))
    canvas.rectangle(0.14, 0, 0.46, 0.045, mix(shirt, _BLACK, 0.45))
    return canvas


def leg(trousers: Colour) -> UInt8[np.ndarray, "h w 4"]:
    canvas = Canvas(*LEG_METRES, (32, 128))
    canvas.polygon([(0.06, 0.06), (0.165, 0.06), (0.2, 0.92), (0.02, 0.92)], trousers)
    canvas.polygon([(0.12, 0.06), (0.165, 0.06), (0.2, 0.92), (0.13, 0.92)], mix(trousers, _BLACK, 0.3))
    canvas.rectangle(0.03, 0, 0.195, 0.085, (44, 38, 36))
    canvas.rectangle(0.03, 0, 0.195, 0.03, (196, 192, 184))
    return canvas.filled()


def arm(shirt: Colour, skin: Colour) -> UInt8[np.ndarray, "h w 4"]:
    canvas = Canvas(*ARM_METRES, (16, 64))
    canvas.polygon([(0.04, 0.1), (0.12, 0.1), (0.15, 0.62), (0.08, 0.66), (0.02, 0.62)], mix(shirt, _BLACK, 0.12))
    canvas.ellipse(0.08, 0.07, 0.05, 0.07, skin)
    return canvas.filled()
