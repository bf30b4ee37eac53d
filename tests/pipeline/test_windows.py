from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline import arrays, layout, palettes
from pipeline.errors import InputError
from pipeline.maps import MapFolders, MapKind
from pipeline.windows import Folders, Windows

PALETTE = palettes.load("camvid")
CLIPS = {"a": 9, "b": 6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips in which frame t of `a` is of colour t and label t, of `b` 100 + t and 10."""
    root = tmp_path_factory.mktemp("clips")
    for clip, frames in CLIPS.items():
        (root / clip).mkdir()
        with (
            arrays.writing(layout.arrays(root / clip, "frames"), {}) as rgb,
            arrays.writing(layout.arrays(root / clip, "segmentation"), {"palette": PALETTE.as_attributes()}) as labels,
            arrays.writing(layout.arrays(root / clip, "instances"), {}) as instances,
            arrays.writing(layout.arrays(root / clip, "optical_flow"), {"strides": [1]}) as moved,
        ):
            for t in range(frames):
                rgb.append("rgb", np.full((4, 4, 3), t if clip == "a" else 100 + t, np.uint8))
                labels.append("label", np.full((4, 4), t if clip == "a" else 10, np.uint8))
                instances.append("instance", np.zeros((4, 4), np.uint16))
                moved.append("optical_flow_1", np.full((4, 4, 2), t, np.float16))
                moved.append("confidence_1", np.full((4, 4), 255 if t else 0, np.uint8))
    return root


def windows(folder: Path, **changes: object) -> Windows:
    index = pd.DataFrame(changes.pop("index", None) or {"clip": list(CLIPS), "start": 0, "num_frames": list(CLIPS.values())})
    settings = {"frames": 3, "past_frames": 2, "batch_size": 2, "start_from_nothing": 0.5, "seed": 0, **changes}
    return Windows(Folders(folder, folder, MapFolders(folder, folder, None, None)), index, MapKind(PALETTE, True, 0, 0), **settings)


def colours(frames: torch.Tensor) -> list[int]:
    return ((frames[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def labels(maps: torch.Tensor) -> list[int]:
    return maps[:, : PALETTE.num_labels, 0, 0].argmax(dim=1).tolist()


def test_a_window_after_real_frames_has_them_with_their_maps(folder):
    batch = windows(folder, start_from_nothing=0.0)[0]
    for maps, past, real, moved in zip(batch.maps, batch.past, batch.real, batch.optical_flow, strict=True):
        seen = colours(past) + colours(real)
        assert seen == list(range(seen[0], seen[0] + 5))
        assert labels(maps) == (seen if seen[0] < 100 else [10] * 5)
        assert moved[:, 0, 0, 0].tolist() == [t % 100 for t in seen[2:]]
    assert batch.confidence.min() == 1


def test_a_window_from_nothing_repeats_its_first_maps_and_has_no_flow_before_it(folder):
    batch = windows(folder, start_from_nothing=1.0)[0]
    assert batch.past is None
    for maps, real in zip(batch.maps, batch.real, strict=True):
        seen = colours(real)
        assert labels(maps) == ([seen[0]] * 2 + seen if seen[0] < 100 else [10] * 5)
    assert batch.confidence[:, 0].max() == 0
    assert batch.confidence[:, 1:].min() == 1


def test_a_step_sees_the_same_whenever_it_is_asked_for(folder):
    first, again = windows(folder), windows(folder)
    again[7]
    for step in (3, 1):
        torch.testing.assert_close(first[step].real, again[step].real, rtol=0, atol=0)
    starts = {colours(windows(folder, seed=seed)[0].real[0])[0] for seed in range(5)}
    assert len(starts) > 1


def test_every_place_of_every_clip_is_seen(folder):
    data = windows(folder, start_from_nothing=0.0)
    seen = {colours(real)[0] for step in range(60) for real in data[step].real}
    assert seen == {2, 3, 4, 5, 6, 102, 103}


def test_windows_that_do_not_fit_are_refused_with_the_numbers(folder):
    with pytest.raises(InputError, match="train.window_frames 5 and generator.past_frames 2 do not fit .* the shortest with 6 frames"):
        windows(folder, frames=5)


def test_only_the_used_part_of_a_clip_is_seen(folder):
    data = windows(folder, start_from_nothing=0.0, index={"clip": ["a", "b"], "start": [3, 0], "num_frames": [6, 5]})
    seen = {colours(real)[0] for step in range(60) for real in data[step].real}
    assert seen == {5, 6, 102}
    past = {colours(past)[0] for step in range(60) for past in data[step].past}
    assert past == {3, 4, 100}
