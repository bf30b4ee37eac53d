"""Every back-end file keeps the contract of its folder. A new file is found by itself; what its `build` needs goes into OPTIONS."""

import ast
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch

from pipeline import arrays, edges, extractors, instances, layout, optical_flow, params, pose, segmentation
from pipeline.deeplabv3 import Segmenter
from pipeline.palettes import Class, Palette
from tests.pipeline.extractors import maskrcnn_weights, stand_ins

PALETTE = Palette("toy", (Class(0, "road", (9, 9, 9), False, False), Class(3, "car", (0, 0, 99), True, True)), ())
SIZES = [(32, 48), (33, 47)]
LENGTHS = [1, 3]
MASK_RCNNS = ("maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2")


def backends(modality: str) -> list[str]:
    return sorted(file.stem for file in (extractors.FOLDER / modality).glob("*.py") if file.stem != "__init__")


CASES = {f"{height}x{width}-{length}-frames": ((height, width), length) for height, width in SIZES for length in LENGTHS}


def walker(x: float, y: float) -> np.ndarray:
    """A person of 25 points around (x, y); no face, no hands."""
    keypoints = np.zeros((137, 3), np.float32)
    keypoints[:25, :2] = np.random.default_rng(1).uniform((x - 4, y - 4), (x + 4, y + 4), (25, 2))
    keypoints[:25, 2] = 0.5
    return keypoints


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def clip(request, tmp_path) -> Path:
    """A clip with all truth: a square car drives over a rough road, and is gone in the last of three frames."""
    (height, width), length = request.param
    folder, random = tmp_path / "clip", np.random.default_rng(0)
    folder.mkdir()
    road = random.integers(0, 200, (height, width, 3)).astype(np.uint8)
    files = {
        "frames": {},
        "segmentation": {"palette": PALETTE.as_attributes(), "labelled_frames": list(range(length))},
        "instances": {"objects": {"1": {"class": 3, "score": 1.0}}, "linked": True, "labelled_frames": list(range(length))},
        "optical_flow": {"strides": [1, 2]},
        "pose": {},
    }
    for modality, attributes in files.items():
        with arrays.writing(layout.arrays(folder, modality), attributes) as writer:
            for t in range(length):
                car = np.zeros((height, width), bool)
                car[5:15, 5 + 2 * t : 15 + 2 * t] = t < 2
                if modality == "frames":
                    writer.append("rgb", np.where(car[..., None], np.uint8(250), road))
                if modality == "segmentation":
                    writer.append("label", np.where(car, np.uint8(3), np.uint8(0)))
                if modality == "instances":
                    writer.append("instance", car.astype(np.uint16))
                if modality == "pose":
                    writer.append("keypoints", np.where(t < 2, walker(10 + 2 * t, 10), 0).astype(np.float32)[None])
                    writer.append("iuv", np.stack([3 * car, 100 * car, 200 * car], axis=-1).astype(np.uint8))
                if modality == "optical_flow":
                    for k in (1, 2):
                        writer.append(f"optical_flow_{k}", np.stack([-2.0 * k * car, 0 * car], axis=-1).astype(np.float16))
                        writer.append(f"confidence_{k}", np.full((height, width), 255 * (t >= k), np.uint8))
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Random ones, in the files that the back-ends expect: here only shapes and types count."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    Segmenter.untrained("deeplabv3_mobilenet_v3_large", PALETTE, 1.0, "cpu").save(layout.segmentation_checkpoint(folder))
    import ptlflow

    torch.save(ptlflow.get_model("raft_small").state_dict(), folder / "raft_small.pth")
    for architecture in MASK_RCNNS:
        maskrcnn_weights.save(maskrcnn_weights.finding_cars(architecture), folder / f"{architecture}.pth")
    return folder


def twice(clip: Path, modality: str, run) -> arrays.Clip:
    """Runs a stage two times; equal bytes."""
    files = []
    for name in ("first", "second"):
        out = clip.parent / name
        out.mkdir()
        run(out)
        files.append(layout.arrays(out, modality))
    assert files[0].read_bytes() == files[1].read_bytes()
    return arrays.reading(files[0])


@pytest.mark.parametrize("backend", backends("segmentation"))
def test_every_segmentation_gives_a_label_of_its_palette_for_every_pixel(backend, clip, weights):
    p = params.Segmentation(backend=backend, options={}, weights_from="toy", batch_size=2)
    result = twice(clip, "segmentation", lambda out: segmentation.run_clip(clip, weights, out, p, {}, "cpu"))
    frames = arrays.reading(layout.arrays(clip, "frames"))["rgb"]
    assert result.names() == ["label"]
    assert (result["label"].shape, result["label"].dtype) == (frames.shape[:3], np.uint8)
    assert set(np.unique(result["label"][0:3])) <= {0, 3, 255}
    assert result.attributes["palette"]["name"] == "toy"


