from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from models.discriminator_input import temporal_groups
from pipeline import arrays, layout, palettes, params
from pipeline.errors import InputError
from pipeline.maps import MapFolders, MapKind
from pipeline.params_file import load
from pipeline.tensors import StoredMaps
from pipeline.windows import Folders, Windows
from tests.conftest import REPOSITORY

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
            arrays.writing(layout.arrays(root / clip, "optical_flow"), {"strides": [1, 2]}) as moved,
        ):
            for t in range(frames):
                frame = np.full((4, 4, 3), t if clip == "a" else 100 + t, np.uint8)
                frame[:, 1:, 1] = [1, 2, 3]
                rgb.append("rgb", frame)
                labels.append("label", np.full((4, 4), t if clip == "a" else 10, np.uint8))
                instances.append("instance", np.zeros((4, 4), np.uint16))
                moved.append("optical_flow_1", np.full((4, 4, 2), t, np.float16))
                moved.append("optical_flow_2", np.full((4, 4, 2), 200 + t, np.float16))
                for stride in (1, 2):
                    moved.append(f"confidence_{stride}", np.full((4, 4), 255 if t >= stride else 0, np.uint8))
    return root


CHANGED = {"flip": 0.0, "scale_range": [1.0, 1.0], "crop": None, "spacing": [1], "drop_parts": 0.0}


def windows(folder: Path, **changes: object) -> Windows:
    rows = changes.pop("index", None) or {"clip": list(CLIPS), "start": 0, "num_frames": list(CLIPS.values())}
    index = pd.DataFrame({**rows, "height": 4, "width": 4})
    strides = changes.pop("strides", [])
    p = training({"window_frames": 3, "sequence_frames": 3, "batch_size": 2, "start_from_nothing": 0.5, "seed": 0, "steps": 100, **changes})
    folders = Folders(folder, folder, MapFolders(folder, folder, None, None))
    return Windows(folders, index, MapKind(PALETTE, True, 0, 0), p, past_frames=2, strides=strides)


def training(changes: dict[str, object]) -> params.Train:
    """The real section with other values."""
    section = load(REPOSITORY / layout.PARAMS).section(params.Train, "sample-street")
    return params.Train.model_validate({**section.model_dump(), **changes})


def colours(frames: torch.Tensor) -> list[int]:
    return frames[:, 0, 0, 0].tolist()


def labels(maps: StoredMaps, n: int) -> list[int]:
    return maps.label[n, :, 0, 0].tolist()


def test_a_window_after_real_frames_has_them_with_their_maps(folder):
    window = windows(folder, start_from_nothing=0.0)[1]
    for n in range(2):
        seen = colours(window.before[n]) + colours(window.real[n])
        assert seen == list(range(seen[0], seen[0] + 5))
        assert labels(window.maps, n) == (seen if seen[0] < 100 else [10] * 5)
        assert window.optical_flow[n, :, 0, 0, 0].tolist() == [t % 100 for t in seen[2:]]
    assert window.confidence.min() == 255


def test_a_window_from_nothing_repeats_its_first_maps_and_has_no_flow_before_it(folder):
    window = windows(folder, start_from_nothing=1.0)[1]
    assert window.before.shape[1] == 0
    for n in range(2):
        seen = colours(window.real[n])
        assert labels(window.maps, n) == ([seen[0]] * 2 + seen if seen[0] < 100 else [10] * 5)
    assert window.confidence[:, 0].max() == 0
    assert window.confidence[:, 1:].min() == 255


@pytest.mark.parametrize("start_from_nothing", [0.0, 1.0])
def test_the_steps_of_a_sequence_show_one_clip_frame_after_frame(folder, start_from_nothing):
    data = windows(folder, start_from_nothing=start_from_nothing, window_frames=1, sequence_frames=4, batch_size=1)
    steps = [data[number] for number in range(5, 9)]
    shown = [colours(window.real[0])[0] for window in steps]
    assert shown == list(range(shown[0], shown[0] + 4))
    for n, window in enumerate(steps):
        before = min(n + (0 if start_from_nothing else 2), 2)
        assert colours(window.before[0]) == list(range(shown[n] - before, shown[n]))
        past = [max(t, shown[0] if start_from_nothing else 0) for t in range(shown[n] - 2, shown[n] + 1)]
        assert labels(window.maps, 0) == (past if shown[0] < 100 else [10] * 3)


def test_the_groups_of_a_sequence_are_those_of_the_whole_video(folder):
    """In steps of 3 frames, each window's groups are those of the whole video that end in it, with the flow between their frames."""
    data = windows(folder, window_frames=3, sequence_frames=6, batch_size=1, start_from_nothing=1.0, strides=[1])
    first, second = data[1], data[2]
    groups = [[tuple(n + made for n in group) for group in window.groups[1].frames] for made, window in ((0, first), (3, second))]
    assert groups[1] + groups[0] == temporal_groups(6, 1)
    for window in (first, second):
        start = colours(window.real[0])[0]
        for group, flow in zip(window.groups[1].frames, window.groups[1].optical_flow[0], strict=True):
            assert flow[:, 0, 0, 0].tolist() == [(start + n) % 100 for n in group[1:]]


