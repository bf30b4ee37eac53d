"""Shadows on the ground: alpha is the share of the light that they take away."""

import numpy as np
from jaxtyping import Float, UInt8

_CONTACT = 0.8
_SIZE = 64


def contact() -> UInt8[np.ndarray, "h w 4"]:
    """A soft blot, where the sky does not reach under a thing."""
    squares = np.linspace(-1, 1, _SIZE) ** 2
    return _shadow(_CONTACT * np.minimum(2.2 * np.outer(1 - squares, 1 - squares), 1))


def edge(share: float) -> UInt8[np.ndarray, "h w 4"]:
    """Sharp but at the bottom, where a wall's upper edge throws it."""
    return _shadow(np.tile(share * np.clip((1 - np.linspace(0, 1, _SIZE)) / 0.04, 0, 1)[:, None], _SIZE))


def box(share: float) -> UInt8[np.ndarray, "h w 4"]:
    """Of cars and other blocks: soft all round."""
    rise = np.clip((1 - np.abs(np.linspace(-1, 1, _SIZE))) / 0.2, 0, 1)
    return _shadow(share * np.outer(rise, rise))


def leaves(crown: UInt8[np.ndarray, "h w 4"], share: float) -> UInt8[np.ndarray, "h w 4"]:
    return _shadow(share / 255 * crown[..., 3])


def _shadow(taken: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 4"]:
    black = np.zeros((*taken.shape, 4), np.uint8)
    black[..., 3] = np.rint(255 * taken)
    return black