def instance_cases() -> list[tuple[str, dict[str, Any]]]:
    """Back-end and options; a path of weights stands as its name in the folder of weights."""
    masks = {"score": 0.05, "margin": 2, "rest": "none"}
    cases: dict[str, list[dict[str, Any]]] = {backend: [{}] for backend in backends("instances")}
    del cases["detectron2_maskrcnn"]  # test_detectron2_maskrcnn.py does the same with it, where it is installed
    cases["torchvision_maskrcnn"] = [
        {"architecture": name, "weights": f"{name}.pth", "shortest_side": 64, "longest_side": 96, **masks} for name in MASK_RCNNS
    ]
    return [(backend, options) for backend, several in cases.items() for options in several]


@pytest.mark.parametrize(("backend", "options"), instance_cases(), ids=lambda value: value if isinstance(value, str) else "")
def test_all_instances_are_objects_with_a_class_and_a_score(backend, options, clip, weights):
    options = {**options, **({"weights": str(weights / options["weights"])} if "weights" in options else {})}
    p = params.Instances(backend=backend, options=options, min_pixels=4, min_overlap=0.3, memory_frames=2, batch_size=2)
    result = twice(clip, "instances", lambda out: instances.run_clip(clip, clip, clip, out, p, {}, "cpu"))
    frames = arrays.reading(layout.arrays(clip, "frames"))["rgb"]
    assert result.names() == ["instance"]
    assert (result["instance"].shape, result["instance"].dtype) == (frames.shape[:3], np.uint16)
    ids = set(np.unique(result["instance"][0:3]).tolist()) - {0}
    assert {str(id_) for id_ in ids} == set(result.attributes["objects"])
    for about in result.attributes["objects"].values():
        assert about["class"] in PALETTE.things
        assert 0 <= about["score"] <= 1
    assert result["instance"][0].any()  # there is a car
    if len(frames) == 3:
        assert not result["instance"][2].any()  # the car is gone


OPTIONS = {"opencv_dis": lambda weights: {"preset": "fast"}, "given": lambda weights: {}}
OPTIONS["ptlflow"] = lambda weights: {"model": "raft_small", "weights": str(weights / "raft_small.pth")}
OPTIONS["torchvision_raft"] = OPTIONS["ptlflow"]


@pytest.mark.parametrize("backend", backends("optical_flow"))
def test_every_optical_flow_is_a_number_and_none_where_there_is_no_earlier_frame(backend, clip, weights):
    p = params.OpticalFlow(
        backend=backend,
        options=OPTIONS[backend](weights),
        strides=[1, 2],
        batch_size=4,
        scale=1.0,
        rounding=0.0625,
        photometric=0.02,
        forward_backward=1.0,
    )
    result = twice(clip, "optical_flow", lambda out: optical_flow.run_clip(clip, out, p, {}, "cpu"))
    length, *size = arrays.reading(layout.arrays(clip, "frames"))["rgb"].shape[:3]
    assert result.names() == ["confidence_1", "confidence_2", "optical_flow_1", "optical_flow_2"]
    assert result.attributes["strides"] == [1, 2]
    for k in (1, 2):
        flow, trust = result[f"optical_flow_{k}"], result[f"confidence_{k}"]
        assert (flow.shape, flow.dtype) == ((length, *size, 2), np.float16)
        assert (trust.shape, trust.dtype) == ((length, *size), np.uint8)
        assert np.isfinite(flow[0:3].astype(np.float32)).all()
        assert not trust[0:k].any()
        if backend != "given":
            assert not flow[0:k].any()


@pytest.mark.parametrize("backend", [b for b in backends("optical_flow") if b != "given"])
def test_every_measured_optical_flow_takes_a_batch_and_treats_each_pair_alone(backend, weights):
    p = params.OpticalFlow(
        backend=backend,
        options=OPTIONS[backend](weights),
        strides=[1],
        batch_size=4,
        scale=1.0,
        rounding=0.0625,
        photometric=0.02,
        forward_backward=1.0,
    )
    measure = extractors.load(p, clips=weights, device="cpu")
    random = np.random.default_rng(0)
    source, target = random.integers(0, 256, (2, 2, 33, 47, 3)).astype(np.uint8)
    both = measure(source, target)
    assert (both.shape, both.dtype) == ((2, 33, 47, 2), np.float32)
    np.testing.assert_allclose(measure(source[1:], target[1:]), both[1:], atol=0.02)


