"""What params.yaml says and a later stage could not do is refused before any work: single values may be right and not fit together.

Only what a stage still ahead uses is looked at: what is upstream of the one that starts has been done, its weights may be gone by now.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from pipeline import extractors, launched, palettes, params, weights
from pipeline.errors import InputError
from pipeline.journey import STAGES, Stage
from pipeline.params_file import Params
from pipeline.sources import Item

S = TypeVar("S", bound=params.Section)
T = TypeVar("T")

DRAW_MASKS = ("torchvision_maskrcnn", "detectron2_maskrcnn")
"""Back-ends of instances that know COCO's or Cityscapes' classes."""

KNOW_INSTANCES = ("sample_street", "apolloscape", "paired")
"""Sources that may know the instances of all frames."""

KNOW_POSES = ("paired",)


SPLIT_SETTINGS = ("splits", "test_share", "test_videos", "test_sequences", "test_frames")
"""What of a source says which sequences are for testing."""


def check(stage: Stage, dataset: str, all_params: Params) -> None:
    """InputError, naming the parameter, where this stage or one ahead is bound to fail."""
    if launched.by_torchrun() and not stage.in_ranks:
        shared = ", ".join(other.name for other in STAGES.values() if other.in_ranks)
        raise InputError(f"{stage.name} is made by one process: call it without torchrun, which is for {shared}")
    done, stages = upstream(stage), list(STAGES.values())
    if not has_maps(dataset, all_params):
        stages = [other for other in stages if not needs_maps(other)]
        if stage not in stages:
            raise InputError(
                f"{all_params.where(dataset)}: the backends of segmentation, pose and edges are null: the data set has no maps, which "
                f"{stage.name} needs; only {', '.join(other.name for other in stages)} can be made"
            )
    ahead = {cls for other in stages if other.name not in done for cls in other.sections().values()}
    _Entry(dataset, all_params).check(ahead)


def check_items(items: list[Item], dataset: str, all_params: Params) -> None:
    """InputError where the file names tell that the data set cannot be made; what is wrong with single items is their own affair."""
    source, where = all_params.source(dataset), all_params.where(dataset)
    if not items:
        raise InputError(
            f"{where}.source: nothing of the kind {source.kind} in {getattr(source, 'path', '')}; docs/data.md shows its layout"
        )
    names = Counter(item.name for item in items)
    if twice := [name for name, count in names.items() if count > 1]:
        raise InputError(f"{where}.source: two sequences would be called {twice[0]}: rename a file or folder of one")
    bare = [item.name for item in items if not item.parameters.get("with_instances", True)]
    if bare and all_params.section(params.Instances, dataset).backend == "given":
        raise InputError(f"{where}.instances.backend is given, but {bare[0]} has no instance images: choose components, or another")


def lacking_split(items: list[Item], dataset: str, all_params: Params) -> str | None:
    """One sentence where no item can give training or test clips, as far as the file names tell; None where both are possible.

    No refusal: clips, edges and flow can be made without, and only `dataset` needs both.
    """
    possible = {split for item in items for split in _splits(item)}
    if not items or len(possible) == 2 or not has_maps(dataset, all_params):
        return None
    source, kind = all_params.source(dataset), "training" if "test" in possible else "testing"
    settings = [f"source.{name}" for name in SPLIT_SETTINGS if name in type(source).model_fields]
    return (
        f"{all_params.where(dataset)}.source: no sequence (of {len(items)}) is for {kind}: dataset and what follows will be refused; "
        + (f"set {' or '.join(settings)}" if settings else "add some")
    )


def _splits(item: Item) -> tuple[str, ...]:
    """Which an item may give; one with a problem may be mended to give either."""
    match item.parameters:
        case _ if item.problem:
            return "train", "test"
        case {"split": str(split)}:
            return (split,)
        case {"test_from": int(first), "num_frames": int(num_frames)}:
            return ("test",) if first == 0 else ("train",) if first == num_frames else ("train", "test")
        case {"test": True | "all"}:
            return ("test",)
        case {"test": 0}:  # also False
            return ("train",)
        case _:
            return "train", "test"


def has_maps(dataset: str, all_params: Params) -> bool:
    """Whether there is something to synthesize from: labels, poses or edges."""
    sections = [all_params.section(cls, dataset) for cls in (params.Segmentation, params.Pose, params.Edges)]
    return any(section.backend for section in sections)


def needs_maps(stage: Stage) -> bool:
    """Whether it is, or builds on, the stage that puts maps and frames together."""
    return "dataset" in {stage.name, *upstream(stage)}


def upstream(stage: Stage) -> set[str]:
    """The stages whose results this one builds on."""
    found: set[str] = set()
    todo = stage.reads()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += STAGES[name].reads()
    return found


class _Entry:
    """One data set with its sections merged."""

    def __init__(self, dataset: str, all_params: Params) -> None:
        self.dataset, self.where, self._all_params = dataset, all_params.where(dataset), all_params
        self.source = all_params.source(dataset)
        self.sections = {cls: all_params.section(cls, dataset) for cls in params.SECTIONS.values()}

    def check(self, ahead: set[type[params.Section]]) -> None:
        checks: dict[type[params.Section], Callable[[Any], None]] = {
            params.Clips: self._check_clips,
            params.Segmentation: self._check_labels,
            params.Instances: self._check_instances,
            params.OpticalFlow: self._check_optical_flow,
            params.Edges: self._check_edges,
            params.Dataset: self._check_dataset,
            params.Pose: self._check_pose,
            params.Train: self._check_training,
            params.TrainImageGenerator: self._check_image_generator,
            params.Synthesize: self._check_synthesis,
            params.Evaluate: self._check_evaluation,
        }
        missing = {cls: [*self._missing_libraries(cls), *self._missing_weights(cls)] for cls in self.sections if cls in ahead}
        for cls, problems in missing.items():
            section = self.sections[cls]
            if isinstance(section, params.Backend) and section.backend:
                self._called(extractors.check_options, section)
            if cls in checks and not problems:  # it may open them
                checks[cls](section)
        if any(missing.values()):  # all in one sentence: each may be a long download, or build
            raise InputError("; ".join(problem for problems in missing.values() for problem in problems))

    def _called(self, function: Callable[[S], T], section: S) -> T:
        """Its result; what it refuses is named with the data set."""
        try:
            return function(section)
        except InputError as error:
            raise InputError(f"{self.where}.{error}") from None

    def _missing_libraries(self, cls: type[params.Section]) -> list[str]:
        section = self.sections[cls]
        if not isinstance(section, params.Backend) or not section.backend:
            return []
        return [f"{self.where}.{problem}" for problem in self._called(extractors.missing_libraries, section)]

    def _missing_weights(self, cls: type[params.Section]) -> list[str]:
        """Sentences about what the section, and for `clips` the source, names and is not there."""
        values = {params.section_name(cls): self.sections[cls].model_dump()}
        values |= {"source": self.source.model_dump()} if cls is params.Clips else {}
        problems = []
        for key, name_or_path in [found for name, named in values.items() for found in _weights(name, named)]:
            try:
                weights.path_of(name_or_path, f"{self.where}.{key}")
            except InputError as error:
                problems.append(str(error))
        return problems

    def _check_clips(self, p: params.Clips) -> None:
        if isinstance(self.source, params.FaceForensics):
            if self.source.face_weights is None:
                raise InputError(
                    f"{self.where}.source.face_weights is null: give YuNet's weights, which find the faces: yunet-n-640, or a path (.onnx)"
                )
            if self.source.face_every > p.frames:
                raise InputError(
                    f"{self.where}.source.face_every is {self.source.face_every}: clips of clips.frames = {p.frames} need a look in each"
                )
            if p.crop is not None:
                raise InputError(f"{self.where}.clips.crop is {p.crop}: each clip shows the square around its face, so it must be null")
            from pipeline import faces  # imports OpenCV, which no other check needs

            faces.require_detector(weights.path_of(self.source.face_weights, f"{self.where}.source.face_weights"))

    def _check_labels(self, p: params.Segmentation) -> None:
        if p.backend is None:
            return
        has_labels = params.has_labels(self.source)
        if p.backend == "given":
            if not has_labels:
                raise InputError(f"{self.where}.segmentation.backend is given, but its source has no labels")
            if isinstance(self.source, params.Cityscapes):
                raise InputError(
                    f"{self.where}.segmentation.backend is given, but its source has labels of one frame of each snippet alone"
                )
            return
        other = self._all_params.section(params.Segmentation, p.weights_from)
        if other.backend is None:
            raise InputError(
                f"{self.where}.segmentation.weights_from is {p.weights_from}, which has no model: its own segmentation.backend is null"
            )
        model_of = other.weights_from
        if model_of != p.weights_from:
            raise InputError(
                f"{self.where}.segmentation.weights_from is {p.weights_from}, which has no model of its own: "
                f"its own segmentation.weights_from is {model_of}; name a data set that names itself"
            )
        model = self._section(params.SegmentationModel)
        if p.weights_from == self.dataset and model.weights is None and not has_labels:
            raise InputError(
                f"{self.where}.segmentation.weights_from is the data set itself, but its source has no labels to learn from: "
                "name a data set that has some, or give segmentation_model.weights; or set segmentation.backend to null "
                "and take other maps: edges.backend canny needs nothing"
            )

    def _check_instances(self, p: params.Instances) -> None:
        segmentation = self._section(params.Segmentation)
        if p.backend and segmentation.backend is None:
            raise InputError(
                f"{self.where}.instances.backend is {p.backend}, but segmentation.backend is null: instances are those of label maps; "
                "set it to null, too"
            )
        if p.backend == "given" and self.source.kind not in KNOW_INSTANCES:
            what = "no instances" if self.source.kind != "cityscapes" else "those of one frame of each snippet alone"
            raise InputError(f"{self.where}.instances.backend is given, but its source has {what}")
        if p.backend in DRAW_MASKS and (palette := self._palette(segmentation)):
            from pipeline import masks  # imports OpenCV, which no other check needs

            try:
                masks.require_shared(palette, masks.names())
            except InputError as error:
                raise InputError(f"{self.where}.{error}") from None

    def _palette(self, p: params.Segmentation) -> palettes.Palette | None:
        """Of the labels; None where a trained model alone knows it."""
        if p.backend == "given":
            return _palette(self.source)
        trained = self._all_params.section(params.SegmentationModel, p.weights_from).weights
        return None if trained else _palette(self._all_params.source(p.weights_from))

    def _check_optical_flow(self, p: params.OpticalFlow) -> None:
        if 1 not in p.strides:
            raise InputError(f"{self.where}.optical_flow.strides is {p.strides}: 1 must be one of them, for instances and training")
        if p.backend == "given":
            known = self.source.strides if isinstance(self.source, params.SampleStreet) else []
            if missing := sorted(set(p.strides) - set(known)):
                raise InputError(
                    f"{self.where}.optical_flow.strides asks for {missing[0]}: backend is given, and its source has true flow of "
                    f"{', '.join(map(str, known)) or 'no stride'}"
                )

    def _check_edges(self, p: params.Edges) -> None:
        if p.backend == "face_sketch_given" and not isinstance(self.source, params.Paired):
            raise InputError(f"{self.where}.edges.backend is face_sketch_given, but its source has no landmarks; face_sketch finds them")
        if p.backend == "face_sketch":
            from pipeline import face_mesh, faces  # import OpenCV, which no other check needs

            networks = {"face_weights": faces.require_detector, "landmark_weights": face_mesh.FaceMesh}
            for name, open_network in networks.items():
                open_network(weights.path_of(p.options[name], f"{self.where}.edges.options.{name}"))

    def _check_pose(self, p: params.Pose) -> None:
        if p.backend == "given" and self.source.kind not in KNOW_POSES:
            raise InputError(f"{self.where}.pose.backend is given, but its source has no poses; sources that may: {', '.join(KNOW_POSES)}")

    def _check_evaluation(self, p: params.Evaluate) -> None:
        strides = self._section(params.OpticalFlow).strides
        if p.stride not in strides:
            raise InputError(f"{self.where}.evaluate.stride is {p.stride}: optical_flow.strides has {', '.join(map(str, strides))}")
        longest, window_frames = _longest_test_clip(self.source), p.video_network.window_frames
        if longest is not None and window_frames > getattr(self.source, longest):
            raise InputError(
                f"{self.where}.evaluate.video_network.window_frames is {window_frames}: test clips have "
                f"source.{longest} = {getattr(self.source, longest)}"
            )

    def _check_dataset(self, p: params.Dataset) -> None:
        """Clips are cut where frames are missing: what is left must do for windows (training, scores), and a whole clip for it."""
        gaps: list[params.Gaps] = [self._section(params.Pose), self._section(params.Edges)]
        if not any(section.backend and section.missing == "cut" for section in gaps):
            return
        clips, windows = self._section(params.Clips), self._section(params.Evaluate).video_network
        needed, because = _frames_of_a_window(self._section(params.Train))
        if p.min_frames < needed:
            raise InputError(f"{self.where}.dataset.min_frames is {p.min_frames}: {because} need {needed}")
        if p.min_frames < windows.window_frames:
            raise InputError(
                f"{self.where}.dataset.min_frames is {p.min_frames}: evaluate.video_network.window_frames {windows.window_frames} "
                "needs as many of a test clip"
            )
        if p.min_frames > clips.frames:
            raise InputError(f"{self.where}.dataset.min_frames is {p.min_frames}: clips have clips.frames = {clips.frames}")

    def _check_shares(self, name: str, batch_size: int) -> None:
        """Every process has the same share of a batch."""
        here, devices = launched.by_torchrun(), self._all_params.machine.devices
        processes, whose = (here.processes, f"torchrun's {here.processes}") if here else (devices, f"machine.devices = {devices}")
        if batch_size % processes:
            raise InputError(
                f"{self.where}.{name}.batch_size is {batch_size}: {whose} processes share it equally, "
                f"so it must be a multiple of {processes}"
            )

    def _check_image_generator(self, p: params.TrainImageGenerator) -> None:
        if p.enabled:
            self._check_shares("train_image_generator", p.batch_size)

    def _check_training(self, p: params.Train) -> None:
        self._check_shares("train", p.batch_size)
        clips = self._section(params.Clips)
        needed, because = _frames_of_a_window(p)
        if needed > clips.frames:
            raise InputError(f"{self.where}.{because} need clips of {needed} frames: clips.frames is {clips.frames}")
        self._check_augmentation(p.augmentation)
        self._check_strides(p)
        if p.generator.foreground and not self._section(params.Segmentation).backend:
            raise InputError(
                f"{self.where}.train.generator.foreground is true, but segmentation.backend is null: what is foreground, label maps say; "
                "set it to false"
            )
        if p.weights.perceptual and p.vgg_weights is None:
            raise InputError(f"{self.where}.train.weights.perceptual is {p.weights.perceptual}, but train.vgg_weights names no file")
        width, height = p.augmentation.crop or (clips.width, clips.height)
        smallest, largest = sorted((height, width))
        whose = "train.augmentation.crop is" if p.augmentation.crop else "clips are"
        narrowest = 2 ** (p.generator.downsamplings + p.generator.scales - 1)
        if smallest <= narrowest:
            raise InputError(
                f"{self.where}.train.generator: {p.generator.downsamplings} downsamplings and {p.generator.scales} scales need frames of "
                f"more than {narrowest} pixels a side: {whose} {width}x{height}"
            )
        for name in ("image_discriminator", "video_discriminator"):
            scales = getattr(p, name).scales
            if largest <= 2 ** (scales - 1):
                raise InputError(f"{self.where}.train.{name}.scales is {scales}: too many for {width}x{height} pixels")

    def _check_augmentation(self, p: params.Augmentation) -> None:
        if not (p.flip or p.drop_parts or p.crop or p.scale_range != [1, 1]):
            return
        from pipeline.augmentation import require_possible  # these import OpenCV and Zarr, which no other check of training needs
        from pipeline.maps import MapKind

        clips, with_poses = self._section(params.Clips), self._section(params.Pose).backend is not None
        kind = MapKind(palette=None, instances=False, edges=0, pose=int(with_poses))  # all that is asked about is poses
        self._called(partial(require_possible, kind=kind, height=clips.height, width=clips.width), p)

    def _check_strides(self, p: params.Train) -> None:
        """Sequences are read with the optical flow from frame to frame, and that of the video discriminators."""
        stored = self._section(params.OpticalFlow).strides
        for apart in p.augmentation.spacing:
            lacking = [str(apart * stride) for stride in sorted({1, *p.video_discriminator.strides}) if apart * stride not in stored]
            if lacking:
                raise InputError(
                    f"{self.where}.train.video_discriminator.strides {p.video_discriminator.strides} and augmentation.spacing "
                    f"{p.augmentation.spacing} need optical flow at stride {', '.join(lacking)}: optical_flow.strides has "
                    f"{', '.join(map(str, stored))}"
                )

    def _check_synthesis(self, p: params.Synthesize) -> None:
        where = f"{self.where}.synthesize.first_frame is {p.first_frame}"
        if p.first_frame == "image_generator" and not self._section(params.TrainImageGenerator).enabled:
            raise InputError(f"{where}, but train_image_generator.enabled is false")
        if p.first_frame == "itself" and self._section(params.Train).start_from_nothing == 0:
            raise InputError(f"{where}, but train.start_from_nothing is 0: such a model never learned to begin")

    def _section(self, cls: type[S]) -> S:
        section = self.sections[cls]
        assert isinstance(section, cls)
        return section


def _frames_of_a_window(p: params.Train) -> tuple[int, str]:
    """How many frames of a clip the longest window takes at the smallest spacing, with the frames before it; and what says so."""
    names = [*(f"earlier_phases.{number}.window_frames" for number in range(len(p.earlier_phases))), "window_frames"]
    name, window = max(zip(reversed(names), reversed(p.phases()), strict=True), key=lambda named: named[1].window_frames)
    past, apart = p.generator.past_frames, min(p.augmentation.spacing)
    spacing = f", augmentation.spacing {apart}" if apart > 1 else ""
    needed = (window.window_frames + past - 1) * apart + 1
    return needed, f"train.{name} {window.window_frames} and generator.past_frames {past}{spacing}"


def _palette(source: params.Source) -> palettes.Palette | None:
    """Of its labels; None where it has none."""
    match source:
        case params.Frames(palette=str(name)) | params.Paired(palette=str(name)):
            return palettes.load(name)
        case params.Cityscapes() | params.Apolloscape() | params.SampleStreet():
            return palettes.load(source.kind)
        case _:
            return None


def _weights(name: str, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Where a path or name of weights stands, and the path or name: under a key that ends in `weights`, at any depth."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _weights(f"{name}.{key}", value)
        elif key.endswith("weights") and isinstance(value, str):
            yield f"{name}.{key}", value


def _longest_test_clip(source: params.Source) -> str | None:
    """Which parameter of the source tells its length; None where whole sequences are for testing."""
    match source:
        case params.SampleStreet():
            return max(("test_frames", "long_frames", "approach_frames"), key=lambda name: int(getattr(source, name)))
        case params.Frames(test_sequences=[], splits=None) | params.Videos(test_videos=[], splits=None):
            return "test_frames" if source.test_frames else None
        case _:
            return None
