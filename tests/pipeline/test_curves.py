import pandas as pd

from pipeline import curves


def test_a_line_runs_from_0_to_the_highest_value_over_all_steps():
    losses = {"full": pd.DataFrame({"step": [5, 10], "gan": [4.0, 1.0]}), "other": pd.DataFrame({"step": [10], "gan": [2.0]})}
    (panel,) = curves.panels(losses)
    assert (panel.term, panel.top, panel.bottom, panel.last_step) == ("gan", 4.0, 0.0, 10)
    assert [(line.name, line.points, line.last) for line in panel.lines] == [
        ("full", f"{curves.WIDTH / 2:.1f},0.0 {curves.WIDTH:.1f},{curves.HEIGHT * 0.75:.1f}", 1.0),
        ("other", f"{curves.WIDTH:.1f},{curves.HEIGHT / 2:.1f}", 2.0),
    ]


def test_a_term_of_one_training_has_a_panel_with_one_line():
    losses = {"full": pd.DataFrame({"step": [1], "gan": [1.0], "video": [1.0]}), "other": pd.DataFrame({"step": [1], "gan": [1.0]})}
    assert [(panel.term, len(panel.lines)) for panel in curves.panels(losses)] == [("gan", 2), ("video", 1)]


def test_a_value_that_is_no_number_is_left_out():
    (panel,) = curves.panels({"full": pd.DataFrame({"step": [1, 2], "gan": [1.0, float("nan")]})})
    assert panel.lines[0].points == f"{curves.WIDTH / 2:.1f},0.0"
