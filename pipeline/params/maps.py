"""From clips to a data set that a model can learn from: the stages that make maps and judge them."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, model_validator

from pipeline.params.section import Count, CountOrZero, Few, Fraction, Name, Pixels, Section


def _ascending(values: list[float]) -> list[float]:
    if sorted(values) != values:
        raise ValueError("the smaller one comes first")
    return values


class Clips(Section):
    width: Pixels
    height: Pixels
    """Stored size in pixels; the source is scaled to cover it and cropped centrally."""
    crop: Annotated[list[Pixels], Field(min_length=2, max_length=2)] | None
    """Width and height in pixels of the source: what is cut out of its centre before it is scaled; null = all."""
    frames: Annotated[int, Field(ge=2, le=1_000_000_000)]
    """Frames per training clip; the tail of a shot that does not fill one is dropped. Test clips stay whole."""
    stride: Count | None
    """Frames from the start of a training clip to that of the next, to thin out what is long and much the same; null = frames."""

    @model_validator(mode="after")
    def _clips_do_not_overlap(self) -> "Clips":
        if self.stride is not None and self.stride < self.frames:
            raise ValueError(f"stride is {self.stride}, less than frames: clips would overlap, training takes every window")
        return self


class Validation(Section):
    """How a training is judged while it goes on: by labelled frames of the training clips that it does not learn from."""

    every: Count | None
    """Steps from one look at them to the next; the best state is kept. null = never: the last state is kept."""
    frames: Count
    """How many are looked at, at most, evenly spread."""
    share: Fraction
    """Of the training sequences that are held out whole, where label_every leaves no labelled frame over; at least one."""
    patience: Count | None
    """Looks in a row without a better mean IoU after which training ends; null = all steps are done."""


class SegmentationModel(Section):
    uncounted: ClassVar[frozenset[str]] = frozenset({"save_every"})

    architecture: Literal["deeplabv3_mobilenet_v3_large", "deeplabv3_resnet50", "deeplabv3_resnet101"]
    weights: str | None
    """Path or name of a checkpoint to use as it is, instead of training one; null = train."""
    backbone_weights: str | None
    """Path or name of torchvision's weights (.pth) to begin with: of the backbone as a classifier, or of the whole network, of which the
    last layer is left out where the classes are others; null = random ones."""
    enlarge: PositiveFloat
    """The network sees frames enlarged by this factor: at its stride of 16, thin things vanish in small frames."""
    label_every: Count
    """Frames 0, n, 2n, ... of a training sequence are seen with their labels; the model learns from no other label."""
    validation: Validation
    crop: Annotated[list[Pixels], Field(min_length=2, max_length=2)] | None
    """Width and height in pixels, not enlarged, of what a training step sees of a scaled frame; null = the stored size."""
    scale_range: Annotated[list[PositiveFloat], Field(min_length=2, max_length=2), AfterValidator(_ascending)]
    """A training image is scaled by a factor from this range, then cropped or padded."""
    class_weighting: Literal["none", "frequency"]
    """Of a pixel's error. `frequency`: 1 / ln(1.02 + f) with its class's share f of the labelled pixels seen, for what is rare or small."""
    steps: Count
    batch_size: Annotated[int, Field(ge=2, le=1_000_000_000)]
    learning_rate: PositiveFloat
    power: PositiveFloat
    """The rate falls as (1 - step / steps) ** power."""
    save_every: Count
    """Steps between two saved states: what a kill can cost."""
    precision: Literal["float32", "bfloat16"]
    """Of the network while it trains; the error is always float32."""
    seed: CountOrZero


class Backend(Section):
    backend: str
    options: dict[str, Any]
    """Keyword arguments of the back-end's `build`."""


class Modality(Backend):
    backend: str | None  # type: ignore[assignment]
    """null = this data set has none of it: nothing is computed."""


class Segmentation(Modality):
    weights_from: Name
    """Data set whose segmentation model this one uses, usually itself: to label its frames and to label what was synthesized."""
    batch_size: Count


class Instances(Modality):
    min_pixels: Count
    """Smaller components are no objects."""
    min_overlap: Fraction
    """Intersection over union with the flow-warped object of the frame before, from which on it is the same object."""
    memory_frames: CountOrZero
    """An object that is not seen for so many frames in a row, or fewer, keeps its id."""
    batch_size: Count
    """Frames that a network sees at once."""


class OpticalFlow(Backend):
    strides: Annotated[list[Count], Field(min_length=1)]
    """k: flow from every frame to the one k frames earlier."""
    batch_size: Count
    """Pairs of frames that are measured at once: what a network costs in memory. A frame has two (there and back) for each stride."""
    scale: Annotated[float, Field(ge=0.125, le=4)]
    """Frames are measured at so many times their size; the stored flow is in pixels of the stored frames all the same."""
    rounding: PositiveFloat
    """Flow is stored as multiples of this many pixels."""
    photometric: PositiveFloat
    """Squared difference, summed over channels in [-1, 1], of a frame and the warped earlier one at which confidence is one half."""
    forward_backward: PositiveFloat
    """Pixels between a point and where the flow there and back again leads, at which confidence is one half."""


class Gaps(Modality):
    """Of what may be lost in some frames: a face, a person."""

    carry: CountOrZero
    """A gap of up to so many frames is filled: `pose` takes the last one before it, `edges` the line between both sides; at an end of
    the clip both take the one beside it."""
    missing: Literal["refuse", "cut"]
    """Of a clip with a longer gap: `refuse` it, naming the frames; or `cut` it to its longest part without one."""


class Pose(Gaps):
    people: Few
    """How many people's poses are kept, the main person first."""
    batch_size: Count


class Edges(Gaps):
    """A gap with landmarks on both sides takes those on the line between them."""

    smooth: NonNegativeFloat
    """Deviation in frames of the Gaussian that smooths the landmarks of a face in time; 0 = none. Jitter of the sketch would become
    flicker of the video."""


class Quality(Section):
    """What counts as an event when frames and maps are looked through; how much of it is too much is said in `quality_page`."""

    border: Fraction
    """Of the picture's smaller side: objects that come nearer to the border may enter and leave."""
    smallest: Fraction
    """Of the picture's pixels: smaller objects are not judged, far ones come and go."""
    jump_area: Fraction
    """An object jumps whose area, or that of the same object moved by optical flow, is less than this share of the other."""
    jump_shift: PositiveFloat
    """Or whose centres are further apart than this many times the square root of its area."""


class Limits(Section):
    """Clips with more than this are on the page's list to leave out; null = the measure is shown, and nothing is listed for it."""

    unsure_flow: PositiveFloat | None
    """Share of pixels whose optical flow has a confidence below 128; mean of the frames."""
    label_flicker: PositiveFloat | None
    """Share of pixels with sure flow whose label is another than that of the moved frame before; mean of the frames."""
    object_breaks: PositiveFloat | None
    """Objects that end or begin away from the border, per 100 frames."""
    object_jumps: PositiveFloat | None
    """Objects that are not where flow moves them, or of another size, per 100 frames."""
    lost_faces: PositiveFloat | None
    """Share of frames in which no face was found."""
    lost_people: PositiveFloat | None
    """Share of frames in which the person was not found."""


class QualityPage(Section):
    limits: Limits
    clips: Count
    """How many clips are shown with pictures for each measure, the worst first."""
    picture_width: Pixels


class Dataset(Section):
    exclude: list[str]
    """Clips to leave out."""
    min_frames: Count
    """Clips of which less is left, where frames show no face or person, are left out and listed."""
