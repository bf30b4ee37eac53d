from collections.abc import Iterator
from pathlib import Path

import cv2
import dlib
import numpy as np
import pytest

from pipeline import arrays, before_work, edges, layout, params, video
from pipeline.errors import InputError
from pipeline.extractors.edges import Landmarks
from pipeline.extractors.edges.face_sketch import build as face_sketch
from pipeline.extractors.edges.face_sketch_dlib import build as face_sketch_dlib
from pipeline.face_sketch import draw
from pipeline.params_file import check
from tests.pipeline.test_before_work import CLIPS, FLOWNET2, added
from tests.pipeline.test_face_sketch import face

PARAMS = params.Edges(backend="face_sketch_given", options={}, carry=2, missing="cut", smooth=0.0)


def clip(folder: Path, frames: list[np.ndarray], landmarks: np.ndarray | None = None) -> Path:
    made = folder / "clip"
    made.mkdir()
    with arrays.writing(layout.arrays(made, "frames"), {}) as writer:
        for rgb in frames:
            writer.append("rgb", rgb)
    if landmarks is not None:
        with arrays.writing(layout.arrays(made, "edges"), {}) as writer:
            for points in landmarks:
                writer.append("landmarks", points)
    return made


def run(made: Path, p: params.Edges) -> arrays.Clip:
    out = made.parent / "out"
    out.mkdir(exist_ok=True)
    edges.run_clip(made, out, p, {"key": "k"}, "cpu")
    return arrays.reading(layout.arrays(out, "edges"))


def going_right(frames: int, *lost: int) -> np.ndarray:
    """A face that goes 2 pixels a frame to the right, and is not found in some."""
    points = np.stack([face(60.3 + 2 * t, 50.3, 30) for t in range(frames)])
    points[list(lost)] = np.nan
    return points


@pytest.fixture
def pictures() -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (12, 96, 128, 3)).astype(np.uint8))


def test_given_landmarks_are_drawn_and_kept(tmp_path, pictures):
    result = run(clip(tmp_path, pictures, going_right(12)), PARAMS)
    assert result.names() == ["edge", "landmarks"]
    assert (result["edge"].shape, result["landmarks"].shape) == ((12, 96, 128, 15), (12, 68, 2))
    assert result.attributes == {"key": "k", "missing": [], "carried": []}
    for t, points in enumerate(going_right(12)):
        np.testing.assert_array_equal(result["edge"][t], draw(pictures[t], points))
        np.testing.assert_array_equal(result["landmarks"][t], points)


def test_a_short_gap_is_carried_on_the_line_between_its_sides_and_a_longer_one_is_named(tmp_path, pictures):
    result = run(clip(tmp_path, pictures, going_right(12, 2, 3, 6, 7, 8, 11)), PARAMS)
    assert (result.attributes["missing"], result.attributes["carried"]) == ([6, 7, 8], [2, 3, 11])
    np.testing.assert_allclose(result["landmarks"][2:4], going_right(12)[2:4], rtol=1e-5)
    np.testing.assert_array_equal(result["landmarks"][11], going_right(12)[10])
    assert np.isnan(result["landmarks"][6:9]).all() and not result["edge"][6:9].any()
    assert all(edge[..., 0].any() for t, edge in enumerate(result["edge"][:]) if t not in (6, 7, 8))


def test_without_leave_a_longer_gap_refuses_the_clip_and_names_its_frames(tmp_path, pictures):
    made = clip(tmp_path, pictures, going_right(12, 0, 1, 2, 5, 7, 8, 9, 10))
    with pytest.raises(InputError, match=r"clip: no face is found in frames 0-2, 7-10, longer than edges\.carry = 2") as refused:
        run(made, PARAMS.model_copy(update={"missing": "refuse"}))
    assert "\n" not in str(refused.value)
    assert not layout.arrays(made.parent / "out", "edges").exists()


def test_a_clip_that_shows_no_face_at_all_is_missing_as_a_whole(tmp_path, pictures):
    result = run(clip(tmp_path, pictures, going_right(12, *range(12))), PARAMS.model_copy(update={"carry": 99}))
    assert result.attributes["missing"] == list(range(12))


def test_smoothing_takes_jitter_out_of_what_is_drawn_and_kept(tmp_path, pictures):
    jitter = np.random.default_rng(1).normal(0, 1, (12, 68, 2)).astype(np.float32)
    made = clip(tmp_path, pictures, np.stack([face(60, 50, 30)] * 12) + jitter)
    shakes = [float(np.diff(run(made, PARAMS.model_copy(update={"smooth": s}))["landmarks"][:], axis=0).std()) for s in (0.0, 1.5)]
    assert shakes[1] < shakes[0] / 4


def test_a_source_without_landmarks_is_refused(tmp_path, pictures):
    with pytest.raises(InputError, match="clip: edges.backend is face_sketch_given, but its source has no landmarks"):
        run(clip(tmp_path, pictures), PARAMS)


def test_canny_is_opencvs_and_says_nothing_of_faces(tmp_path, pictures):
    result = run(clip(tmp_path, pictures), PARAMS.model_copy(update={"backend": "canny", "options": {"low": 50.0}}))
    assert result.attributes == {"key": "k"}
    assert result["edge"].shape == (12, 96, 128, 1)
    for t, rgb in enumerate(pictures):
        np.testing.assert_array_equal(result["edge"][t][..., 0], cv2.Canny(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), 50, 200))


@pytest.fixture(scope="module")
def talking(shared_data: Path) -> list[np.ndarray]:
    """A talking face, every third frame of it."""
    return list(video.frames(shared_data / "clips/face/face_talk_512x480.mp4"))[:36:3]


