"""Types and meaning of everything in params.yaml. The values stand there alone: no field has a default here."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, model_validator

Count = Annotated[int, Field(gt=0, le=1_000_000_000)]
CountOrZero = Annotated[int, Field(ge=0, le=1_000_000_000)]
Few = Annotated[int, Field(gt=0, le=100)]
Pixels = Annotated[int, Field(ge=16, le=16_384)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0.01, le=1000)]
"""Frames a second."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


def _ascending(values: list[float]) -> list[float]:
    if sorted(values) != values:
        raise ValueError("the smaller one comes first")
    return values


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    """Strict: "220", 220.0 or true is no number of steps."""


class Machine(Section):
    """Where the work runs. Only `device` and `threads` can change results, in rounding."""

    device: Literal["cpu", "cuda"]
    threads: Annotated[int, Field(gt=0, le=1024)]
    """CPU threads of a whole-data-set stage (training); per-clip stages use one thread in each worker."""
    workers: Count
    """Processes that work on clips side by side."""
    task_runner: Literal["local", "dask", "ray"]
    """Where a Prefect server answers: what maps the clips. `local`: the worker processes of this machine."""


class SampleStreet(Section):
    """The built-in street world, drawn by a seed; needs no files."""

    kind: Literal["sample_street"]
    seed: CountOrZero
    width: Pixels
    height: Pixels
    """Rendered size in pixels; `clips` scales it if it wants another."""
    train_clips: Count
    train_frames: Count
    test_clips: Count
    test_frames: Count
    long_frames: CountOrZero
    """One more test clip, a long one; 0 = none."""
    approach_frames: CountOrZero
    """One more test clip, in which the camera comes close to a standing car and stops; 0 = none."""
    strides: list[Count]
    """Strides of the true optical flow that is kept beside the frames."""
    frames_per_second: Count


class Frames(Section):
    """Folders of images, one folder a sequence, with label images of some or all frames."""

    kind: Literal["frames"]
    path: str
    frames: str
    """Folder of images below `path`; its subfolders are the sequences, or it is one sequence itself."""
    labels: str | None
    """Folder of label-id images with the same subfolders and file names; null = none."""
    labels_cover: Literal["all", "some"]
    """`all`: a frame without a label image is refused."""
    palette: str | None
    """Built-in palette or path of a palette file; needed with labels."""
    splits: str | None
    """A table (CSV) below `path` with columns sequence (a folder) and split (train, test or none); null = as follows."""
    test_sequences: list[str]
    test_frames: CountOrZero
    """The last frames of every other sequence are for testing, too."""
    take_every: Count
    """Every n-th image alone is a frame."""
    frames_per_second: Rate
    """Of the images that are taken."""
    scene_threshold: PositiveFloat | None
    """As for `videos`."""


class VideoFiles(Section):
    """How videos are read, whatever they show."""

    path: str
    frames_per_second: Rate | None
    """Frames are taken at this constant rate; null = all frames, of videos with a constant rate."""
    scene_threshold: PositiveFloat | None
    """Clips end where the scene changes: how many times a frame's difference to the one before must exceed that of its neighbours,
    3 for most videos; null = each video is one shot."""


class Videos(VideoFiles):
    """A folder of videos (mp4, mov, mkv, avi, webm), one file a sequence; no labels."""

    kind: Literal["videos"]
    splits: str | None
    """A table (CSV) below `path` with columns sequence (name of a file) and split (train, test or none); null = as follows."""
    test_videos: list[str]
    """Files below `path`, or folders of files, that are for testing."""
    test_frames: CountOrZero
    """The last frames of every other video are for testing, too."""


class FaceForensics(VideoFiles):
    """Videos of talking people, such as FaceForensics and FaceForensics++; each clip shows one face."""

    kind: Literal["faceforensics"]
    folders: Annotated[list[str], Field(min_length=1)]
    """Folders of original videos below `path`, in one quality; those of manipulated ones are refused."""
    splits: str | None
    """A table (CSV) below `path` with columns sequence (path of a file) and split (train, test or none); null = as follows."""
    test_share: Fraction
    """Of the people (by a hash of the video's name: stable when videos are added); the others are for training."""
    face_weights: str | None
    """YuNet, which finds the faces: name in `python -m pipeline weights list`, or path (.onnx)."""
    face_every: Count
    """Every n-th frame is looked at."""
    face_lost: CountOrZero
    """Looks at a clip that may show no face; clips with more are left out and listed."""
    face_enlarge: PositiveFloat
    """Side of the square that is shown, in widths of the face."""
    face_follow: PositiveFloat | None
    """The square follows the face, its way smoothed by a Gaussian of this deviation in frames; null = it stays in its place."""


class Paired(Section):
    """Folders as vid2vid's readers want them: {train,test}_{A,B,inst} (label maps, frames, instances), or {train,test}_img with _keypoints
    (68 landmarks of a face), _openpose or _densepose."""

    kind: Literal["paired"]
    path: str
    palette: str | None
    """Built-in palette or path of a palette file, of the label maps; needed with `_A`."""
    frames_per_second: Rate


class Cityscapes(Section):
    """The official folders leftImg8bit_sequence and gtFine, and leftImg8bit/demoVideo where it is there."""

    kind: Literal["cityscapes"]
    path: str


class Apolloscape(Section):
    """The official folders roadNN_ins and roadNN_seg of ApolloScape's scene parsing; a record seen by one camera is a sequence."""

    kind: Literal["apolloscape"]
    path: str
    longest_gap_seconds: PositiveFloat
    """Clips end where the times in the file names jump by more: the camera takes a picture a metre, and traffic moves on at a stop."""


Source = SampleStreet | Frames | Videos | FaceForensics | Paired | Cityscapes | Apolloscape


def has_labels(source: Source) -> bool:
    """Whether some of its frames may have label images."""
    match source:
        case VideoFiles() | Frames(labels=None) | Paired(palette=None):
            return False
        case _:
            return True


SOURCES: dict[str, type[Source]] = {
    "sample_street": SampleStreet,
    "frames": Frames,
    "videos": Videos,
    "faceforensics": FaceForensics,
    "paired": Paired,
    "cityscapes": Cityscapes,
    "apolloscape": Apolloscape,
}


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
    """Frames in a row without it that take the last one's."""
    missing: Literal["refuse", "cut"]
    """Of a clip with a longer gap: `refuse` it, naming the frames; or `cut` it to its longest part without one."""


class Pose(Gaps):
    people: Few
    """How many people's poses are kept, the main person first."""
    batch_size: Count


class Edges(Gaps):
    """A gap with landmarks on both sides takes those on the line between them."""

    batch_size: Count
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


SECTIONS: dict[str, type[Section]] = {
    "clips": Clips,
    "segmentation_model": SegmentationModel,
    "segmentation": Segmentation,
    "instances": Instances,
    "optical_flow": OpticalFlow,
    "pose": Pose,
    "edges": Edges,
    "quality": Quality,
    "quality_page": QualityPage,
    "dataset": Dataset,
    "train": Train,
    "train_per_frame": TrainPerFrame,
    "synthesize": Synthesize,
    "evaluate": Evaluate,
    "report": Report,
}


def section_name(cls: type[Section]) -> str:
    return next(name for name, section in SECTIONS.items() if section is cls)
