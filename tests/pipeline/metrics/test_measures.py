from pipeline.metrics.measures import MEASURES

BY_KEY = {measure.key: measure for measure in MEASURES}


def test_each_measure_knows_which_value_is_better():
    assert BY_KEY["warping_error"].is_better(0.1, 0.2)
    assert BY_KEY["psnr"].is_better(20.0, 10.0)
    assert not BY_KEY["ssim"].is_better(0.5, 0.5)


def test_half_the_detail_is_as_bad_as_twice_the_detail():
    ratio = BY_KEY["gradient_energy_ratio"]
    assert ratio.cost(0.5) == ratio.cost(2.0)
    assert ratio.is_better(0.9, 1.2)
    assert ratio.is_better(5.0, 0.0)


def test_nothing_is_better_than_a_missing_value():
    assert BY_KEY["miou"].is_better(None, 0.5) is None
    assert BY_KEY["miou"].is_better(0.5, None) is None
