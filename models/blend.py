"""How a frame is put together from what was drawn and what was warped.

`mask` is the paper's m: 1 = drawn, 0 = warped. `foreground_mask` is its 1 - m_B; a generator without a foreground has neither it nor
`foreground`.
"""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

Blend = Literal["foreground_last", "paper"]

Image = Float[Tensor, "b 3 h w"]
Share = Float[Tensor, "b 1 h w"]


def foreground_last(*, warped: Image, mask: Share, background: Image, foreground: Image | None, foreground_mask: Share | None) -> Image:
    """M h_F + (1 - M) (m h_B + (1 - m) warped): the foreground is never warped, as in the reference."""
    return cover(background * mask + warped * (1 - mask), foreground, foreground_mask)


def paper(*, warped: Image, mask: Share, background: Image, foreground: Image | None, foreground_mask: Share | None) -> Image:
    """m (M h_F + (1 - M) h_B) + (1 - m) warped: F as the paper writes it."""
    return cover(background, foreground, foreground_mask) * mask + warped * (1 - mask)


def cover(background: Image, foreground: Image | None, foreground_mask: Share | None) -> Image:
    if foreground is None or foreground_mask is None:
        return background
    return foreground * foreground_mask + background * (1 - foreground_mask)
