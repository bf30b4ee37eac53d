"""Networks, their objective and how they are trained."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, field_validator, model_validator

from pipeline.params.section import Count, CountOrZero, Few, Fraction, Pixels, Section


class Generator(Section):
    width: Count
    """Channels at full resolution."""
    downsamplings: Few
    blocks: Count
    """Residual blocks of the coarsest scale."""
    fine_blocks: Count
    """Residual blocks of each finer scale."""
    scales: Few
    """Coarse to fine: each doubles the size of the one before."""
    past_frames: Few
    norm: Literal["instance", "batch"]
    foreground: bool
    """A generator of its own for the palette's foreground classes."""
    warping: bool
    """Flow and mask branch: blend the warped past frame with the hallucinated one."""
    blend: Literal["foreground_last", "paper"]
    """Where the foreground comes in: after the warped frame, and never warped, as in the reference; or before it, as the paper writes F."""
    mask: Literal["soft", "binary"]
    """What the motion branch's mask may be: any share of each, or one of them alone (a comparison of the paper)."""


class ImageGenerator(Section):
    width: Count
    """Channels of the global generator at its full resolution; a local one has half as many, at twice the size."""
    downsamplings: Few
    blocks: Count
    local_blocks: CountOrZero
    """Residual blocks of the local generator; 0 = there is none, the global one makes the frames at full size."""


class Discriminator(Section):
    width: Count
    layers: Few
    scales: Few


class VideoDiscriminator(Discriminator):
    strides: list[Few]
    """A network for each: groups of three frames so far apart, with the optical flow between them. None: no video discriminator."""

    @field_validator("strides")
    @classmethod
    def _rise(cls, strides: list[int]) -> list[int]:
        if strides != sorted(set(strides)):
            raise ValueError("strides must rise")
        return strides


class FaceDiscriminator(Discriminator):
    """Sees of each frame, and of its maps, a square around the main person's face, where the stored poses have it."""

    side: Annotated[float, Field(gt=0, le=1)]
    """Of the square, as a share of the frame's height; it is never wider than the frame."""

    def pixels(self, height: int, width: int) -> int:
        """The side in frames of this size."""
        return min(round(self.side * height), width)

    def least_pixels(self) -> int:
        """In less, the last layers of the coarsest scale would see more padding than picture."""
        return int(2 ** (self.layers + self.scales))


class Weights(Section):
    """Weights of the loss terms, by their names in losses.csv (there, a video discriminator's terms have its stride behind them); 0
    switches a term off."""

    image_gan: NonNegativeFloat
    image_feature_matching: NonNegativeFloat
    image_real: NonNegativeFloat
    image_fake: NonNegativeFloat
    """The image discriminator's own two terms."""
    video_gan: NonNegativeFloat
    video_feature_matching: NonNegativeFloat
    video_real: NonNegativeFloat
    video_fake: NonNegativeFloat
    face_gan: NonNegativeFloat
    face_feature_matching: NonNegativeFloat
    face_real: NonNegativeFloat
    face_fake: NonNegativeFloat
    """Of the face discriminator, where there is one; twice the image's in the reference."""
    perceptual: NonNegativeFloat
    """VGG features; needs vgg_weights."""
    reconstruction: NonNegativeFloat
    """L1 of colours; not in the paper. For where no VGG weights are at hand."""
    optical_flow: NonNegativeFloat
    flow_warp: NonNegativeFloat
    temporal_warp: NonNegativeFloat
    mask: NonNegativeFloat


WEIGHTS_OF_MOTION = (
    *(f"video_{name}" for name in ("gan", "feature_matching", "real", "fake")),
    *("optical_flow", "flow_warp", "temporal_warp", "mask"),
)
WEIGHTS_OF_FACES = tuple(f"face_{name}" for name in ("gan", "feature_matching", "real", "fake"))


class Phase(Section):
    """A part of the training. Its windows are frames of the size that the finest of its scales makes."""

    scales: Few
    """How many of the generator's scales there are in it, the coarsest first; of the discriminators' as many less as of these."""
    only_finest: bool
    """The finest of them trains alone."""
    steps: Count
    learning_rate: PositiveFloat
    decay_from: Fraction
    """After this share of the phase's steps the rate falls linearly to 0."""
    window_frames: Count
    """Frames generated one after another in a step."""
    sequence_frames: Count
    """A step goes on where the step before has ended, with the frames made there, until so many frames are made; then another sequence
    begins. A multiple of window_frames; never more than half of the clips have."""
    double_every: Count | None
    """Steps after which the sequences are twice as long, again and again; null = never."""


