import pytest

from pipeline.verdict import best, shown, verdict


def values(warping_error: float, psnr: float, miou: float | None = None, video_fid: float | None = None) -> dict:
    found = {"warping_error": warping_error, "gradient_energy_ratio": None, "psnr": psnr, "ssim": None, "miou": miou}
    return {**found, "video_fid": video_fid, "kernel_video_distance": None}


def scores(**methods: dict) -> dict:
    return {**methods, "test": {"clips": 1, "frames": 60, "given_frames": 0}, "video_network": [RANDOM]}


RANDOM = {
    **{"weights_given": False, "features_are": "random features, comparable within this report only", "features": 480},
    **{"windows": 27, "window_frames": 8, "window_stride": 2},
}


def test_a_lost_measure_is_told_with_its_numbers():
    found = verdict(scores(vid2vid=values(0.001, 17.0), per_frame=values(0.004, 18.5)))
    assert found[0] == (
        "vid2vid is better than the same generator without the past in warping error (0.001000 against 0.004000); "
        "it is NOT better in PSNR (17.00 against 18.50)."
    )


def test_a_lost_comparison_is_called_lost():
    found = verdict(scores(vid2vid=values(0.004, 17.0), per_frame=values(0.001, 18.5)))
    assert found[0].startswith("vid2vid is NOT better than the same generator without the past in any measure")


def test_a_trivial_method_that_wins_is_named():
    found = verdict(scores(vid2vid=values(0.004, 17.0), per_frame=values(0.005, 16.0), copy_first_frame=values(0.005, 19.0)))
    assert found[0].startswith("vid2vid is better than the same generator without the past in all 2 measures")
    assert found[1] == "It is NOT better than “copy first frame” in PSNR (17.00 against 19.00)."


def test_a_tie_is_not_better():
    found = verdict(scores(vid2vid=values(0.004, 17.0), per_frame=values(0.004, 16.0)))
    assert "NOT better in warping error (0.004000 against 0.004000)" in found[0]


def test_a_video_fid_of_random_features_is_called_so():
    pair = {"vid2vid": values(0.1, 10.0, video_fid=3.0), "per_frame": values(0.1, 10.0, video_fid=4.0)}
    assert (
        "better than the same generator without the past in video FID of random features (3.000 against 4.000)"
        in verdict(scores(**pair))[0]
    )
    given = {**scores(**pair), "video_network": [{**RANDOM, "weights_given": True, "features_are": "features of given weights"}]}
    assert "in video FID (3.000 against 4.000)" in verdict(given)[0]


def test_few_windows_are_called_few():
    assert verdict(scores(vid2vid=values(0.1, 10.0)))[-1] == (
        "Video FID and kernel video distance (random features, comparable within this report only): 27 windows a side, which share frames. "
        "These are few, no more than the 480 features: both values can be chance, and video FID is too high."
    )
    many = {**RANDOM, "windows": 5000, "window_stride": 8}
    assert verdict({**scores(vid2vid=values(0.1, 10.0)), "video_network": [many]})[-1].endswith(": 5000 windows a side.")


def test_one_training_without_a_rival_is_said():
    assert "not trained" in verdict(scores(vid2vid=values(0.1, 10.0)))[0]


def test_the_real_video_is_never_best_and_ties_share_it():
    found = best(scores(vid2vid=values(0.2, 10.0), per_frame=values(0.2, 12.0), real=values(0.1, 99.0)))
    assert found["warping_error"] == ["vid2vid", "per_frame"]
    assert found["psnr"] == ["per_frame"]
    assert found["miou"] == []


@pytest.mark.parametrize(("key", "value", "text"), [("psnr", None, "–"), ("warping_error", 0.00123, "0.001230"), ("miou", 0.5, "0.500")])
def test_values_are_shown_with_the_digits_of_their_measure(key, value, text):
    assert shown(key, value) == text
