"""What params.yaml says and a later stage could not do is refused before any work: single values may be right and not fit together.

Only what a stage still ahead uses is looked at: what is upstream of the one that starts has been done, its weights may be gone by now.
"""

from collections.abc import Callable, Iterator
from typing import Any

from pipeline import before_training, extractors, launched, palettes, params, weights
from pipeline.entry import Entry
from pipeline.errors import InputError
from pipeline.journey import STAGES, Stage
from pipeline.params_file import Params
from pipeline.reached import reached

DRAW_MASKS = ("torchvision_maskrcnn", "detectron2_maskrcnn")
"""Back-ends of instances that know COCO's or Cityscapes' classes."""

KNOW_INSTANCES = ("sample_street", "apolloscape", "paired")
"""Sources that may know the instances of all frames."""

KNOW_POSES = ("paired",)


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
    _check(Entry(dataset, all_params), ahead)


def has_maps(dataset: str, all_params: Params) -> bool:
    """Whether there is something to synthesize from: labels, poses or edges."""
    sections = [all_params.section(cls, dataset) for cls in (params.Segmentation, params.Pose, params.Edges)]
    return any(section.backend for section in sections)


def needs_maps(stage: Stage) -> bool:
    """Whether it is, or builds on, the stage that puts maps and frames together."""
    return "dataset" in {stage.name, *upstream(stage)}


def upstream(stage: Stage) -> set[str]:
    """The stages whose results this one builds on."""
    return reached(stage.reads(), lambda name: STAGES[name].reads())


def _check(entry: Entry, ahead: set[type[params.Section]]) -> None:
    missing = {cls: [*_missing_libraries(entry, cls), *_missing_weights(entry, cls)] for cls in entry.sections if cls in ahead}
    for cls, problems in missing.items():
        section = entry.sections[cls]
        if isinstance(section, params.Backend) and section.backend:
            entry.called(extractors.check_options, section)
        if cls in CHECKS and not problems:  # it may open them
            CHECKS[cls](entry, section)
    if any(missing.values()):  # all in one sentence: each may be a long download, or build
        raise InputError("; ".join(problem for problems in missing.values() for problem in problems))


def _missing_libraries(entry: Entry, cls: type[params.Section]) -> list[str]:
    section = entry.sections[cls]
    if not isinstance(section, params.Backend) or not section.backend:
        return []
    return [f"{entry.where}.{problem}" for problem in entry.called(extractors.missing_libraries, section)]


def _missing_weights(entry: Entry, cls: type[params.Section]) -> list[str]:
    """Sentences about what the section, and for `clips` the source, names and is not there."""
    values = {params.section_name(cls): entry.sections[cls].model_dump()}
    values |= {"source": entry.source.model_dump()} if cls is params.Clips else {}
    problems = []
    for key, name_or_path in [found for name, named in values.items() for found in _weights(name, named)]:
        try:
            weights.path_of(name_or_path, f"{entry.where}.{key}")
        except InputError as error:
            problems.append(str(error))
    return problems


def _check_clips(entry: Entry, p: params.Clips) -> None:
    if isinstance(entry.source, params.FaceForensics):
        if entry.source.face_weights is None:
            raise InputError(
                f"{entry.where}.source.face_weights is null: give YuNet's weights, which find the faces: yunet-n-640, or a path (.onnx)"
            )
        if entry.source.face_every > p.frames:
            raise InputError(
                f"{entry.where}.source.face_every is {entry.source.face_every}: clips of clips.frames = {p.frames} need a look in each"
            )
        if p.crop is not None:
            raise InputError(f"{entry.where}.clips.crop is {p.crop}: each clip shows the square around its face, so it must be null")
        from pipeline import faces  # imports OpenCV, which no other check needs

        faces.require_detector(weights.path_of(entry.source.face_weights, f"{entry.where}.source.face_weights"))


def _check_labels(entry: Entry, p: params.Segmentation) -> None:
    if p.backend is None:
        return
    has_labels = params.has_labels(entry.source)
    if p.backend == "given":
        if not has_labels:
            raise InputError(f"{entry.where}.segmentation.backend is given, but its source has no labels")
        if isinstance(entry.source, params.Cityscapes):
            raise InputError(f"{entry.where}.segmentation.backend is given, but its source has labels of one frame of each snippet alone")
        return
    other = entry.all_params.section(params.Segmentation, p.weights_from)
    if other.backend is None:
        raise InputError(
            f"{entry.where}.segmentation.weights_from is {p.weights_from}, which has no model: its own segmentation.backend is null"
        )
    model_of = other.weights_from
    if model_of != p.weights_from:
        raise InputError(
            f"{entry.where}.segmentation.weights_from is {p.weights_from}, which has no model of its own: "
            f"its own segmentation.weights_from is {model_of}; name a data set that names itself"
        )
    model = entry.section(params.SegmentationModel)
    if p.weights_from == entry.dataset and model.weights is None and not has_labels:
        raise InputError(
            f"{entry.where}.segmentation.weights_from is the data set itself, but its source has no labels to learn from: "
            "name a data set that has some, or give segmentation_model.weights; or set segmentation.backend to null "
            "and take other maps: edges.backend canny needs nothing"
        )


