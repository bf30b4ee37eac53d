"""The sides of cars of several shapes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from pipeline.street_world.textures.canvas import Canvas, mix
from pipeline.street_world.values import Colour


@dataclass(frozen=True)
class Shape:
    """Metres; the body reaches from the road to the belt, the cabin from there to the roof."""

    width: float
    length: float
    belt: float
    roof: float
    cabin_start: float
    """From the rear of the car."""
    cabin_length: float
    rear_slope: float
    front_slope: float
    lean: float = 0.16
    """How far each side of the cabin leans inwards."""
    glazed: float = 0.94
    """How much of the cabin's side, from its front, has windows."""


SHAPES = (
    Shape(width=1.8, length=4.3, belt=0.95, roof=1.5, cabin_start=0.12, cabin_length=2.95, rear_slope=0.45, front_slope=0.75),
    Shape(width=1.8, length=4.6, belt=0.92, roof=1.44, cabin_start=0.7, cabin_length=2.65, rear_slope=0.6, front_slope=0.75),
    Shape(width=1.7, length=3.6, belt=0.94, roof=1.5, cabin_start=0.08, cabin_length=2.6, rear_slope=0.3, front_slope=0.7),
    Shape(width=1.95, length=4.9, belt=1.12, roof=2.15, cabin_start=0.04, cabin_length=4.1, rear_slope=0.08, front_slope=0.8, glazed=0.4),
)
_GLASS: Colour = (44, 54, 64)
_SHINE: Colour = (136, 158, 176)
_RUBBER: Colour = (28, 28, 30)
_AXLE = 0.8  # from either end


def side(paint: Colour, shape: Shape) -> UInt8[np.ndarray, "h w 4"]:
    """The left side of the body, front on the left."""
    length, belt = shape.length, shape.belt
    canvas = Canvas(length, belt, (256, 64))
    canvas.polygon([(0.0, 0.38), (0.1, 0.24), (length - 0.1, 0.24), (length, 0.38), (length, belt), (0, belt)], paint)
    _sheet_metal(canvas)
    dark = mix(paint, (0, 0, 0), 0.45)
    canvas.rectangle(0.05, 0.22, length - 0.05, 0.36, mix(paint, (18, 18, 20), 0.75))
    door = length - shape.cabin_start - shape.cabin_length + 0.55
    for seam in (door, door + 1.0, door + 1.9):
        canvas.rectangle(seam, 0.38, seam + 0.022, belt, dark)
        canvas.rectangle(seam - 0.24, belt - 0.2, seam - 0.08, belt - 0.16, mix(paint, (255, 255, 255), 0.35))
    canvas.polygon([(0, belt - 0.32), (0.3, belt - 0.26), (0.22, belt - 0.14), (0, belt - 0.14)], (232, 232, 222))
    canvas.rectangle(length - 0.18, belt - 0.36, length, belt - 0.12, (176, 32, 28))
    for axle in (_AXLE, length - _AXLE):
        _wheel(canvas, axle)
    return canvas.filled()


def _sheet_metal(canvas: Canvas) -> None:
    """Bright where it leans back and mirrors the sky, dark where it turns to the road."""
    height = np.linspace(1, 0, canvas.pixels.shape[0], dtype=np.float32)
    gain = 0.72 + 0.42 * height + 0.3 * np.exp(-(((height - 0.72) / 0.05) ** 2)) + 0.25 * np.clip(height - 0.9, 0, 1) / 0.1
    canvas.shade(np.broadcast_to(gain[:, None], canvas.pixels.shape[:2]))


def _wheel(canvas: Canvas, axle: float) -> None:
    canvas.ellipse(axle, 0.35, 0.42, 0.41, (18, 18, 20))
    canvas.ellipse(axle, 0.32, 0.33, 0.32, _RUBBER)
    canvas.ellipse(axle, 0.32, 0.22, 0.21, (168, 170, 174))
    for spoke in np.arange(5) * 2 * np.pi / 5:
        canvas.ellipse(axle + 0.135 * np.cos(spoke), 0.32 + 0.13 * np.sin(spoke), 0.05, 0.05, (72, 74, 78))
    canvas.ellipse(axle, 0.32, 0.05, 0.05, (96, 98, 102))


def rear(paint: Colour, shape: Shape) -> UInt8[np.ndarray, "h w 4"]:
    canvas, width, belt = _end(paint, shape), shape.width, shape.belt
    canvas.rectangle(0.3, belt - 0.2, width - 0.3, belt - 0.17, mix(paint, (0, 0, 0), 0.4))
    for x, inside in ((0.04, 0.28), (width - 0.4, 0.04)):
        canvas.rectangle(x, belt - 0.36, x + 0.36, belt - 0.12, (150, 22, 22))
        canvas.rectangle(x, belt - 0.22, x + 0.36, belt - 0.13, (208, 42, 36))
        canvas.rectangle(x + inside - 0.02, belt - 0.34, x + inside + 0.06, belt - 0.24, (238, 190, 150))
    _plate(canvas, width / 2, belt - 0.38)
    return canvas.filled()


