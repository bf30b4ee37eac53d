import json
from dataclasses import replace

import finished_journey
import numpy as np
import pytest
import torch
import torchvision
from finished_journey import CAR, FRAMES, PALETTE, SKY, WINDOWS, Journey, finished

from pipeline import arrays, evaluate, layout, params, video_network
from pipeline.errors import InputError
from pipeline.metrics.frechet_distance import frechet_distance
from pipeline.metrics.kernel_distance import kernel_distance
from pipeline.store import file_sha256
from pipeline.verdict import verdict

READ = (
    "clips",
    "segmentation",
    "optical_flow",
    "segmentation_model",
    "segmentation_scores",
    "dataset",
    "synthesize",
    "synthesize_per_frame",
)


def scores_of(journey: Journey, stride: int = 1, windows: params.VideoNetwork = WINDOWS) -> dict:
    out = journey.folder("evaluate")
    evaluate.run(**journey.arguments(*READ), out=out, p=params.Evaluate(stride=stride, video_network=windows), device="cpu")
    return json.loads(layout.scores(out).read_text())


@pytest.fixture
def journey(tmp_path) -> Journey:
    return finished(tmp_path)


def test_the_real_video_has_no_warping_error_and_its_own_detail(journey):
    real = scores_of(journey)["real"]
    assert real.pop("warping_error") == pytest.approx(0, abs=1e-9)
    assert real.pop("gradient_energy_ratio") == 1
    assert real == dict.fromkeys(["psnr", "ssim", "miou", "video_fid", "kernel_video_distance"])


def test_the_less_noisy_video_is_better_in_every_measure(journey):
    scores = scores_of(journey)
    assert scores["vid2vid_better_than_per_frame"] == {
        "warping_error": True,
        "gradient_energy_ratio": True,
        "psnr": True,
        "ssim": True,
        "miou": None,
        "video_fid": True,
        "kernel_video_distance": True,
    }
    assert scores["vid2vid"]["psnr"] > scores["per_frame"]["psnr"] > 20


def test_warping_error_of_independent_noise_is_twice_its_variance(journey):
    variance = ((24 * 2 + 1) ** 2 - 1) / 12 / 255**2  # of whole numbers from -24 to 24
    assert scores_of(journey)["per_frame"]["warping_error"] == pytest.approx(2 * variance, rel=0.1)


def test_a_clip_counts_by_its_frames(journey):
    scores = scores_of(journey)
    assert scores["test"] == {"clips": 2, "frames": 2 * FRAMES, "given_frames": 0}
    parts = [row for row in scores["clips"] if row["method"] == "vid2vid"]
    assert [row["clip"] for row in parts] == ["drive-1", "drive-2"]
    assert scores["vid2vid"]["ssim"] == pytest.approx(np.mean([row["ssim"] for row in parts]), abs=1e-5)


def test_frames_that_were_given_count_for_no_method(tmp_path):
    journey = finished(tmp_path, begins_with="given")
    scores, clip = scores_of(journey), journey.of("test")[0]
    assert scores["test"] == {"clips": 2, "frames": 2 * (FRAMES - 2), "given_frames": 4}
    real, *fakes = (
        arrays.reading(layout.arrays(journey.folder(stage) / clip, "frames"))["rgb"][2:] / 255
        for stage in ("clips", "synthesize", "synthesize_per_frame")
    )
    for method, frames in {"vid2vid": fakes[0], "per_frame": fakes[1], "copy_first_frame": real[:1]}.items():
        row = next(row for row in scores["clips"] if (row["clip"], row["method"]) == (clip, method))
        assert row["psnr"] == pytest.approx(-10 * np.log10(((real - frames) ** 2).mean()), abs=1e-3)
    assert "The 4 real frames that vid2vid was given to begin with count for no method." in " ".join(verdict(scores))


def test_psnr_is_that_of_all_pixels_together(journey):
    clip = journey.of("test")[0]
    real, fake = (arrays.reading(layout.arrays(journey.folder(s) / clip, "frames"))["rgb"][:] / 255 for s in ("clips", "synthesize"))
    row = next(row for row in scores_of(journey)["clips"] if (row["clip"], row["method"]) == (clip, "vid2vid"))
    assert row["psnr"] == pytest.approx(-10 * np.log10(((real - fake) ** 2).mean()), abs=1e-3)


def test_copying_the_first_frame_is_measured_although_it_is_a_real_one(journey):
    copied = scores_of(journey)["copy_first_frame"]
    assert copied["gradient_energy_ratio"] == pytest.approx(1, abs=0.2)
    assert copied["psnr"] < 30
    assert copied["warping_error"] > 0.001


def test_flat_colours_have_little_detail(journey):
    assert scores_of(journey)["mean_colour_per_label"]["gradient_energy_ratio"] < 0.5


def test_without_a_generator_without_past_there_is_no_comparison(tmp_path):
    scores = scores_of(finished(tmp_path, per_frame=False))
    assert "per_frame" not in scores
    assert scores["vid2vid_better_than_per_frame"] == {}


def test_the_result_is_labelled_again_by_the_segmentation_network(journey, monkeypatch):
    """A stand-in that calls everything sky: of the three labels only the sky has an IoU above 0, its share of the pixels."""

    class OnlySky:
        palette = PALETTE

        def predict(self, rgb):
            return np.full(rgb.shape[:3], SKY, np.uint8)

    layout.segmentation_checkpoint(journey.folder("segmentation_model")).touch()
    monkeypatch.setattr(evaluate.Segmenter, "load", lambda checkpoint, device: OnlySky())
    labels = np.stack([f.label for clip in journey.of("test") for f in journey.frames(clip)])
    share_of_sky = (labels == SKY).mean()
    assert (labels == CAR).any()
    for method in ("vid2vid", "real", "copy_first_frame"):
        assert scores_of(journey)[method]["miou"] == pytest.approx(share_of_sky / 3, abs=1e-6)


