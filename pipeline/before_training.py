"""What a training or a synthesis could not do with its sections of params.yaml, and with what comes before; see `pipeline.before_work`."""

from functools import partial

from pipeline import launched, params
from pipeline.entry import Entry
from pipeline.errors import InputError
from pipeline.schedule import Schedule


def check_training(entry: Entry, p: params.Train) -> None:
    _check_shares(entry, "train", p.batch_size)
    _check_machine(entry, p)
    clips = entry.section(params.Clips)
    needed, because = frames_of_a_window(p)
    if needed > clips.frames:
        raise InputError(f"{entry.where}.{because} need clips of {needed} frames: clips.frames is {clips.frames}")
    _check_augmentation(entry, p.augmentation)
    _check_strides(entry, p)
    _check_sequences(entry, p)
    _check_sizes(entry, p)
    _check_faces(entry, p)
    if p.generator.foreground and not entry.section(params.Segmentation).backend:
        raise InputError(
            f"{entry.where}.train.generator.foreground is true, but segmentation.backend is null: what is foreground, label maps say; "
            "set it to false"
        )
    if p.weights.perceptual and p.vgg_weights is None:
        raise InputError(f"{entry.where}.train.weights.perceptual is {p.weights.perceptual}, but train.vgg_weights names no file")


def check_image_generator(entry: Entry, p: params.TrainImageGenerator) -> None:
    if p.enabled:
        _check_shares(entry, "train_image_generator", p.batch_size)


def check_synthesis(entry: Entry, p: params.Synthesize) -> None:
    where = f"{entry.where}.synthesize.first_frame is {p.first_frame}"
    if p.first_frame == "image_generator" and not entry.section(params.TrainImageGenerator).enabled:
        raise InputError(f"{where}, but train_image_generator.enabled is false")
    if p.first_frame == "itself" and entry.section(params.Train).start_from_nothing == 0:
        raise InputError(f"{where}, but train.start_from_nothing is 0: such a model never learned to begin")


def frames_of_a_window(p: params.Train) -> tuple[int, str]:
    """How many frames of a clip the longest window takes at the smallest spacing, with the frames before it; and what says so."""
    names = [*(f"earlier_phases.{number}.window_frames" for number in range(len(p.earlier_phases))), "window_frames"]
    name, window = max(zip(reversed(names), reversed(p.phases()), strict=True), key=lambda named: named[1].window_frames)
    past, apart = p.generator.past_frames, min(p.augmentation.spacing)
    spacing = f", augmentation.spacing {apart}" if apart > 1 else ""
    needed = (window.window_frames + past - 1) * apart + 1
    return needed, f"train.{name} {window.window_frames} and generator.past_frames {past}{spacing}"


def _processes(entry: Entry) -> tuple[int, str]:
    """That train together, and who says so many."""
    here, devices = launched.by_torchrun(), entry.all_params.machine.devices
    return (here.processes, f"torchrun's {here.processes}") if here else (devices, f"machine.devices = {devices}")


def _check_shares(entry: Entry, name: str, batch_size: int) -> None:
    """Every process has the same share of a batch."""
    processes, whose = _processes(entry)
    if batch_size % processes:
        raise InputError(
            f"{entry.where}.{name}.batch_size is {batch_size}: {whose} processes share it equally, so it must be a multiple of {processes}"
        )


def _check_machine(entry: Entry, p: params.Train) -> None:
    processes, whose = _processes(entry)
    if p.generator.norm == "batch" and processes > 1:
        raise InputError(
            f"{entry.where}.train.generator.norm is batch, but {whose} processes train together, and each would normalise its own share "
            "of a batch alone: it must be instance"
        )
    if p.precision == "float16" and entry.all_params.machine.device == "cpu":
        raise InputError(f"{entry.where}.train.precision is float16, which GPUs alone are for, but machine.device is cpu: take bfloat16")