def front(paint: Colour, shape: Shape) -> UInt8[np.ndarray, "h w 4"]:
    canvas, width, belt = _end(paint, shape), shape.width, shape.belt
    canvas.rectangle(0.45, belt - 0.36, width - 0.45, belt - 0.16, (34, 36, 40))
    for bar in (belt - 0.31, belt - 0.24):
        canvas.rectangle(0.45, bar, width - 0.45, bar + 0.02, (142, 144, 148))
    for x in (0.22, width - 0.22):
        canvas.ellipse(x, belt - 0.26, 0.19, 0.12, (206, 210, 210))
        canvas.ellipse(x, belt - 0.25, 0.11, 0.08, (255, 253, 244))
    _plate(canvas, width / 2, 0.44)
    return canvas.filled()


def _plate(canvas: Canvas, x: float, middle: float) -> None:
    canvas.rectangle(x - 0.27, middle - 0.07, x + 0.27, middle + 0.07, (228, 228, 222))
    for letter in (-0.19, -0.09, 0.05, 0.14):
        canvas.rectangle(x + letter, middle - 0.04, x + letter + 0.06, middle + 0.04, (58, 58, 62))


def _end(paint: Colour, shape: Shape) -> Canvas:
    width, belt = shape.width, shape.belt
    canvas = Canvas(width, belt, (128, 64))
    canvas.polygon([(0, 0.38), (0.08, 0.24), (width - 0.08, 0.24), (width, 0.38), (width, belt), (0, belt)], paint)
    _sheet_metal(canvas)
    for x in (0.1, width - 0.32):
        canvas.rectangle(x, 0, x + 0.22, 0.3, _RUBBER)
    canvas.rectangle(0.03, 0.22, width - 0.03, 0.38, mix(paint, (20, 20, 22), 0.75))
    return canvas


def screen(paint: Colour, shape: Shape) -> UInt8[np.ndarray, "h w 4"]:
    """A window between leaning pillars, for the near end of the cabin; narrower at the top."""
    width, lean = shape.width, shape.lean
    canvas = Canvas(width, 1, (128, 64))
    canvas.polygon([(0, 0), (width, 0), (width - lean, 1), (lean, 1)], paint)
    canvas.polygon([(0.1, 0.06), (width - 0.1, 0.06), (width - lean - 0.08, 0.88), (lean + 0.08, 0.88)], _GLASS)
    canvas.polygon([(0.16, 0.5), (width - 0.16, 0.62), (width - lean - 0.08, 0.88), (lean + 0.08, 0.88)], mix(_GLASS, _SHINE, 0.35))
    canvas.polygon([(0.4, 0.06), (0.8, 0.06), (1.08, 0.88), (0.74, 0.88)], mix(_GLASS, _SHINE, 0.6))
    for seat in (0.28 * width, 0.62 * width):
        canvas.rectangle(seat, 0.06, seat + 0.2, 0.4, (24, 26, 30))
    return canvas.filled()


def cabin(paint: Colour, shape: Shape) -> UInt8[np.ndarray, "h w 4"]:
    """The left side of the cabin, front on the left."""
    length = shape.cabin_length
    canvas = Canvas(length, 1, (256, 64))
    front_top, rear_top = shape.front_slope, length - shape.rear_slope
    canvas.polygon([(0, 0), (length, 0), (rear_top, 1), (front_top, 1)], paint)
    end = shape.glazed * length
    middle = end if shape.glazed < 0.5 else 0.46 * length
    windows = [[(0.2, 0.08), (middle, 0.08), (middle, 0.86), (front_top + 0.05, 0.86)]]
    if middle < end:
        windows.append([(middle + 0.1, 0.08), (end, 0.08), (min(end, rear_top - 0.05), 0.86), (middle + 0.1, 0.86)])
    for pane in windows:
        canvas.polygon(pane, _GLASS)
        (left, _), (right, _), (right_top, top), (left_top, _) = pane
        canvas.polygon(
            [((left + left_top) / 2, 0.5), ((right + right_top) / 2, 0.6), (right_top, top), (left_top, top)], mix(_GLASS, _SHINE, 0.5)
        )
    return canvas.filled()


def top(paint: Colour) -> UInt8[np.ndarray, "h w 4"]:
    """Sheet metal that mirrors the sky."""
    return Canvas(1, 1, (16, 16), mix(paint, (220, 232, 244), 0.35)).pixels
