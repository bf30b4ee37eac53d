"""The lines of a frame. A back-end has `build(...) -> Draw`; what a `build` may ask for beside its options:

clips   the clip's folder (frames.zip and the source's truth)
device  "cpu" or "cuda"
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8

Draw = Callable[[UInt8[np.ndarray, "b h w 3"]], UInt8[np.ndarray, "b h w channel"]]
"""Frames in RGB -> their edges, 255 on a line. Equal input gives equal edges."""
