"""A video's samples for video FID: the features of all its windows of some frames, one window every so many frames."""

from collections import deque
from collections.abc import Callable

import numpy as np
from jaxtyping import Float32, Float64, UInt8
from torch import Tensor

Prepare = Callable[[np.ndarray], Tensor]
"""A frame (uint8 h w 3) -> what the network sees of it (float 3 height width)."""

Network = Callable[[list[Tensor]], Float32[np.ndarray, " d"]]
"""A window's prepared frames -> its features."""


def num_windows(num_frames: int, length: int, stride: int) -> int:
    """0 for a video that is shorter than a window."""
    return max(0, (num_frames - length) // stride + 1)


class WindowFeatures:
    """Is shown a video frame by frame; holds no more than one window of prepared frames."""

    def __init__(self, prepare: Prepare, network: Network, *, length: int, stride: int) -> None:
        self.features: list[Float64[np.ndarray, " d"]] = []
        """Of the windows so far."""
        self._prepare, self._network = prepare, network
        self._window = deque[Tensor](maxlen=length)
        self._length, self._stride, self._seen = length, stride, 0

    def see(self, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
        self._window.append(self._prepare(rgb))
        self._seen += 1
        start = self._seen - self._length
        if start >= 0 and start % self._stride == 0:
            self.features.append(self._network(list(self._window)).astype(np.float64))