def _check_instances(entry: Entry, p: params.Instances) -> None:
    segmentation = entry.section(params.Segmentation)
    if p.backend and segmentation.backend is None:
        raise InputError(
            f"{entry.where}.instances.backend is {p.backend}, but segmentation.backend is null: instances are those of label maps; "
            "set it to null, too"
        )
    if p.backend == "given" and entry.source.kind not in KNOW_INSTANCES:
        what = "no instances" if entry.source.kind != "cityscapes" else "those of one frame of each snippet alone"
        raise InputError(f"{entry.where}.instances.backend is given, but its source has {what}")
    if p.backend in DRAW_MASKS and (palette := _palette(entry, segmentation)):
        from pipeline import masks  # imports OpenCV, which no other check needs

        try:
            masks.require_shared(palette, masks.names())
        except InputError as error:
            raise InputError(f"{entry.where}.{error}") from None


def _palette(entry: Entry, p: params.Segmentation) -> palettes.Palette | None:
    """Of the labels; None where a trained model alone knows it."""
    if p.backend == "given":
        return _palette_of(entry.source)
    trained = entry.all_params.section(params.SegmentationModel, p.weights_from).weights
    return None if trained else _palette_of(entry.all_params.source(p.weights_from))


def _check_optical_flow(entry: Entry, p: params.OpticalFlow) -> None:
    if 1 not in p.strides:
        raise InputError(f"{entry.where}.optical_flow.strides is {p.strides}: 1 must be one of them, for instances and training")
    if p.backend == "given":
        known = entry.source.strides if isinstance(entry.source, params.SampleStreet) else []
        if missing := sorted(set(p.strides) - set(known)):
            raise InputError(
                f"{entry.where}.optical_flow.strides asks for {missing[0]}: backend is given, and its source has true flow of "
                f"{', '.join(map(str, known)) or 'no stride'}"
            )


def _check_edges(entry: Entry, p: params.Edges) -> None:
    if p.backend == "face_sketch_given" and not isinstance(entry.source, params.Paired):
        raise InputError(f"{entry.where}.edges.backend is face_sketch_given, but its source has no landmarks; face_sketch finds them")
    if p.backend == "face_sketch":
        from pipeline import face_mesh, faces  # import OpenCV, which no other check needs

        networks = {"face_weights": faces.require_detector, "landmark_weights": face_mesh.FaceMesh}
        for name, open_network in networks.items():
            open_network(weights.path_of(p.options[name], f"{entry.where}.edges.options.{name}"))


def _check_pose(entry: Entry, p: params.Pose) -> None:
    if p.backend == "given" and entry.source.kind not in KNOW_POSES:
        raise InputError(f"{entry.where}.pose.backend is given, but its source has no poses; sources that may: {', '.join(KNOW_POSES)}")


def _check_evaluation(entry: Entry, p: params.Evaluate) -> None:
    strides = entry.section(params.OpticalFlow).strides
    if p.stride not in strides:
        raise InputError(f"{entry.where}.evaluate.stride is {p.stride}: optical_flow.strides has {', '.join(map(str, strides))}")
    longest, window_frames, given = _longest_test_clip(entry.source), p.video_network.window_frames, _given_frames(entry)
    if longest is not None and window_frames > getattr(entry.source, longest) - given:
        counted = f", of which {given} are given and not scored" if given else ""
        raise InputError(
            f"{entry.where}.evaluate.video_network.window_frames is {window_frames}: test clips have "
            f"source.{longest} = {getattr(entry.source, longest)}{counted}"
        )


def _given_frames(entry: Entry) -> int:
    """Real frames that each synthesized video begins with."""
    return entry.section(params.Train).generator.past_frames if entry.section(params.Synthesize).first_frame == "given" else 0


def _check_dataset(entry: Entry, p: params.Dataset) -> None:
    """Clips are cut where frames are missing: what is left must do for windows (training, scores), and a whole clip for it."""
    gaps: list[params.Gaps] = [entry.section(params.Pose), entry.section(params.Edges)]
    if not any(section.backend and section.missing == "cut" for section in gaps):
        return
    clips, windows = entry.section(params.Clips), entry.section(params.Evaluate).video_network
    needed, because = before_training.frames_of_a_window(entry.section(params.Train))
    if p.min_frames < needed:
        raise InputError(f"{entry.where}.dataset.min_frames is {p.min_frames}: {because} need {needed}")
    if p.min_frames < windows.window_frames + (given := _given_frames(entry)):
        beside = f" beside the {given} that are given" if given else ""
        raise InputError(
            f"{entry.where}.dataset.min_frames is {p.min_frames}: evaluate.video_network.window_frames {windows.window_frames} "
            f"needs as many of a test clip{beside}"
        )
    if p.min_frames > clips.frames:
        raise InputError(f"{entry.where}.dataset.min_frames is {p.min_frames}: clips have clips.frames = {clips.frames}")


def _palette_of(source: params.Source) -> palettes.Palette | None:
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


CHECKS: dict[type[params.Section], Callable[[Entry, Any], None]] = {
    params.Clips: _check_clips,
    params.Segmentation: _check_labels,
    params.Instances: _check_instances,
    params.OpticalFlow: _check_optical_flow,
    params.Edges: _check_edges,
    params.Dataset: _check_dataset,
    params.Pose: _check_pose,
    params.Train: before_training.check_training,
    params.TrainImageGenerator: before_training.check_image_generator,
    params.Synthesize: before_training.check_synthesis,
    params.Evaluate: _check_evaluation,
}