def test_a_longer_stride_looks_back_to_frames_of_the_steps_before(folder):
    data = windows(folder, window_frames=1, sequence_frames=6, batch_size=1, start_from_nothing=1.0, strides=[2])
    steps = [data[number] for number in range(1, 7)]
    assert [list(window.groups) for window in steps] == [[]] * 4 + [[2]] * 2
    assert [tuple(group) for group in steps[4].groups[2].frames] == [(-4, -2, 0)]
    assert steps[5].before.shape[1] == 4
    start = colours(steps[4].real[0])[0]
    assert steps[4].groups[2].optical_flow[0, 0, :, 0, 0, 1].tolist() == [200 + (start - 2) % 100, 200 + start % 100]


def test_a_step_sees_the_same_whenever_it_is_asked_for(folder):
    first, again = windows(folder), windows(folder)
    again[7]
    for step in (3, 1):
        assert torch.equal(first[step].real, again[step].real)
    starts = {colours(windows(folder, seed=seed)[1].real[0])[0] for seed in range(5)}
    assert len(starts) > 1


def test_processes_share_a_batch_between_them(folder):
    whole = windows(folder, batch_size=4)
    parts = [windows(folder, batch_size=4) for _ in range(2)]
    for process, part in enumerate(parts):
        part.mine = range(2 * process, 2 * process + 2)
    assert torch.equal(torch.cat([part[5].real for part in parts]), whole[5].real)


def test_every_place_of_every_clip_is_seen(folder):
    data = windows(folder, start_from_nothing=0.0)
    seen = {colours(real)[0] for step in range(1, 61) for real in data[step].real}
    assert seen == {2, 3, 4, 5, 6, 102, 103}


def test_windows_that_do_not_fit_are_refused_with_the_numbers(folder):
    with pytest.raises(InputError, match="train.window_frames 5 and generator.past_frames 2 do not fit .* the shortest with 6 frames"):
        windows(folder, window_frames=5, sequence_frames=5)


def test_sequences_are_no_longer_than_half_of_the_clips_allow(folder):
    assert windows(folder, window_frames=1, sequence_frames=50).schedule[1].sequence_frames == 7  # clip a: 9 frames, 2 of them past
    three = {"clip": ["a", "a", "b"], "start": 0, "num_frames": [9, 5, 6]}
    assert windows(folder, window_frames=1, sequence_frames=50, index=three).schedule[1].sequence_frames == 4


def test_only_the_used_part_of_a_clip_is_seen(folder):
    data = windows(folder, start_from_nothing=0.0, index={"clip": ["a", "b"], "start": [3, 0], "num_frames": [6, 5]})
    shown = [data[step] for step in range(1, 61)]
    assert {colours(real)[0] for window in shown for real in window.real} == {5, 6, 102}
    assert {colours(before)[0] for window in shown for before in window.before} == {3, 4, 100}


def test_spaced_frames_have_the_flow_between_them(folder):
    spaced = {**CHANGED, "spacing": [2]}
    window = windows(folder, augmentation=spaced, start_from_nothing=0.0, window_frames=1, sequence_frames=1, strides=[1])[1]
    seen = colours(window.before[0]) + colours(window.real[0])
    assert seen == [seen[0], seen[0] + 2, seen[0] + 4]
    assert labels(window.maps, 0) == (seen if seen[0] < 100 else [10] * 3)
    assert window.optical_flow[0, 0, 0, 0, 1].item() == 200 + seen[-1] % 100


def test_a_sequence_is_changed_as_a_whole_over_all_its_steps(folder):
    """All four columns differ, so what is mirrored shows; the flow of a mirrored sequence goes the other way."""
    mirrored = {**CHANGED, "flip": 1.0}
    for number in (1, 2):
        settings = {"window_frames": 2, "sequence_frames": 4, "strides": [1], "batch_size": 1}
        plain, changed = windows(folder, **settings)[number], windows(folder, augmentation=mirrored, **settings)[number]
        assert torch.equal(changed.real, plain.real.flip(-2)) and torch.equal(changed.before, plain.before.flip(-2))
        sign = torch.tensor([-1, 1], dtype=torch.float16)
        assert torch.equal(changed.optical_flow, plain.optical_flow.flip(-2) * sign)
        for stride, groups in plain.groups.items():
            assert torch.equal(changed.groups[stride].optical_flow, groups.optical_flow.flip(-2) * sign)
