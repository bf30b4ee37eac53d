"""Road with markings, pavement, kerb, grass. Each texture covers one block of the street along its height."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from pipeline.street_world.textures.canvas import Canvas, noise

BLOCK_METRES = 24.0
_PAINT = (214.0, 212.0, 204.0)


def asphalt(rng: np.random.Generator) -> Float32[np.ndarray, "h w"]:
    """Its brightness, about 1."""
    return 1 + 0.045 * noise(rng, 512, 512, 0.3) + 0.045 * noise(rng, 512, 512, 1.3)


def road(
    rng: np.random.Generator, grain: Float32[np.ndarray, "h w"], half_width: float, lane: float, *, crossing: bool
) -> UInt8[np.ndarray, "h w 4"]:
    """Two lanes of width `lane`, parking strips beside them, and perhaps a zebra crossing."""
    canvas = Canvas(2 * half_width, BLOCK_METRES, (512, 512), (95, 97, 102))
    _repairs(canvas, rng, half_width)
    for side in (-1, 1):
        if half_width - lane > 1:
            edge = half_width + side * lane
            canvas.rectangle(edge - 0.06, 0, edge + 0.06, BLOCK_METRES, _PAINT)
    for dash in range(3):
        start = dash * BLOCK_METRES / 3 + 2.5
        if not (crossing and dash == 1):
            canvas.rectangle(half_width - 0.07, start, half_width + 0.07, start + 3.2, _PAINT)
    if crossing:
        for stripe in np.arange(0.5, 2 * half_width - 0.5, 1.0):
            canvas.rectangle(stripe, 10.0, stripe + 0.5, 13.4, _PAINT)
    tracks = np.abs(np.abs(np.linspace(-half_width, half_width, 512, dtype=np.float32)) - lane / 2)
    wear = 1 - 0.07 * np.exp(-(((tracks - 0.75) / 0.3) ** 2))
    gutter = 1 - 0.2 * np.clip((np.abs(np.linspace(-1, 1, 512)) - 0.95) / 0.05, 0, 1)
    canvas.shade((grain * wear * gutter).astype(np.float32))
    return canvas.pixels


def _repairs(canvas: Canvas, rng: np.random.Generator, half_width: float) -> None:
    for _ in range(3):
        x, y = rng.uniform(0.5, 2 * half_width - 3), rng.uniform(1, BLOCK_METRES - 7)
        tone = rng.choice([80.0, 102.0])
        canvas.rectangle(x, y, x + rng.uniform(0.8, 2.4), y + rng.uniform(2, 6), (tone, tone, tone + 3))
    x, y = half_width + rng.uniform(0.8, 1.6), rng.uniform(2, BLOCK_METRES - 2)
    canvas.ellipse(x, y, 0.36, 0.36, (66, 64, 62))
    canvas.ellipse(x, y, 0.28, 0.28, (84, 82, 80))


def pavement(rng: np.random.Generator, width: float) -> UInt8[np.ndarray, "h w 4"]:
    """Slabs; darker towards the houses, which stand on the left."""
    canvas = Canvas(width, BLOCK_METRES, (128, 512), (150, 144, 138))
    for row in range(24):
        for column in range(4):
            tone = float(rng.normal(172, 8))
            x, y = column * width / 4, row * BLOCK_METRES / 24
            canvas.rectangle(x + 0.02, y + 0.03, x + width / 4 - 0.02, y + 0.97, (tone + 6, tone, tone - 8))
    occlusion = 1 - 0.3 * np.exp(-np.linspace(0, width, 128) / 0.5)
    canvas.shade((occlusion * (1 + 0.05 * noise(rng, 512, 128, 0.9))).astype(np.float32))
    return canvas.pixels


def kerb(rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    canvas = Canvas(BLOCK_METRES, 1, (512, 16), (158, 156, 152))
    for stone in range(24):
        canvas.rectangle(stone - 0.03, 0, stone + 0.03, 1, (110, 108, 104))
    canvas.shade(1 + 0.06 * noise(rng, 16, 512, 0.8))
    return canvas.pixels


def grass(rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    canvas = Canvas(1, 1, (256, 256), (112, 138, 72))
    canvas.shade(1 + 0.1 * noise(rng, 256, 256, 0.4) + 0.09 * noise(rng, 256, 256, 1.5))
    return canvas.pixels


def hedge(rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    """Clipped leaves, lighter at the top; 12 metres long."""
    canvas = Canvas(12, 1, (256, 64), (70, 104, 48))
    light = np.linspace(1.25, 0.6, 64, dtype=np.float32)[:, None]
    canvas.shade(light * (1 + 0.22 * cv2.GaussianBlur(noise(rng, 64, 256, 0.2), (3, 3), 0)))
    return canvas.pixels


def wall(rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    """Rough stones under a coping; 12 metres long, 1.6 high."""
    canvas = Canvas(12, 1.6, (512, 64), (120, 112, 102))
    for row in range(5):
        for column in range(-1, 20):
            x, tone = column * 0.62 + 0.31 * (row % 2), float(rng.normal(158, 14))
            canvas.rectangle(x, row * 0.28 + 0.02, x + 0.59, row * 0.28 + 0.26, (tone, tone - 8, tone - 20))
    canvas.rectangle(0, 1.42, 12, 1.6, (176, 172, 164))
    canvas.shade(1 + 0.08 * noise(rng, 64, 512, 0.7))
    return canvas.pixels


def fence(rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    """Boards between posts; 12 metres long, 1.6 high."""
    canvas = Canvas(12, 1.6, (512, 64), (92, 66, 46))
    for board in range(60):
        tone = float(rng.normal(1, 0.09))
        colour = (150 * tone, 112 * tone, 78 * tone)
        canvas.rectangle(board * 0.2 + 0.015, 0.08, board * 0.2 + 0.185, 1.5, colour)
    for post in range(7):
        canvas.rectangle(post * 2 - 0.07, 0, post * 2 + 0.07, 1.6, (110, 80, 56))
    canvas.shade(1 + 0.07 * noise(rng, 64, 512, 0.8))
    return canvas.pixels
