import numpy as np

from pipeline import baselines


def test_the_first_frame_is_repeated_for_the_length_of_the_video():
    real = np.arange(4 * 2 * 3 * 3, dtype=np.uint8).reshape(4, 2, 3, 3)
    copies = list(baselines.copy_first_frame(real))
    assert len(copies) == 4
    assert all((copy == real[0]).all() for copy in copies)


def test_each_label_gets_its_mean_colour_and_an_unseen_one_the_mean_over_all():
    rgb = np.zeros((1, 4, 3), np.uint8)
    rgb[0] = [[10, 0, 0], [20, 0, 0], [0, 90, 0], [0, 90, 0]]
    label = np.array([[3, 3, 255, 255]], np.uint8)
    colours = baselines.mean_colours([(rgb, label), (rgb + 2, label)])
    np.testing.assert_array_equal(colours[3], [16, 1, 1])
    np.testing.assert_array_equal(colours[255], [1, 91, 1])
    np.testing.assert_array_equal(colours[0], [8, 46, 1])  # 8.5 goes to the even number
    painted = list(baselines.mean_colour_per_label([label], colours))
    np.testing.assert_array_equal(painted[0][0, 0], [16, 1, 1])