def _check_augmentation(entry: Entry, p: params.Augmentation) -> None:
    if not (p.flip or p.drop_parts or p.crop or p.scale_range != [1, 1]):
        return
    from pipeline.augmentation import require_possible  # these import OpenCV and Zarr, which no other check of training needs
    from pipeline.maps import MapKind

    clips, with_poses = entry.section(params.Clips), entry.section(params.Pose).backend is not None
    kind = MapKind(palette=None, instances=False, edges=0, pose=int(with_poses))  # all that is asked about is poses
    entry.called(partial(require_possible, kind=kind, height=clips.height, width=clips.width), p)


def _check_strides(entry: Entry, p: params.Train) -> None:
    """Sequences are read with the optical flow from frame to frame, and that of the video discriminators."""
    stored = entry.section(params.OpticalFlow).strides
    for apart in p.augmentation.spacing:
        lacking = [str(apart * stride) for stride in sorted({1, *p.video_discriminator.strides}) if apart * stride not in stored]
        if lacking:
            raise InputError(
                f"{entry.where}.train.video_discriminator.strides {p.video_discriminator.strides} and augmentation.spacing "
                f"{p.augmentation.spacing} need optical flow at stride {', '.join(lacking)}: optical_flow.strides has "
                f"{', '.join(map(str, stored))}"
            )


def _check_sequences(entry: Entry, p: params.Train) -> None:
    """A video discriminator of a stride needs three frames so far apart."""
    frames, past, apart = entry.section(params.Clips).frames, p.generator.past_frames, min(p.augmentation.spacing)
    longest = Schedule(p.phases(), most_frames=(frames - 1) // apart + 1 - past).longest_sequence()
    if blind := [stride for stride in p.video_discriminator.strides if 2 * stride + 1 > longest]:
        raise InputError(
            f"{entry.where}.train.video_discriminator.strides has {blind[0]}, which sees {2 * blind[0] + 1} frames or more, but "
            f"the longest sequence of the training has {longest}, by sequence_frames and double_every, and by clips.frames {frames}"
        )


def _check_sizes(entry: Entry, p: params.Train) -> None:
    width, height = _seen(entry, p)
    smallest, largest = sorted((height, width))
    whose = "train.augmentation.crop is" if p.augmentation.crop else "clips are"
    narrowest = 2 ** (p.generator.downsamplings + p.generator.scales - 1)
    if smallest <= narrowest:
        raise InputError(
            f"{entry.where}.train.generator: {p.generator.downsamplings} downsamplings and {p.generator.scales} scales need frames of "
            f"more than {narrowest} pixels a side: {whose} {width}x{height}"
        )
    for name in ("image_discriminator", "video_discriminator"):
        scales = getattr(p, name).scales
        if largest <= 2 ** (scales - 1):
            raise InputError(f"{entry.where}.train.{name}.scales is {scales}: too many for {width}x{height} pixels")


def _check_faces(entry: Entry, p: params.Train) -> None:
    """The square is smallest in the phase of the fewest scales."""
    face, where = p.face_discriminator, f"{entry.where}.train.face_discriminator"
    if face is None:
        return
    if not entry.section(params.Pose).backend:
        raise InputError(f"{where} is given, but pose.backend is null: poses say where faces are; set it to null")
    halved = 2 ** (p.generator.scales - min(phase.scales for phase in p.phases()))
    width, height = (-(-length // halved) for length in _seen(entry, p))
    if face.pixels(height, width) < face.least_pixels():
        raise InputError(
            f"{where}.side is {face.side}, {face.pixels(height, width)} pixels in the training's smallest frames of {width}x{height}: "
            f"with layers {face.layers} and scales {face.scales} it must be {face.least_pixels()} or more"
        )


def _seen(entry: Entry, p: params.Train) -> tuple[int, int]:
    """Width and height of the frames that are trained with."""
    clips = entry.section(params.Clips)
    return (p.augmentation.crop[0], p.augmentation.crop[1]) if p.augmentation.crop else (clips.width, clips.height)