class Augmentation(Section):
    """How sequences are changed, each as a whole; optical flow and maps are changed alike."""

    flip: Fraction
    """Share that is mirrored. Poses have no mirrored form here: 0 for them."""
    scale_range: Annotated[list[PositiveFloat], Field(min_length=2, max_length=2)]
    """Frames are scaled by a factor from this range, and cut to the stored size (or `crop`); 1 or more, or what `crop` leaves room for."""
    crop: Annotated[list[Pixels], Field(min_length=2, max_length=2)] | None
    """Width and height in pixels of what is seen of a scaled frame; null = the stored size."""
    spacing: Annotated[list[Few], Field(min_length=1)]
    """Frames of a sequence lie so far apart in their clip, one of these. Optical flow must be stored for each of them, times each stride of
    the video discriminator."""
    drop_parts: Fraction
    """Share of the body's parts, limbs, hands and faces that are left out of a pose."""

    @field_validator("scale_range")
    @classmethod
    def _ascends(cls, scale_range: list[float]) -> list[float]:
        if scale_range[0] > scale_range[1]:
            raise ValueError("the smaller number must come first")
        return scale_range


class TrainingValidation(Section):
    """How a training is judged while it goes on: by sequences of training clips that it does not learn from."""

    every: Count | None
    """Steps from one look to the next; null = never."""
    clips: Count
    """How many training clips are held out."""
    frames: Count
    """How many frames of each are synthesized, at most."""
    measure: Literal["reconstruction", "perceptual", "temporal_warp"]
    """By which the best is found: the loss term of that name. Less is better."""
    take: Literal["last", "best"]
    """Whose networks the training's result are."""

    @model_validator(mode="after")
    def _the_best_is_looked_for(self) -> "TrainingValidation":
        if self.take == "best" and self.every is None:
            raise ValueError("take is best, but every is null, so that nothing is judged: give every a number of steps, or take the last")
        return self


class Checkpoints(Section):
    """Generators on the way, kept in the result beside the last."""

    every: Count
    keep: CountOrZero
    """The last so many."""


class Divergence(Section):
    """What is done when a term is no number, or the weighted sum of a side's terms is above a limit."""

    above: PositiveFloat
    action: Literal["stop", "skip"]
    """`skip`: that step changes nothing."""
    patience: Count
    """After so many skipped steps in a row the training stops all the same."""

    def counted(self) -> dict[str, Any]:
        """A training that stops has no result; one that skips has another by another limit."""
        return {"action": self.action, "above": self.above} if self.action == "skip" else {}


