"""The sides of a car. Lengths are metres; the body reaches from the road to the belt, the cabin from there to the roof."""

import numpy as np
from jaxtyping import UInt8

from pipeline.street_world.textures.canvas import Canvas, mix
from pipeline.street_world.values import Colour

WIDTH = 1.8
LENGTH = 4.3
BELT = 0.95
ROOF = 1.5
CABIN_START = 0.15  # from the rear of the car
CABIN_LENGTH = 2.9
CABIN_LEAN = 0.16  # how far each side leans inwards
CABIN_REAR_SLOPE = 0.45
CABIN_FRONT_SLOPE = 0.75
_GLASS: Colour = (44, 54, 64)
_SHINE: Colour = (128, 148, 164)
_RUBBER: Colour = (30, 30, 32)


def side(paint: Colour) -> UInt8[np.ndarray, "h w 4"]:
    """The left side of the body, front on the left."""
    canvas = Canvas(LENGTH, BELT, (256, 64))
    dark = mix(paint, (0, 0, 0), 0.45)
    canvas.polygon([(0.0, 0.35), (0.12, 0.26), (LENGTH - 0.12, 0.26), (LENGTH, 0.35), (LENGTH, BELT), (0, BELT)], paint)
    canvas.rectangle(0, 0.24, LENGTH, 0.4, dark)
    canvas.rectangle(0, 0.82, LENGTH, BELT, mix(paint, (255, 255, 255), 0.22))
    for seam in (1.35, 2.35, 3.25):
        canvas.rectangle(seam, 0.42, seam + 0.025, BELT, dark)
    for handle in (2.1, 3.05):
        canvas.rectangle(handle, 0.74, handle + 0.16, 0.78, dark)
    canvas.rectangle(0, 0.62, 0.22, 0.78, (226, 226, 214))
    canvas.rectangle(LENGTH - 0.2, 0.62, LENGTH, 0.82, (170, 30, 28))
    for axle in (0.82, LENGTH - 0.8):
        canvas.ellipse(axle, 0.36, 0.41, 0.4, (24, 24, 26))
        canvas.ellipse(axle, 0.32, 0.33, 0.32, _RUBBER)
        canvas.ellipse(axle, 0.32, 0.21, 0.2, (150, 152, 156))
        canvas.ellipse(axle, 0.32, 0.07, 0.07, (80, 82, 86))
    return canvas.filled()


def rear(paint: Colour) -> UInt8[np.ndarray, "h w 4"]:
    canvas = _end(paint)
    for x in (0.06, WIDTH - 0.4):
        canvas.rectangle(x, 0.6, x + 0.34, 0.84, (182, 28, 26))
        canvas.rectangle(x + 0.1, 0.62, x + 0.22, 0.7, (236, 176, 120))
    canvas.rectangle(WIDTH / 2 - 0.27, 0.58, WIDTH / 2 + 0.27, 0.72, (226, 224, 208))
    canvas.rectangle(WIDTH / 2 - 0.2, 0.62, WIDTH / 2 + 0.2, 0.68, (70, 70, 74))
    return canvas.filled()


def front(paint: Colour) -> UInt8[np.ndarray, "h w 4"]:
    canvas = _end(paint)
    canvas.rectangle(0.45, 0.6, WIDTH - 0.45, 0.8, (40, 42, 46))
    for bar in (0.65, 0.73):
        canvas.rectangle(0.45, bar, WIDTH - 0.45, bar + 0.02, (126, 128, 132))
    for x in (0.22, WIDTH - 0.22):
        canvas.ellipse(x, 0.7, 0.18, 0.12, (240, 240, 228))
        canvas.ellipse(x, 0.7, 0.09, 0.07, (255, 252, 236))
    canvas.rectangle(WIDTH / 2 - 0.26, 0.4, WIDTH / 2 + 0.26, 0.52, (226, 224, 208))
    return canvas.filled()


def _end(paint: Colour) -> Canvas:
    canvas = Canvas(WIDTH, BELT, (128, 64))
    for x in (0.1, WIDTH - 0.32):
        canvas.rectangle(x, 0, x + 0.22, 0.4, _RUBBER)
    canvas.polygon([(0, 0.36), (0.1, 0.24), (WIDTH - 0.1, 0.24), (WIDTH, 0.36), (WIDTH, BELT), (0, BELT)], paint)
    canvas.rectangle(0.02, 0.24, WIDTH - 0.02, 0.4, mix(paint, (20, 20, 22), 0.6))
    canvas.rectangle(0, 0.86, WIDTH, BELT, mix(paint, (255, 255, 255), 0.25))
    return canvas


def screen(paint: Colour) -> UInt8[np.ndarray, "h w 4"]:
    """A window between leaning pillars, for the near end of the cabin; narrower at the top."""
    canvas = Canvas(WIDTH, 1, (128, 64))
    lean = CABIN_LEAN
    canvas.polygon([(0, 0), (WIDTH, 0), (WIDTH - lean, 1), (lean, 1)], paint)
    canvas.polygon([(0.14, 0.1), (WIDTH - 0.14, 0.1), (WIDTH - lean - 0.1, 0.9), (lean + 0.1, 0.9)], _GLASS)
    canvas.polygon([(0.4, 0.1), (0.9, 0.1), (1.15, 0.9), (0.75, 0.9)], mix(_GLASS, _SHINE, 0.6))
    return canvas.filled()


def cabin(paint: Colour) -> UInt8[np.ndarray, "h w 4"]:
    """The left side of the cabin, front on the left."""
    canvas = Canvas(CABIN_LENGTH, 1, (256, 64))
    front_top, rear_top = CABIN_FRONT_SLOPE, CABIN_LENGTH - CABIN_REAR_SLOPE
    canvas.polygon([(0, 0), (CABIN_LENGTH, 0), (rear_top, 1), (front_top, 1)], paint)
    canvas.polygon([(0.22, 0.08), (1.32, 0.08), (1.32, 0.86), (front_top + 0.06, 0.86)], _GLASS)
    canvas.polygon([(1.44, 0.08), (CABIN_LENGTH - 0.24, 0.08), (rear_top - 0.06, 0.86), (1.44, 0.86)], _GLASS)
    canvas.polygon([(0.7, 0.4), (1.32, 0.66), (1.32, 0.86), (front_top + 0.06, 0.86)], mix(_GLASS, _SHINE, 0.6))
    canvas.polygon([(1.44, 0.62), (2.3, 0.86), (1.44, 0.86), (1.44, 0.8)], mix(_GLASS, _SHINE, 0.6))
    return canvas.filled()


def top(paint: Colour) -> UInt8[np.ndarray, "h w 4"]:
    """Sheet metal that mirrors the sky."""
    return Canvas(1, 1, (16, 16), mix(paint, (220, 232, 244), 0.35)).pixels
