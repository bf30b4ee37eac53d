"""Walkers as cut-out figures: a trunk with head, a leg, an arm."""

import numpy as np
from jaxtyping import UInt8

from pipeline.street_world.textures.canvas import Canvas, mix
from pipeline.street_world.values import Colour

TRUNK_METRES = (0.6, 1.0)
LEG_METRES = (0.22, 0.92)
ARM_METRES = (0.16, 0.66)


def trunk(shirt: Colour, skin: Colour, hair: Colour) -> UInt8[np.ndarray, "h w 4"]:
    """From the hips to the top of the head."""
    canvas = Canvas(*TRUNK_METRES, (64, 128))
    canvas.polygon([(0.15, 0), (0.45, 0), (0.5, 0.56), (0.42, 0.62), (0.18, 0.62), (0.1, 0.56)], shirt)
    canvas.polygon([(0.34, 0), (0.45, 0), (0.5, 0.56), (0.42, 0.62)], mix(shirt, (0, 0, 0), 0.22))
    canvas.rectangle(0.15, 0, 0.45, 0.04, (54, 44, 38))
    canvas.rectangle(0.25, 0.58, 0.35, 0.72, mix(skin, (0, 0, 0), 0.2))
    canvas.ellipse(0.3, 0.82, 0.115, 0.145, skin)
    canvas.polygon([(0.21, 0.95), (0.3, 0.99), (0.39, 0.95), (0.42, 0.86), (0.18, 0.86)], hair)
    return canvas.filled()


def leg(trousers: Colour) -> UInt8[np.ndarray, "h w 4"]:
    canvas = Canvas(*LEG_METRES, (32, 128))
    canvas.polygon([(0.06, 0.06), (0.16, 0.06), (0.2, 0.92), (0.02, 0.92)], trousers)
    canvas.polygon([(0.12, 0.06), (0.16, 0.06), (0.2, 0.92), (0.13, 0.92)], mix(trousers, (0, 0, 0), 0.25))
    canvas.rectangle(0.03, 0, 0.19, 0.08, (40, 34, 32))
    return canvas.filled()


def arm(shirt: Colour, skin: Colour) -> UInt8[np.ndarray, "h w 4"]:
    canvas = Canvas(*ARM_METRES, (16, 64))
    canvas.polygon([(0.04, 0.1), (0.12, 0.1), (0.15, 0.62), (0.08, 0.66), (0.02, 0.62)], mix(shirt, (0, 0, 0), 0.1))
    canvas.ellipse(0.08, 0.07, 0.05, 0.07, skin)
    return canvas.filled()
