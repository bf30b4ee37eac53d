"""Fronts of houses, 12 metres wide and 24 high, with the ground floor at the bottom; blind side walls."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from pipeline.street_world.textures.canvas import Canvas, mix, noise
from pipeline.street_world.values import Colour

WIDTH_METRES = 12.0
HEIGHT_METRES = 24.0
GROUND_FLOOR_METRES = 3.9
FLOOR_METRES = 3.15
_WALLS: list[Colour] = [
    (206, 190, 164),
    (188, 160, 130),
    (178, 112, 88),
    (198, 196, 190),
    (214, 198, 150),
    (160, 140, 128),
    (196, 170, 158),
]
_TEXELS = (256, 512)


@dataclass(frozen=True)
class Style:
    wall: Colour
    trim: Colour
    columns: int
    window: tuple[float, float]
    """Width and height."""
    bricks: bool
    balconies: bool
    shop: bool


def plaster(rng: np.random.Generator) -> Float32[np.ndarray, "h w"]:
    """Its unevenness, of mean 0 and deviation 1; one is enough for all houses."""
    columns, rows = _TEXELS
    return noise(rng, rows, columns, 1.2)


def _piece(rng: np.random.Generator, field: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """The field, which tiles, from another place on."""
    return np.roll(field, (int(rng.integers(field.shape[0])), int(rng.integers(field.shape[1]))), axis=(0, 1))


def front(rng: np.random.Generator, style: Style, unevenness: Float32[np.ndarray, "rows columns"]) -> UInt8[np.ndarray, "h w 4"]:
    canvas = Canvas(WIDTH_METRES, HEIGHT_METRES, _TEXELS, style.wall)
    _wall_texture(canvas, rng, style, _piece(rng, unevenness))
    (_shop if style.shop else _plinth)(canvas, rng, style)
    for floor in range(int((HEIGHT_METRES - GROUND_FLOOR_METRES) / FLOOR_METRES)):
        _floor(canvas, rng, style, GROUND_FLOOR_METRES + floor * FLOOR_METRES)
    return canvas.pixels


def blind(rng: np.random.Generator, style: Style, unevenness: Float32[np.ndarray, "rows columns"]) -> UInt8[np.ndarray, "h w 4"]:
    """A side wall: plaster, stains that run down, a column of small windows."""
    wall = mix(style.wall, (146, 134, 122), 0.35)
    canvas = Canvas(WIDTH_METRES, HEIGHT_METRES, (128, 256), wall)
    field = cv2.resize(_piece(rng, unevenness), (128, 256), interpolation=cv2.INTER_LINEAR)
    stains = cv2.blur(field[:, ::-1], (1, 41))
    gain = 1 + 0.05 * field + 0.08 * stains / stains.std()
    if style.bricks:
        gain = gain * np.repeat(rng.normal(1, 0.05, (128, 128)), 2, axis=0)
    canvas.shade(gain.astype(np.float32))
    small = replace(style, window=(0.8, 1.25))
    for x in rng.choice([2.0, 4.0, 6.0, 8.0, 10.0], int(rng.integers(1, 4)), replace=False):
        for floor in range(int((HEIGHT_METRES - GROUND_FLOOR_METRES) / FLOOR_METRES)):
            if rng.random() < 0.85:
                _window(canvas, rng, small, float(x), GROUND_FLOOR_METRES + floor * FLOOR_METRES + 0.9)
    canvas.rectangle(0, 0, WIDTH_METRES, 0.9, mix(wall, (104, 98, 92), 0.6))
    return canvas.pixels


def cornice(rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    """The eaves: 12 metres long, with brackets."""
    canvas = Canvas(WIDTH_METRES, 0.6, (256, 16), (204, 196, 182))
    for bracket in range(24):
        canvas.rectangle(bracket * 0.5 + 0.1, 0.0, bracket * 0.5 + 0.3, 0.3, (150, 140, 128))
    canvas.rectangle(0, 0.45, WIDTH_METRES, 0.6, (128, 104, 92))
    canvas.shade(1 + 0.04 * noise(rng, 16, 256, 1.0))
    return canvas.pixels


def roof(rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    """Tiles, 12 metres long and 2.5 up the slope, with skylights."""
    canvas = Canvas(WIDTH_METRES, 2.5, (256, 64), (138, 84, 68))
    for row in range(8):
        canvas.rectangle(0, row * 0.31, WIDTH_METRES, row * 0.31 + 0.07, (100, 62, 54))
    canvas.shade(1 + 0.1 * noise(rng, 64, 256, 0.5))
    for x in rng.choice([2.0, 5.0, 8.0, 10.0], 2, replace=False):
        canvas.rectangle(x - 0.45, 0.7, x + 0.45, 1.8, (74, 62, 58))
        canvas.rectangle(x - 0.36, 0.78, x + 0.36, 1.72, (122, 146, 170))
    return canvas.pixels


def gable() -> UInt8[np.ndarray, "h w 4"]:
    """The end of a roof whose slope is on the left."""
    canvas = Canvas(11, 2.2, (128, 32))
    canvas.polygon([(0, 0), (11, 0), (11, 2.2), (1.3, 2.2)], (164, 146, 132))
    canvas.polygon([(0, 0), (0.25, 0), (1.55, 2.2), (1.3, 2.2)], (112, 72, 62))
    canvas.rectangle(1.3, 2.0, 11, 2.2, (112, 72, 62))
    return canvas.filled()


def chimney(rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    canvas = Canvas(1.1, 1.5, (32, 64), (150, 92, 74))
    for row in range(12):
        canvas.rectangle(0, row * 0.125, 1.1, row * 0.125 + 0.03, (126, 96, 86))
    canvas.shade(1 + 0.08 * noise(rng, 64, 32, 0.3))
    canvas.rectangle(0, 1.38, 1.1, 1.5, (92, 78, 72))
    return canvas.pixels


def style(rng: np.random.Generator) -> Style:
    wall = _WALLS[rng.integers(len(_WALLS))]
    return Style(
        wall=wall,
        trim=mix(wall, (240, 236, 226), rng.uniform(0.5, 0.9)),
        columns=int(rng.integers(4, 6)),
        window=(rng.uniform(1.05, 1.3), rng.uniform(1.6, 1.9)),
        bricks=bool(wall[0] - wall[2] > 70 or rng.random() < 0.25),
        balconies=bool(rng.random() < 0.35),
        shop=bool(rng.random() < 0.55),
    )


def _wall_texture(canvas: Canvas, rng: np.random.Generator, style: Style, unevenness: Float32[np.ndarray, "rows columns"]) -> None:
    columns, rows = _TEXELS
    gain = 1 + 0.05 * unevenness
    if style.bricks:
        tones = np.repeat(np.repeat(rng.normal(1, 0.06, (rows // 4, columns // 8)), 4, axis=0), 8, axis=1)
        tones[::4] *= 0.88
        gain = gain * tones
    canvas.shade(gain.astype(np.float32))


def _floor(canvas: Canvas, rng: np.random.Generator, style: Style, bottom: float) -> None:
    canvas.rectangle(0, bottom - 0.12, WIDTH_METRES, bottom + 0.1, style.trim)
    canvas.rectangle(0, bottom - 0.2, WIDTH_METRES, bottom - 0.12, mix(style.wall, (60, 50, 45), 0.45))
    balcony = style.balconies and rng.random() < 0.7
    for column in range(style.columns):
        x = (column + 0.5) * WIDTH_METRES / style.columns
        _window(canvas, rng, style, x, bottom + 0.75)
        if balcony and column in (1, style.columns - 2):
            _balcony(canvas, x, bottom + 0.1)


def _window(canvas: Canvas, rng: np.random.Generator, style: Style, x: float, bottom: float) -> None:
    half, height = style.window[0] / 2, style.window[1]
    shadow = mix(style.wall, (50, 44, 40), 0.5)
    canvas.rectangle(x - half - 0.12, bottom - 0.22, x + half + 0.2, bottom + height + 0.04, shadow)
    canvas.rectangle(x - half - 0.14, bottom - 0.1, x + half + 0.14, bottom + height + 0.16, style.trim)
    glass = mix((52, 62, 76), (112, 132, 150), rng.uniform(0, 0.8))
    canvas.rectangle(x - half, bottom, x + half, bottom + height, glass)
    reflection = mix(glass, (206, 222, 236), 0.4)
    slant = [(x - half, bottom + 0.5 * height), (x + half, bottom + 0.85 * height), (x + half, bottom + height)]
    canvas.polygon([*slant, (x - half, bottom + height)], reflection)
    if rng.random() < 0.4:
        _curtains(canvas, rng, x, bottom, half, height)
    canvas.rectangle(x - 0.035, bottom, x + 0.035, bottom + height, style.trim)
    canvas.rectangle(x - half, bottom + 0.64 * height, x + half, bottom + 0.68 * height, style.trim)
    canvas.rectangle(x - half - 0.22, bottom - 0.16, x + half + 0.22, bottom - 0.04, mix(style.trim, (255, 255, 255), 0.3))


def _curtains(canvas: Canvas, rng: np.random.Generator, x: float, bottom: float, half: float, height: float) -> None:
    colour = mix((222, 214, 196), (176, 160, 140), rng.random())
    for side in (-1, 1):
        inner, outer = sorted((x + side * half * 0.5, x + side * half))
        canvas.rectangle(inner, bottom, outer, bottom + height, colour)


def _balcony(canvas: Canvas, x: float, bottom: float) -> None:
    canvas.rectangle(x - 1.1, bottom - 0.12, x + 1.1, bottom + 0.06, (150, 146, 140))
    for bar in np.linspace(x - 1.05, x + 1.05, 12):
        canvas.rectangle(bar - 0.025, bottom + 0.06, bar + 0.025, bottom + 0.95, (58, 56, 58))
    canvas.rectangle(x - 1.1, bottom + 0.92, x + 1.1, bottom + 1.02, (48, 46, 48))


def _plinth(canvas: Canvas, rng: np.random.Generator, style: Style) -> None:
    stone = mix(style.wall, (120, 114, 108), 0.7)
    canvas.rectangle(0, 0, WIDTH_METRES, 1.0, stone)
    door = int(rng.integers(style.columns))
    for column in range(style.columns):
        x = (column + 0.5) * WIDTH_METRES / style.columns
        if column == door:
            _door(canvas, rng, style, x)
        else:
            _window(canvas, rng, style, x, 1.25)


def _door(canvas: Canvas, rng: np.random.Generator, style: Style, x: float) -> None:
    wood = [(96, 62, 44), (58, 78, 70), (70, 60, 84), (112, 44, 40)][rng.integers(4)]
    canvas.rectangle(x - 0.8, 0, x + 0.8, 2.95, style.trim)
    canvas.rectangle(x - 0.62, 0.1, x + 0.62, 2.3, wood)
    canvas.rectangle(x - 0.62, 2.36, x + 0.62, 2.8, (86, 100, 112))
    for side in (-0.32, 0.32):
        canvas.rectangle(x + side - 0.2, 0.4, x + side + 0.2, 1.1, mix(wood, (0, 0, 0), 0.25))
        canvas.rectangle(x + side - 0.2, 1.3, x + side + 0.2, 2.1, mix(wood, (0, 0, 0), 0.25))


def _shop(canvas: Canvas, rng: np.random.Generator, style: Style) -> None:
    sign = [(148, 52, 46), (44, 84, 72), (52, 66, 104), (190, 152, 72), (70, 58, 54)][rng.integers(5)]
    canvas.rectangle(0, 0, WIDTH_METRES, 3.7, mix(sign, (40, 36, 34), 0.55))
    canvas.rectangle(0.3, 2.95, WIDTH_METRES - 0.3, 3.6, sign)
    for letter in np.arange(3.2, 3.2 + rng.uniform(3, 5.5), 0.42):
        canvas.rectangle(letter, 3.12, letter + rng.uniform(0.16, 0.32), 3.45, (236, 228, 208))
    for pane in range(4):
        left = 0.4 + pane * 2.85
        glass = mix((64, 72, 80), (168, 156, 128), rng.uniform(0, 0.7))
        canvas.rectangle(left, 0.1 if pane == 1 else 0.55, left + 2.5, 2.75, glass)
        light = mix(glass, (226, 232, 236), 0.35)
        canvas.polygon([(left, 1.3), (left + 1.0, 2.75), (left + 0.3, 2.75), (left, 2.3)], light)
        for ware in np.arange(left + 0.3, left + 2.2, 0.5):
            colour = rng.uniform(70, 200, 3)
            top = rng.uniform(0.8, 1.4)
            canvas.rectangle(ware, 0.6, ware + 0.3, top, (float(colour[0]), float(colour[1]), float(colour[2])))
    canvas.rectangle(3.9, 0.1, 4.1, 2.75, style.trim)