def edges_options(backend: str, clip: Path, request: pytest.FixtureRequest) -> dict[str, object]:
    """Random weights where they can be made; given landmarks are those of nothing in particular, and lost in the second frame."""
    if backend == "face_sketch":
        weights = request.getfixturevalue("shared_data") / "weights"
        return {"face_weights": str(weights / "yunet_n_640_640.onnx"), "landmark_weights": str(weights / "face_landmark_468.tflite")}
    if backend == "face_sketch_dlib":
        return {"predictor_weights": str(shape_predictor(clip.parent / "points.dat"))}
    if backend == "face_sketch_given":
        with arrays.writing(layout.arrays(clip, "edges"), {}) as writer:
            for t in range(len(arrays.reading(layout.arrays(clip, "frames"))["rgb"])):
                points = np.random.default_rng(t).uniform(-10, 60, (68, 2)).astype(np.float32)
                writer.append("landmarks", np.full_like(points, np.nan) if t == 1 else points)
    return {}


def shape_predictor(path: Path) -> Path:
    """Of 68 points, trained on noise."""
    import dlib

    options = dlib.shape_predictor_training_options()
    options.cascade_depth, options.tree_depth, options.num_trees_per_cascade_level, options.oversampling_amount = 1, 1, 1, 1
    shape = dlib.full_object_detection(dlib.rectangle(8, 8, 56, 56), [dlib.point(n, n) for n in range(68)])
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    dlib.train_shape_predictor([noise] * 2, [[shape]] * 2, options).save(str(path))
    return path


@pytest.mark.parametrize("backend", backends("edges"))
def test_all_edges_are_bytes_of_every_pixel_and_frames_without_a_face_are_listed(backend, clip, request):
    """The clip shows no face: what looks for one lists all frames; given landmarks, lost in one frame, are carried over it."""
    options = edges_options(backend, clip, request)
    p = params.Edges(backend=backend, options=options, carry=1, missing="cut", smooth=1.0)
    result = twice(clip, "edges", lambda out: edges.run_clip(clip, out, p, {}, "cpu"))
    length, *size = arrays.reading(layout.arrays(clip, "frames"))["rgb"].shape[:3]
    sketch = backend != "canny"
    assert result.names() == (["edge", "landmarks"] if sketch else ["edge"])
    assert (result["edge"].shape, result["edge"].dtype) == ((length, *size, 15 if sketch else 1), np.uint8)
    assert set(np.unique(result["edge"][:][..., 0])) <= {0, 255}
    if not sketch:
        assert not {"missing", "carried"} & result.attributes.keys()
    else:
        found = backend == "face_sketch_given"
        assert result.attributes["missing"] == ([] if found else list(range(length)))
        assert result.attributes["carried"] == ([1] if found and length > 1 else [])
        assert (result["landmarks"].shape, result["landmarks"].dtype) == ((length, 68, 2), np.float32)
        assert np.isfinite(result["landmarks"][:]).all() == found
        assert result["edge"][:].any() == found


@pytest.mark.parametrize("backend", ["face_sketch", "face_sketch_dlib"])
@pytest.mark.parametrize(("size", "length"), [((241, 255), 3), ((240, 256), 1)])
def test_where_a_face_is_seen_its_landmarks_are_found_in_every_frame(backend, size, length, shared_data, tmp_path, request):
    clip = tmp_path / "face"
    clip.mkdir()
    with av.open(shared_data / "clips/face/face_talk_512x480.mp4") as file, arrays.writing(layout.arrays(clip, "frames"), {}) as writer:
        for frame in islice(file.decode(video=0), length):
            writer.append("rgb", cv2.resize(frame.to_ndarray(format="rgb24"), size[::-1], interpolation=cv2.INTER_AREA))
    options = edges_options(backend, clip, request)
    p = params.Edges(backend=backend, options=options, carry=0, missing="refuse", smooth=0.0)
    result = twice(clip, "edges", lambda out: edges.run_clip(clip, out, p, {}, "cpu"))
    landmarks = result["landmarks"][:]
    assert (result["edge"].shape, landmarks.shape, landmarks.dtype) == ((length, *size, 15), (length, 68, 2), np.float32)
    assert result.attributes["missing"] == result.attributes["carried"] == []
    assert (landmarks > 0).all() and (landmarks < (size[1], size[0])).all()
    assert result["edge"][:].any(axis=(1, 2)).all()  # in every channel of every frame


HAS_DETECTRON2 = find_spec("detectron2") is not None and find_spec("densepose") is not None
POSES = [
    pytest.param(
        backend,
        marks=[pytest.mark.detectron2, pytest.mark.skipif(not HAS_DETECTRON2, reason="detectron2 or DensePose is not installed")],
    )
    if "densepose" in backend
    else backend
    for backend in backends("pose")
]


