"""From a data set to a report: the stages that train, synthesize and compare."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from pipeline.params.section import Count, CountOrZero, Few, Fraction, Section


class Generator(Section):
    width: Count
    """Channels at full resolution."""
    downsamplings: Few
    blocks: Count
    """Residual blocks of the coarsest scale."""
    fine_blocks: Count
    """Residual blocks of each finer scale."""
    scales: Few
    past_frames: Few
    norm: Literal["instance", "batch"]
    foreground: bool
    """A generator of its own for the palette's foreground classes."""
    warping: bool
    """Flow and mask branch: blend the warped past frame with the hallucinated one."""


class Discriminator(Section):
    width: Count
    layers: Few
    scales: Few


class Weights(Section):
    """Weights of the loss terms, by their names in losses.csv; 0 switches a term off."""

    image_gan: NonNegativeFloat
    image_feature_matching: NonNegativeFloat
    image_real: NonNegativeFloat
    image_fake: NonNegativeFloat
    """The image discriminator's own two terms."""
    video_gan: NonNegativeFloat
    video_feature_matching: NonNegativeFloat
    video_real: NonNegativeFloat
    video_fake: NonNegativeFloat
    perceptual: NonNegativeFloat
    """VGG features; needs vgg_weights."""
    reconstruction: NonNegativeFloat
    """L1 of colours; not in the paper. For where no VGG weights are at hand."""
    optical_flow: NonNegativeFloat
    flow_warp: NonNegativeFloat
    temporal_warp: NonNegativeFloat
    mask: NonNegativeFloat


class Train(Section):
    generator: Generator
    image_discriminator: Discriminator
    video_discriminator: Discriminator
    gan: Literal["lsgan", "hinge"]
    weights: Weights
    vgg_weights: str | None
    """Path or name of torchvision's VGG19 weights (.pth) for the perceptual term; null only where its weight is 0."""
    steps: Count
    batch_size: Count
    window_frames: Annotated[int, Field(ge=3)]
    """Frames generated one after another in a step."""
    start_from_nothing: Fraction
    """Share of windows that start without past frames, as synthesis does; the others start from real ones."""
    learning_rate: PositiveFloat
    decay_from: Fraction
    """After this share of the steps the rate falls linearly to 0."""
    save_every: Count
    """Steps between two saved states: what a kill can cost."""
    log_every: Count
    """losses.csv has a row, the mean, for each so many steps."""
    preview_every: Count
    precision: Literal["float32", "bfloat16"]
    """Of convolutions; optical flow, warping and losses are always float32."""
    seed: CountOrZero


class TrainPerFrame(Section):
    enabled: bool
    """Also train the same generator without the past, for comparison: parameters, steps and data of `train`, but no warping branch, no
    video discriminator and one fake image a frame, since nothing is blended."""


class Synthesize(Section):
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
