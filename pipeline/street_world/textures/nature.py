"""Sky, the far skyline, crowns and trunks of trees."""

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from pipeline.street_world.textures.canvas import Canvas, noise


def sky(
    rng: np.random.Generator, zenith: Float[np.ndarray, "3"], horizon: Float[np.ndarray, "3"], cloudiness: float
) -> UInt8[np.ndarray, "h w 4"]:
    """A gradient and clouds that flatten towards the horizon, which is at the bottom."""
    rows, columns = 256, 1024
    height = np.linspace(1, 0, rows, dtype=np.float32)[:, None]
    # Clouds lie on a level sheet: their rows crowd together near the horizon.
    field = noise(rng, 256, 256, 1.6)
    distance = 1 / (height + 0.12)
    x = np.linspace(-1, 1, columns, dtype=np.float32)[None] * distance * 45
    sheet = cv2.remap(field, np.mod(x, 255), np.mod(np.broadcast_to(distance * 30, x.shape), 255), cv2.INTER_LINEAR)
    sheet = cv2.GaussianBlur(sheet, (0, 0), 2.0)
    cover = np.clip((sheet - 1.0 + 1.6 * cloudiness) * 0.8, 0, 1) * np.clip(height * 5, 0.15, 1)
    shaded = np.clip(0.93 + 0.06 * cv2.GaussianBlur(sheet, (0, 0), 6.0), 0.8, 1.05)
    painted = [np.full((rows, columns), 255, np.uint8)]
    for high, low, white in zip(zenith.tolist(), horizon.tolist(), (250.0, 249.0, 246.0), strict=True):
        blue = low + (high - low) * height**0.6
        painted.insert(-1, np.clip(blue + (white * shaded - blue) * 0.85 * cover, 0, 255).astype(np.uint8))
    return np.stack(painted, axis=-1)


def skyline(rng: np.random.Generator, haze: Float[np.ndarray, "3"]) -> UInt8[np.ndarray, "h w 4"]:
    """Far trees, hazy, with an irregular upper edge; the lower half is solid."""
    red, green, blue = (np.array([104.0, 124.0, 100.0]) * 0.55 + haze * 0.45).tolist()
    canvas = Canvas(1024, 64, (1024, 64), (red, green, blue))
    canvas.shade(1 + 0.06 * noise(rng, 64, 1024, 0.6))
    height = 44 + 7 * noise(rng, 1, 1024, 0.9)[0]
    canvas.cut(np.arange(64)[::-1, None] < height[None])
    return canvas.filled()


def crown(rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    """Leaves of a tree as a ragged ball, lit from above."""
    size = 256
    field, light = (cv2.resize(part, (size, size), interpolation=cv2.INTER_LINEAR) for part in _balls(rng, size // 4))
    rows = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    leaves = cv2.GaussianBlur(noise(rng, size, size, 0.3), (0, 0), 1.2)
    leaves = leaves / leaves.std()
    solid = field + 0.16 * leaves > 0.1
    gain = (1.0 + 0.22 * light + 0.5 * (0.5 - rows)) * (1 + 0.14 * leaves) * (0.9 + 0.15 * np.clip(field, 0, 1))
    canvas = Canvas(1, 1, (size, size), (86, 122, 52))
    canvas.shade(gain)
    canvas.cut(solid)
    return canvas.filled()


def _balls(rng: np.random.Generator, size: int) -> tuple[Float32[np.ndarray, "size size"], Float32[np.ndarray, "size size"]]:
    """How far inside a heap of balls each place lies, and how much its ball is lit there."""
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32) / size
    field = np.full((size, size), -1.0, np.float32)
    light = np.zeros((size, size), np.float32)
    for _ in range(16):
        angle, radius = rng.uniform(0, 2 * np.pi), 0.27 * np.sqrt(rng.random())
        x, y, reach = 0.5 + radius * np.cos(angle), 0.5 + radius * np.sin(angle), rng.uniform(0.13, 0.2)
        ball = (1 - np.hypot(columns - x, rows - y) / reach).astype(np.float32)
        light = np.where(ball > field, (y - rows) / reach, light).astype(np.float32)
        field = np.maximum(field, ball)
    return field, light


def trunk(rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    canvas = Canvas(0.5, 3.0, (32, 128))
    canvas.polygon([(0.08, 0), (0.42, 0), (0.34, 0.4), (0.16, 0.4)], (98, 80, 62))
    canvas.rectangle(0.16, 0.3, 0.34, 3.0, (98, 80, 62))
    roundness = 1.15 - 0.45 * np.linspace(0, 1, 32, dtype=np.float32)[None]
    canvas.shade(roundness * (1 + 0.12 * noise(rng, 128, 32, 0.5)))
    return canvas.filled()