def meshed(shared_data: Path) -> dict[str, str]:
    weights = shared_data / "weights"
    return {"face_weights": str(weights / "yunet_n_640_640.onnx"), "landmark_weights": str(weights / "face_landmark_468.tflite")}


def located(extractor: Landmarks, frames: list[np.ndarray]) -> np.ndarray:
    def again() -> Iterator[np.ndarray]:
        return iter(frames)

    return extractor(again)


def test_a_real_face_is_found_in_every_frame_that_shows_it_and_in_no_other(talking, shared_data):
    black = np.zeros_like(talking[0])
    points = located(face_sketch(**meshed(shared_data)), [*talking[:4], black, black, *talking[4:6], black])
    assert np.isfinite(points).all(axis=(1, 2)).tolist() == [True] * 4 + [False] * 2 + [True] * 2 + [False]
    assert np.isnan(points[4:6]).all()


def test_the_larger_of_two_faces_is_drawn_though_the_other_is_there_longer(talking, shared_data):
    """Side by side, the left one at a third of its size."""
    frames = []
    for t, rgb in enumerate(talking[:4]):
        picture = np.zeros((480, 700, 3), np.uint8)
        picture[:160, :170] = cv2.resize(rgb, (170, 160), interpolation=cv2.INTER_AREA)
        if t != 1:
            picture[:, 188:] = rgb
        frames.append(picture)
    points = located(face_sketch(**meshed(shared_data)), frames)
    assert np.isfinite(points).all(axis=(1, 2)).tolist() == [True, False, True, True]
    assert (points[[0, 2, 3], :, 0] > 188).all()


def test_a_trained_shape_predictor_of_dlibs_gives_the_points_that_it_learned(talking, shared_data, tmp_path):
    """Trained here on frames with the face mesh's points; where it is asked are others between them."""
    truth = located(face_sketch(**meshed(shared_data)), talking)
    detector, options = dlib.get_frontal_face_detector(), dlib.shape_predictor_training_options()
    options.cascade_depth, options.tree_depth, options.num_trees_per_cascade_level, options.oversampling_amount = 6, 2, 40, 20
    options.random_seed = "0"
    shapes = [
        [dlib.full_object_detection(detector(rgb)[0], [dlib.point(*map(round, point)) for point in points.tolist()])]
        for rgb, points in zip(talking[::2], truth[::2], strict=True)
    ]
    dlib.train_shape_predictor(talking[::2], shapes, options).save(str(tmp_path / "points.dat"))
    found = located(face_sketch_dlib(str(tmp_path / "points.dat")), [*talking, np.zeros_like(talking[0])])
    assert np.isnan(found[-1]).all()
    eyes = np.linalg.norm(truth[:, 36] - truth[:, 45], axis=-1).mean()
    assert np.linalg.norm(found[:-1] - truth, axis=-1).mean() < 0.06 * eyes


@pytest.mark.parametrize("content", [b"", b"no predictor" * 50])
def test_a_file_without_a_shape_predictor_is_refused_in_one_sentence(content, tmp_path):
    (tmp_path / "points.dat").write_bytes(content)
    with pytest.raises(InputError, match=r"points\.dat: holds no shape predictor of dlib's \(\.dat\)") as refused:
        face_sketch_dlib(str(tmp_path / "points.dat"))
    assert "\n" not in str(refused.value)


def test_a_shape_predictor_of_other_points_is_refused(tmp_path, talking):
    options = dlib.shape_predictor_training_options()
    options.cascade_depth, options.tree_depth, options.num_trees_per_cascade_level, options.oversampling_amount = 1, 1, 1, 1
    shape = dlib.full_object_detection(dlib.rectangle(100, 100, 300, 300), [dlib.point(150, 150), dlib.point(200, 220)])
    dlib.train_shape_predictor([talking[0]] * 2, [[shape]] * 2, options).save(str(tmp_path / "two.dat"))
    with pytest.raises(InputError, match=r"edges\.options\.predictor_weights: two\.dat predicts 2 points; 68 are needed"):
        located(face_sketch_dlib(str(tmp_path / "two.dat")), talking[:1])


OPTIONS = "{face_weights: yunet-n-640, landmark_weights: mediapipe-face_landmark}"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (OPTIONS, "{face_weights: {yunet}}", "edges.options.landmark_weights is missing"),
        (OPTIONS, "{landmark_weights: {mesh}}", "edges.options.face_weights is missing"),
        (OPTIONS, "{face_weights: {yunet}, landmark_weights: gone.tflite}", "edges.options.landmark_weights: gone.tflite is no file"),
        (OPTIONS, "{face_weights: {yunet}, landmark_weights: {yunet}}", "holds no face mesh of MediaPipe's"),
        (OPTIONS, "{face_weights: {mesh}, landmark_weights: {mesh}}", "holds no YuNet"),
        (
            f"face_sketch\n      options: {OPTIONS}",
            "face_sketch_given",
            "edges.backend is face_sketch_given, but its source has no landmarks",
        ),
    ],
)
def test_what_the_sketches_of_a_faceforensics_lack_is_told_before_any_work(old, new, sentence, shared_data):
    weights = shared_data / "weights"
    new = new.replace("{yunet}", str(weights / "yunet_n_640_640.onnx")).replace("{mesh}", str(weights / "face_landmark_468.tflite"))
    text = added("faceforensics", old, new).replace("face_weights: yunet-n-640", f"face_weights: {weights / 'yunet_n_640_640.onnx'}", 1)
    with pytest.raises(InputError) as refused:
        before_work.check(CLIPS, "mine", check(text.replace(FLOWNET2, ""), Path("params.yaml")))
    assert sentence in str(refused.value) and "\n" not in str(refused.value)
