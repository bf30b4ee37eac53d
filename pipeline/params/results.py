"""From trained networks to a report: what is synthesized, measured and shown."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from pipeline.params.section import Count, Section


class Synthesize(Section):
    uncounted: ClassVar[frozenset[str]] = frozenset({"part_frames"})

    first_frame: Literal["itself", "image_generator", "given"]
    """What a video begins with: what the model makes from nothing; the image generator's frames; or real ones, which are part of it."""
    part_frames: Count
    """A long clip is kept in parts of so many frames while it is made: what a kill can cost."""
    crf: Annotated[int, Field(ge=0, le=51)]
    """H.264 quality of the mp4; the frames beside it are lossless."""


class VideoNetwork(Section):
    """Video FID and kernel video distance: whose features of which windows of the test clips."""

    name: Literal["random", "mc3_18", "mvit_v1_b", "mvit_v2_s", "r2plus1d_18", "r3d_18", "s3d", "swin3d_b", "swin3d_s", "swin3d_t"]
    """`random`: fixed random weights, good for comparing the methods of one report; else one of torchvision's, trained on Kinetics."""
    weights: str | None
    """Path of a named network's weights (.pth, as torchvision publishes them), or their name in weights.csv; null for `random`."""
    window_frames: Annotated[int, Field(ge=2)]
    """A sample is a window of so many frames. The Kinetics networks learned from 16 or more; mvit takes 16 alone, s3d 14 or more."""
    window_stride: Count
    """Frames from the start of a window to that of the next. 1 gives most windows, which share most of their frames."""

    @model_validator(mode="after")
    def _named_networks_have_weights(self) -> "VideoNetwork":
        if self.name == "random" and self.weights is not None:
            raise ValueError("random takes no weights: name the network that they are of, or set weights to null")
        if self.name != "random" and self.weights is None:
            raise ValueError(f"{self.name} needs the path or name of its weights; without any, name must be random")
        return self

    @model_validator(mode="after")
    def _windows_are_of_a_length_that_the_network_takes(self) -> "VideoNetwork":
        if self.name.startswith("mvit") and self.window_frames != 16:
            raise ValueError(f"{self.name} takes windows of 16 frames alone, window_frames is {self.window_frames}")
        if self.name == "s3d" and self.window_frames < 14:
            raise ValueError(f"s3d takes windows of 14 frames or more, window_frames is {self.window_frames}")
        return self


class Evaluate(Section):
    stride: Count
    """Optical flow stride of the warping error."""
    video_network: VideoNetwork


class Report(Section):
    clips: Count
    """How many test clips the page shows."""
    crf: Annotated[int, Field(ge=0, le=51)]
