"""Drawing in metres, and noise."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from pipeline.street_world.values import Colour, Number

_SUBTEXEL_BITS = 6
_SUBTEXEL = 2**_SUBTEXEL_BITS


class Canvas:
    """A texture `width` x `height` metres large; x to the right and y up from its lower left corner."""

    def __init__(self, width: Number, height: Number, texels: tuple[int, int], ground: Colour | None = None) -> None:
        """`texels` are columns and rows; without `ground` the texture begins as one hole."""
        columns, rows = texels
        self.width, self.height = width, height
        self.scale = (columns / width, rows / height)
        self.pixels = np.zeros((rows, columns, 4), np.uint8)
        if ground is not None:
            self.pixels[:] = (*ground, 255)

    def polygon(self, points: Sequence[tuple[Number, Number]], colour: Colour) -> None:
        across, down = self.scale
        fixed = [(round((x * across - 0.5) * _SUBTEXEL), round(((self.height - y) * down - 0.5) * _SUBTEXEL)) for x, y in points]
        cv2.fillConvexPoly(self.pixels, np.array(fixed, np.int32), (*colour, 255), cv2.LINE_AA, _SUBTEXEL_BITS)

    def rectangle(self, left: Number, bottom: Number, right: Number, top: Number, colour: Colour) -> None:
        self.polygon([(left, bottom), (right, bottom), (right, top), (left, top)], colour)

    def ellipse(self, x: Number, y: Number, half_width: Number, half_height: Number, colour: Colour) -> None:
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        ring = np.stack([x + half_width * np.cos(angles), y + half_height * np.sin(angles)], axis=1)
        self.polygon([(float(a), float(b)) for a, b in ring], colour)

    def shade(self, gain: Float32[np.ndarray, "h w"]) -> None:
        """Multiply the colours, at every texel; one colour after the other, which is faster."""
        *colours, alpha = cv2.split(self.pixels)
        cv2.merge([*(np.clip(colour * gain, 0, 255).astype(np.uint8) for colour in colours), alpha], self.pixels)

    def cut(self, solid: Bool[np.ndarray, "h w"]) -> None:
        """Leave holes elsewhere."""
        self.pixels[~solid] = 0

    def filled(self) -> UInt8[np.ndarray, "h w 4"]:
        """The texture with the colours of its rims carried into the holes, so that blurring adds no dark fringe."""
        premultiplied = self.pixels.astype(np.float32)
        wide = cv2.blur(premultiplied, (15, 15)) + cv2.blur(premultiplied, (63, 63)) * 1e-3 + 1e-6
        *around, cover = cv2.split(cv2.blur(premultiplied, (3, 3)) + wide * 1e-3)
        *colours, alpha = cv2.split(self.pixels)
        opaque, gain = alpha == 255, 255 / cover
        carried = [np.clip(colour * gain, 0, 255).astype(np.uint8) for colour in around]
        return cv2.merge([*(np.where(opaque, *pair) for pair in zip(colours, carried, strict=True)), alpha])


def noise(rng: np.random.Generator, rows: int, columns: int, smoothness: float) -> Float32[np.ndarray, "rows columns"]:
    """Noise that tiles, of mean 0 and deviation 1: white at smoothness 0, cloudy at 2."""
    spectrum = np.fft.rfft2(rng.standard_normal((rows, columns), np.float32))
    vertical = np.fft.fftfreq(rows, 1 / rows).astype(np.float32)[:, None]
    horizontal = np.fft.rfftfreq(columns, 1 / columns).astype(np.float32)
    frequency = np.hypot(vertical, horizontal)
    frequency[0, 0] = np.inf
    shaped = spectrum * frequency ** np.float32(-smoothness)
    field: Float32[np.ndarray, "rows columns"] = np.fft.irfft2(shaped, s=(rows, columns)).astype(np.float32)
    field /= field.std()
    return field


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the second colour in the first."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return (red, green, blue)