class Train(Section):
    uncounted: ClassVar[frozenset[str]] = frozenset({"save_every", "checkpointing"})

    generator: Generator
    image_discriminator: Discriminator
    video_discriminator: VideoDiscriminator
    face_discriminator: FaceDiscriminator | None
    """For people small in their frames, whose maps have poses. In phases of fewer scales the square is as much smaller as the frames."""
    gan: Literal["lsgan", "hinge"]
    weights: Weights
    vgg_weights: str | None
    """Path or name of torchvision's VGG19 weights (.pth) for the perceptual term; null only where its weight is 0."""
    vgg_imagenet_norm: bool
    """Frames are normalised as VGG19 was trained; the reference shows it frames in [-1, 1] as they are."""
    initial_weights: str | None
    """Path of the generator.safetensors of another training (its data/NAME/train/networks), which this one begins with; null = random."""
    earlier_phases: list[Phase]
    """What comes before the phase whose numbers follow, which trains all scales together."""
    steps: Count
    learning_rate: PositiveFloat
    decay_from: Fraction
    window_frames: Count
    sequence_frames: Count
    double_every: Count | None
    batch_size: Count
    gradient_frames: Count
    """Gradients reach back over so many frames; 1: a frame's error changes how that frame is made, not the ones before it."""
    start_from_nothing: Fraction
    """Share of sequences that start without past frames, as synthesis does; the others start from real ones."""
    augmentation: Augmentation
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    """The result is a mean of the generator's weights over the steps; older ones count less by this factor a step. 0 = the last ones."""
    validation: TrainingValidation
    checkpoints: Checkpoints
    divergence: Divergence
    save_every: Count
    """Steps between two saved states: what a kill can cost."""
    log_every: Count
    """losses.csv has a row, the mean, for each so many steps."""
    preview_every: Count
    precision: Literal["float32", "bfloat16", "float16"]
    """Of convolutions; optical flow, warping and losses are always float32. float16: GPUs alone."""
    compile: bool
    """torch.compile of the networks: minutes at the start, for faster steps."""
    checkpointing: bool
    """Gradient checkpointing: frames are computed twice, and need a fraction of the memory."""
    seed: CountOrZero

    def phases(self) -> list[Phase]:
        last = {name: getattr(self, name) for name in Phase.model_fields if name in type(self).model_fields}
        return [*self.earlier_phases, Phase(scales=self.generator.scales, only_finest=False, **last)]

    @model_validator(mode="after")
    def _phases_fit(self) -> "Train":
        for phase in self.phases():
            if phase.scales > self.generator.scales:
                raise ValueError(f"a phase has {phase.scales} scales, the generator {self.generator.scales}")
            if phase.sequence_frames % phase.window_frames:
                raise ValueError(f"sequence_frames is {phase.sequence_frames}, no multiple of window_frames = {phase.window_frames}")
        lacking = self.generator.scales - min(phase.scales for phase in self.phases())
        if min(self.image_discriminator.scales, self.video_discriminator.scales) <= lacking:
            raise ValueError(f"discriminators need more than {lacking} scales: a phase has {lacking} less than the generator")
        return self

    @model_validator(mode="after")
    def _the_measure_is_measured(self) -> "Train":
        if self.validation.every is not None and self.validation.measure == "perceptual" and self.weights.perceptual == 0:
            raise ValueError("validation.measure is perceptual, which is measured only where weights.perceptual is above 0")
        return self

    @model_validator(mode="after")
    def _nothing_counts_twice(self) -> "Train":
        if self.checkpointing and self.generator.norm == "batch":
            raise ValueError(
                "checkpointing is true, which goes with generator.norm instance alone: batch norm would count every frame twice"
            )
        return self


class TrainPerFrame(Section):
    enabled: bool
    """Also train the same generator without the past, for comparison: parameters, steps and data of `train`, but no warping branch, no
    video discriminator and one fake image a frame, since nothing is blended."""

    def of(self, train: Train) -> Train:
        """What of `train` counts for this training; the rest has one value, so that changing it costs nothing here."""
        alone = {"warping": False, "blend": "foreground_last", "mask": "soft"}
        return _without_the_past(train).model_copy(update={"generator": train.generator.model_copy(update=alone)})


class TrainImageGenerator(Section):
    """pix2pixHD, which makes a frame from its maps alone: for the first frames of a video. What is not said here is as in `train`."""

    enabled: bool
    generator: ImageGenerator
    scales: Few
    """Of the discriminator."""
    steps: Count
    learning_rate: PositiveFloat
    batch_size: Count

    def of(self, train: Train) -> Train:
        """The same for single frames, with what this section says in place of what `train` does; of its generator the norm alone."""
        changes: dict[str, Any] = {name: getattr(self, name) for name in ("steps", "learning_rate", "batch_size")}
        changes |= {"earlier_phases": [], "window_frames": 1, "sequence_frames": 1, "double_every": None}
        sizes = dict.fromkeys(("width", "downsamplings", "blocks", "fine_blocks", "scales", "past_frames"), 1)
        other = {"norm": train.generator.norm, "foreground": False, "warping": False, "blend": "foreground_last", "mask": "soft"}
        changes |= {"generator": Generator.model_validate({**sizes, **other})}
        changes |= {"image_discriminator": train.image_discriminator.model_copy(update={"scales": self.scales})}
        without_faces = train.weights.model_copy(update=dict.fromkeys(WEIGHTS_OF_FACES, 0.0))
        changes |= {"face_discriminator": None, "weights": without_faces}
        return _without_the_past(train.model_copy(update=changes))


def _without_the_past(train: Train) -> Train:
    """Without what only a generator that sees frames before has a use for: video discriminators, terms of motion, ways to begin."""
    perceptual = train.weights.perceptual > 0
    return train.model_copy(
        update={
            "video_discriminator": VideoDiscriminator(**train.image_discriminator.model_dump(), strides=[]),
            "weights": train.weights.model_copy(update=dict.fromkeys(WEIGHTS_OF_MOTION, 0.0)),
            "vgg_weights": train.vgg_weights if perceptual else None,
            "vgg_imagenet_norm": train.vgg_imagenet_norm and perceptual,
            "initial_weights": None,
            "gradient_frames": 1,
            "start_from_nothing": 1.0,
        }
    )