def test_labels_that_no_model_learns_count_nowhere_in_the_result(tmp_path, monkeypatch):
    """As above, but the cars are not learned: of the two labels left, the sky has its share of their pixels."""
    classes = tuple(replace(c, learned=c.id != CAR) for c in PALETTE.classes)
    palette = replace(PALETTE, classes=classes)
    monkeypatch.setattr(finished_journey, "PALETTE", palette)
    journey = finished(tmp_path)

    class OnlySky:
        def __init__(self) -> None:
            self.palette = palette

        def predict(self, rgb):
            return np.full(rgb.shape[:3], SKY, np.uint8)

    layout.segmentation_checkpoint(journey.folder("segmentation_model")).touch()
    monkeypatch.setattr(evaluate.Segmenter, "load", lambda checkpoint, device: OnlySky())
    labels = np.stack([f.label for clip in journey.of("test") for f in journey.frames(clip)])
    share_of_sky = (labels == SKY).sum() / (labels != CAR).sum()
    assert scores_of(journey)["real"]["miou"] == pytest.approx(share_of_sky / 2, abs=1e-6)


def test_a_stride_without_optical_flow_is_refused(journey):
    with pytest.raises(InputError, match=r"evaluate\.stride is 3: optical_flow\.strides has 1"):
        scores_of(journey, stride=3)


def test_what_the_video_distances_were_measured_by_stands_beside(journey):
    about = scores_of(journey)["video_network"][0]
    assert about.pop("between_halves_of_real")["video_fid"] > 0
    assert about == {
        "name": "random",
        "weights_given": False,
        "weights_sha256": video_network.load(WINDOWS, "cpu").weights_sha256,
        "features_are": "random features, comparable within this report only",
        "features": 480,
        "window_frames": 4,
        "window_stride": 2,
        "windows": 2 * 2,  # of each clip's 6 frames, 0 to 3 and 2 to 5
    }


def test_dvc_shows_no_column_of_the_video_network(journey):
    """It shows what is reached by dicts alone and is a number or text."""

    def columns(values: dict) -> list[tuple[str, ...]]:
        deeper = [(key, *rest) for key, value in values.items() if isinstance(value, dict) for rest in columns(value)]
        return [(key,) for key, value in values.items() if isinstance(value, int | float | str)] + deeper

    shown = columns(scores_of(journey))
    assert ("vid2vid", "video_fid") in shown and ("test", "frames") in shown
    assert [column for column in shown if column[0] == "video_network"] == []


def test_video_fid_is_that_of_all_windows_of_all_clips_together(journey):
    network = video_network.load(WINDOWS, "cpu")

    def windows(stage: str) -> np.ndarray:
        frames = [arrays.reading(layout.arrays(journey.folder(stage) / clip, "frames"))["rgb"][:] for clip in journey.of("test")]
        return np.stack([network.features([network.prepare(rgb) for rgb in clip[t : t + 4]]) for clip in frames for t in (0, 2)])

    real, fake = windows("clips").astype(np.float64), windows("synthesize").astype(np.float64)
    scores = scores_of(journey)
    assert scores["vid2vid"]["video_fid"] == pytest.approx(frechet_distance(real, fake), rel=1e-4)
    assert scores["vid2vid"]["kernel_video_distance"] == pytest.approx(kernel_distance(real, fake), rel=1e-3)


def test_with_weights_given_the_scores_name_their_file(journey, tmp_path):
    torch.save(torchvision.models.video.r3d_18(weights=None).state_dict(), tmp_path / "r3d.pth")
    given = params.VideoNetwork(name="r3d_18", weights=str(tmp_path / "r3d.pth"), window_frames=4, window_stride=2)
    about = scores_of(journey, windows=given)["video_network"][0]
    assert (about["name"], about["weights_given"], about["features"]) == ("r3d_18", True, 512)
    assert about["weights_sha256"] == file_sha256(tmp_path / "r3d.pth")


def test_fewer_than_two_windows_are_refused_before_anything_is_measured(journey, monkeypatch):
    too_long = params.VideoNetwork(name="random", weights=None, window_frames=FRAMES + 1, window_stride=2)
    monkeypatch.setattr(evaluate, "_training_pairs", lambda *folders: pytest.fail("work was begun"))
    with pytest.raises(InputError) as refused:
        scores_of(journey, windows=too_long)
    assert str(refused.value) == (
        "evaluate.video_network: 0 windows of window_frames = 7 in 2 test clips of at most 6 frames; at least 2 are needed: "
        "lower that or window_stride = 2, or take longer test clips"
    )


def test_two_windows_are_enough(journey):
    whole_clips = params.VideoNetwork(name="random", weights=None, window_frames=FRAMES, window_stride=9)
    scores = scores_of(journey, windows=whole_clips)
    assert scores["video_network"][0]["windows"] == 2
    assert scores["video_network"][0]["between_halves_of_real"] == {}  # a half would have one
    assert scores["vid2vid"]["video_fid"] > 0


def test_equal_inputs_give_equal_bytes(journey):
    scores_of(journey)
    once = layout.scores(journey.folder("evaluate")).read_bytes()
    scores_of(journey)
    assert layout.scores(journey.folder("evaluate")).read_bytes() == once


def test_the_held_out_score_of_the_segmentation_model_stands_beside(journey):
    assert scores_of(journey)["segmentation_model"] == {"held_out_miou": 0.512345}
