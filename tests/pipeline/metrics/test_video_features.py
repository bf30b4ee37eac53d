import numpy as np
import pytest
import torch

from pipeline.metrics.video_features import WindowFeatures, num_windows


def numbered(num_frames: int) -> list[np.ndarray]:
    return [np.full((2, 3, 3), t, np.uint8) for t in range(num_frames)]


def seen_windows(num_frames: int, length: int, stride: int) -> list[list[int]]:
    """The frames of each window, by a network whose features are the frames' numbers."""
    windows = WindowFeatures(
        lambda rgb: torch.from_numpy(rgb).movedim(-1, 0).float(),
        lambda window: np.array([float(frame[0, 0, 0]) for frame in window], np.float32),
        length=length,
        stride=stride,
    )
    for rgb in numbered(num_frames):
        windows.see(rgb)
    return [features.astype(int).tolist() for features in windows.features]


def test_the_samples_are_all_windows_at_the_stride():
    assert seen_windows(8, length=4, stride=2) == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]
    assert seen_windows(7, length=3, stride=3) == [[0, 1, 2], [3, 4, 5]]
    assert seen_windows(6, length=2, stride=4) == [[0, 1], [4, 5]]


def test_a_video_shorter_than_a_window_gives_none():
    assert seen_windows(3, length=4, stride=1) == []


@pytest.mark.parametrize("num_frames", range(12))
@pytest.mark.parametrize("length", [2, 5])
@pytest.mark.parametrize("stride", [1, 2, 7])
def test_their_number_is_known_before(num_frames, length, stride):
    assert num_windows(num_frames, length, stride) == len(seen_windows(num_frames, length, stride))
