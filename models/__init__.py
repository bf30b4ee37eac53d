"""Tensors: the networks and losses of vid2vid (Wang et al., NeurIPS 2018).

Frames are float RGB in [-1, 1]; axes are `b t c h w`; optical flow is (dx, dy) in pixels from a frame to an earlier one.
"""
