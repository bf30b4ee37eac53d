"""A street that moves one pixel to the left with each frame, its maps exact, then spoilt in one place that is known."""

from pathlib import Path

import numpy as np
import pytest

from pipeline import arrays, edges, layout, motion, params, quality, steadiness

HEIGHT, WIDTH, FRAMES = 40, 60, 8
PAIRS = FRAMES - 1
P = params.Quality(border=0.05, smallest=0.01, jump_area=0.5, jump_shift=0.5)
CAR, VOID = 7, 255


class Clip:
    """Exact maps of a view that moves over a wide one; arrays by modality, to be spoilt before `found` measures them."""

    def __init__(self, num_frames: int = FRAMES) -> None:
        wide = np.zeros((HEIGHT, WIDTH + num_frames), np.uint8)
        wide[HEIGHT // 2 :] = 3
        wide[15:25, 30:45] = CAR
        self.label = np.stack([wide[:, t : t + WIDTH] for t in range(num_frames)])
        self.instance = (self.label == CAR).astype(np.uint16)
        self.optical_flow = np.zeros((num_frames, HEIGHT, WIDTH, 2), np.float16)
        self.optical_flow[1:, ..., 0] = 1
        self.confidence = np.full((num_frames, HEIGHT, WIDTH), 255, np.uint8)
        self.confidence[0] = 0
        self.confidence[:, :, -1] = 0
        self.edge = np.zeros((num_frames, HEIGHT, WIDTH, 1), np.uint8)
        self.attributes: dict[str, list[int]] = {}

    def write(self, root: Path, name: str, *modalities: str) -> None:
        of = {
            "frames": {"rgb": np.repeat(self.label[..., None] * 20, 3, axis=3).astype(np.uint8)},
            "optical_flow": {"optical_flow_1": self.optical_flow, "confidence_1": self.confidence},
            "segmentation": {"label": self.label},
            "instances": {"instance": self.instance},
            "edges": {"edge": self.edge},
        }
        palette = {"palette": PALETTE}
        attributes = {"segmentation": palette, "edges": self.attributes, "optical_flow": {"strides": [1]}}
        for modality in ("frames", "optical_flow", *modalities):
            folder = root / ("clips" if modality == "frames" else modality) / name
            folder.mkdir(parents=True)
            with arrays.writing(layout.arrays(folder, modality), attributes.get(modality, {})) as writer:
                for array, frames in of[modality].items():
                    for frame in frames:
                        writer.append(array, frame)

    def measure(self, root: Path, name: str, *modalities: str) -> dict:
        self.write(root, name, *modalities)
        return measured(root, name, *modalities)

    def found(self, root: Path) -> dict:
        return self.measure(root, "a", "segmentation", "instances", "edges")


def measured(root: Path, name: str, *modalities: str) -> dict:
    out = root / "quality" / name
    out.mkdir(parents=True)
    folders = {m: root / m / name if m in modalities else None for m in ("segmentation", "instances", "pose", "edges")}
    quality.run_clip(clips=root / "clips" / name, optical_flow=root / "optical_flow" / name, **folders, out=out, p=P, made_by={"key": "k"})
    return findings(out)


def findings(folder: Path) -> dict:
    return arrays.reading(layout.arrays(folder, "quality")).attributes["findings"]


PALETTE = {
    "name": "three",
    "void": [],
    "classes": [
        {"id": i, "name": name, "colour": [30 * i, 90, 90], "thing": i == CAR, "foreground": False, "learned": True}
        for i, name in ((0, "sky"), (3, "road"), (CAR, "car"))
    ],
}


def test_exact_maps_of_a_moving_view_have_nothing_to_be_found(tmp_path):
    found = Clip().found(tmp_path)
    assert {name: finding["value"] for name, finding in found.items()} == {
        "unsure_flow": pytest.approx(1 / WIDTH, abs=1e-6),  # the column that comes into view
        "label_flicker": 0,
        "object_breaks": 0,
        "object_jumps": 0,
    }


def test_labels_that_stay_where_they_were_while_the_picture_moves_are_found(tmp_path):
    """The borders of the car's 10 upright sides are wrong by a pixel in each frame; those of the road lie along the motion."""
    clip = Clip()
    clip.label[:] = clip.label[0]
    share = 2 * 10 / (HEIGHT * (WIDTH - 1))
    assert clip.found(tmp_path)["label_flicker"]["value"] == pytest.approx(share, abs=1e-6)


def test_one_frame_of_other_labels_is_named_and_counts_as_it_comes_and_as_it_goes(tmp_path):
    clip = Clip()
    clip.label[4, :10] = 3  # a quarter of the picture, all sky
    found = clip.found(tmp_path)["label_flicker"]
    assert (found["value"], found["worst"], found["frame"]) == (pytest.approx(2 / PAIRS / 4, abs=1e-6), 0.25, 4)


def test_void_and_unsure_pixels_tell_nothing_about_labels(tmp_path):
    clip = Clip()
    clip.label[4, :10], clip.label[4, 30:] = VOID, 0
    clip.confidence[4:6, 30:] = 0
    assert clip.found(tmp_path)["label_flicker"]["value"] == 0


def test_a_frame_without_sure_flow_is_named(tmp_path):
    clip = Clip()
    clip.confidence[:, :, -1] = 255
    clip.confidence[1:] = 128
    clip.confidence[3] = 127
    found = clip.found(tmp_path)["unsure_flow"]
    assert (found["value"], found["worst"], found["frame"]) == (pytest.approx(1 / PAIRS, abs=1e-6), 1, 3)


def test_an_object_that_gets_another_id_ends_and_begins(tmp_path):
    clip = Clip()
    clip.instance[5:] *= 9
    found = clip.found(tmp_path)
    assert found["object_breaks"] == {
        "value": pytest.approx(2 / PAIRS * 100, abs=1e-4),
        "worst": 2,
        "frame": 5,
        "what": "object 1 ends, object 9 begins",
    }
    assert found["object_jumps"]["value"] == 0


def test_objects_at_the_border_may_come_and_go_and_small_ones_too(tmp_path):
    clip = Clip()
    clip.instance[3, 10:20, :12] = 2  # at the left border
    clip.instance[4, 28:40, 20:30] = 3  # at the lower one
    clip.instance[5, 5:9, 20:25] = 4  # 20 pixels, fewer than a hundredth
    assert clip.found(tmp_path)["object_breaks"]["value"] == 0
    clip.instance[5, 5:9, 20:26] = 4
    assert clip.found(tmp_path / "larger")["object_breaks"]["what"] == "object 4 begins"


def test_an_object_that_flow_does_not_move_there_jumps(tmp_path):
    clip = Clip()
    clip.instance[4:] = np.roll(clip.instance[4:], -8, axis=1)  # up, by more than half the root of 150
    found = clip.found(tmp_path)["object_jumps"]
    assert (found["worst"], found["frame"], found["what"]) == (1, 4, "object 1 jumps")
    assert found["value"] == pytest.approx(1 / PAIRS * 100, abs=1e-4)
    clip.confidence[4] = 0
    assert clip.found(tmp_path / "unsure")["object_jumps"]["value"] == 0


def test_an_object_that_loses_more_than_half_of_its_area_jumps_and_one_that_keeps_more_does_not(tmp_path):
    clip = Clip()
    clip.instance[4:, 19:] = 0  # 4 of 10 rows are left
    assert clip.found(tmp_path)["object_jumps"]["frame"] == 4
    clip = Clip()
    clip.instance[4:, 21:] = 0
    assert clip.found(tmp_path / "six")["object_jumps"]["value"] == 0


def test_lost_faces_are_counted_and_the_longest_run_is_named(tmp_path):
    clip = Clip()
    clip.attributes = {"missing": [2, 4, 5, 6], "carried": [3]}
    assert clip.found(tmp_path)["lost_faces"] == {"value": 5 / 8, "worst": 3, "frame": 4, "what": "missing 2, 4-6; carried 3"}


def test_edges_that_cannot_be_lost_are_not_judged_and_those_that_were_not_are_zero(tmp_path):
    assert "lost_faces" not in Clip().found(tmp_path)
    clip = Clip()
    clip.attributes = {"missing": [], "carried": []}
    assert clip.found(tmp_path / "none")["lost_faces"] == {"value": 0, "worst": 0, "frame": 0, "what": ""}


@pytest.mark.parametrize(("backend", "judged"), [("canny", False), ("face_sketch_given", True)])
def test_faces_are_judged_where_the_stage_edges_looks_for_them(backend, judged, tmp_path):
    clip, p = Clip(), params.Edges(backend=backend, options={}, carry=2, missing="cut", smooth=0.0)
    clip.write(tmp_path, "a", "segmentation", "instances")
    with arrays.writing(layout.arrays(tmp_path / "clips/a", "edges"), {}) as writer:
        for t in range(FRAMES):
            writer.append("landmarks", np.full((68, 2), np.nan if t == 3 else 20, np.float32))
    (tmp_path / "edges/a").mkdir(parents=True)
    edges.run_clip(tmp_path / "clips/a", tmp_path / "edges/a", p, {}, "cpu")
    found = measured(tmp_path, "a", "segmentation", "instances", "edges")
    assert ("lost_faces" in found) == judged
    if judged:
        assert found["lost_faces"] == {"value": 1 / FRAMES, "worst": 1, "frame": 3, "what": "carried 3"}


def test_what_a_data_set_has_none_of_is_not_measured(tmp_path):
    assert set(Clip().measure(tmp_path, "a")) == {"unsure_flow"}
    assert Clip(num_frames=1).measure(tmp_path, "one frame", "segmentation", "instances") == {}


def test_moved_takes_the_nearest_pixel_and_nothing_from_outside():
    ids = np.arange(12, dtype=np.uint16).reshape(3, 4) + 1
    flow = np.zeros((3, 4, 2), np.float16)
    flow[..., 0], flow[..., 1] = 0.75, -1
    assert motion.moved(ids, flow).tolist() == [[0, 0, 0, 0], [2, 3, 4, 0], [6, 7, 8, 0]]


def test_shapes_agree_with_counting_by_hand():
    instance = np.zeros((10, 12), np.uint16)
    instance[2:5, 3:9] = 400
    instance[4, 8] = 2
    found = steadiness.shapes(instance)
    assert found[400].pixels == 17 and found[400].gap == 2
    rows, columns = np.nonzero(instance == 400)
    assert found[400].centre == pytest.approx((rows.mean(), columns.mean()))
    assert found[2] == steadiness.Shape(1, (4.0, 8.0), 3)
