"""A street that a camera drives through, drawn from a seed, with the exact truth about every pixel.

`render` yields frames with labels, instances, and for each stride k the optical flow (dx, dy) in pixels from frame t to
frame t-k, so that warping frame t-k by it gives frame t, and where it is visible there.
"""

from pipeline.street_world.render import RenderedFrame, render

__all__ = ["RenderedFrame", "render"]
