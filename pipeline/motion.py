"""What optical flow says of ids: labels or instances of one frame, seen from the next."""

import cv2
import numpy as np
from jaxtyping import Float, Integer


def moved(ids: Integer[np.ndarray, "h w"], optical_flow: Float[np.ndarray, "h w 2"]) -> Integer[np.ndarray, "h w"]:
    """Ids of the frame before, where the flow says they are now: nearest pixel, 0 where that is outside."""
    height, width = ids.shape
    x = optical_flow[..., 0] + np.arange(width, dtype=np.float32)
    y = optical_flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    values: np.ndarray = cv2.remap(ids, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return values