@pytest.fixture(scope="module")
def pose_options(weights) -> dict[str, dict[str, object]]:
    """Random weights of the real networks, to one of which every box shows a person; OpenPose is a stand-in that always sees the same."""
    from torchvision.models.detection import keypointrcnn_resnet50_fpn

    torch.manual_seed(0)
    network = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    with torch.no_grad():
        network.roi_heads.box_predictor.cls_score.weight.zero_()
        network.roi_heads.box_predictor.cls_score.bias.copy_(torch.tensor([0.0, 3.0]))
        for parameter in network.backbone.parameters():
            parameter *= 0.5  # features of random layers are huge
    torch.save(network.state_dict(), weights / "keypoints.pth")
    (weights / "openpose").mkdir()
    (weights / "openpose/body.caffemodel").touch()
    skeletons = {"folder_weights": str(weights / "openpose")}
    surfaces = {}
    if HAS_DETECTRON2:
        surfaces = {"weights": str(stand_ins.densepose_weights(weights)), "min_score": 0.504, "shortest_side": 64}
    return {
        "given": {},
        "openpose": skeletons,
        "torchvision_keypoints": {"weights": str(weights / "keypoints.pth"), "min_score": 0.5, "shortest_side": 16},
        "densepose": surfaces,
        "densepose_and_openpose": {**surfaces, **skeletons},
    }


@pytest.mark.parametrize("backend", POSES)
def test_every_pose_is_of_as_many_people_as_are_kept(backend, clip, pose_options, monkeypatch):
    p = params.Pose(backend=backend, options=pose_options[backend], people=2, batch_size=2, carry=0, missing="cut")
    with stand_ins.pyopenpose(clip.parent, monkeypatch) as openpose:
        openpose.PEOPLE = [{"pose_keypoints_2d": walker(20, 20)[:25].ravel().tolist()}]
        result = twice(clip, "pose", lambda out: pose.run_clip(clip, out, p, {}, "cpu"))
    length, height, width = arrays.reading(layout.arrays(clip, "frames"))["rgb"].shape[:3]
    assert set(result.names()) <= {"keypoints", "iuv", "person"}
    if "keypoints" in result:
        keypoints = result["keypoints"][0:length]
        assert (keypoints.shape, keypoints.dtype) == ((length, 2, 137, 3), np.float32)
        assert np.isfinite(keypoints).all() and (keypoints[..., 2] >= 0).all() and (keypoints[..., 2] <= 1).all()
        assert not keypoints[keypoints[..., 2] == 0].any()
    if "iuv" in result:
        iuv, person = result["iuv"][0:length], result["person"][0:length]
        assert (iuv.shape, iuv.dtype, person.shape, person.dtype) == ((length, height, width, 3), np.uint8, iuv.shape[:3], np.uint8)
        assert iuv[..., 0].max() <= 24 and person.max() <= 2
        np.testing.assert_array_equal(person > 0, iuv[..., 0] > 0)
        assert not iuv[person == 0].any()
    if backend == "densepose":
        assert set(result.attributes["missing"]) <= {2}  # random weights see nobody in the last frame, where the car is gone
    else:
        assert result.attributes["missing"] == ([2][: length - 1 >= 2] if backend == "given" else [])
    there = [t for t in range(length) if t not in result.attributes["missing"]]
    for t in there:
        assert ("keypoints" in result and result["keypoints"][t][0].any()) or ("iuv" in result and (result["person"][t] == 1).any())


CACHED = [file for file in sorted(extractors.FOLDER.rglob("*.py")) if "lru_cache" in file.read_text()]


@pytest.mark.parametrize("file", CACHED, ids=lambda file: file.stem)
def test_what_a_worker_keeps_is_told_which_version_of_its_file_it_is(file):
    """Else it keeps an old network when the file at the path is replaced."""
    functions = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)]
    kept = [node for node in functions if any("lru_cache" in ast.unparse(decorator) for decorator in node.decorator_list)]
    assert kept
    for function in kept:
        assert {argument.arg for argument in function.args.args} & {"version", "inode"}, function.name


BUILD = """
def build(device: str, first: int, second: list[float] = [0.5], *, model: Literal["x", "y"] = "x", weights: str | None = None, extra: int):
    pass
"""


def test_options_have_the_defaults_that_build_writes_keyword_only_ones_too(monkeypatch):
    monkeypatch.setattr("pipeline.provenance.syntax_tree", lambda module: ast.parse(BUILD))
    options = extractors._options("any", given=("device",))
    assert {name: field.is_required() for name, field in options.model_fields.items()} == {
        "first": True,
        "second": False,
        "model": False,
        "weights": False,
        "extra": True,
    }
    assert options(first=1, extra=2).model_dump() == {"first": 1, "second": [0.5], "model": "x", "weights": None, "extra": 2}
