"""Whole small trainings with a discriminator of faces, and what they are shown: the street of stripes, whose car is a body with a head."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline import layout
from pipeline.batch import Batch
from pipeline.index import read_index
from pipeline.maps import MapKind
from pipeline.windows import Folders, Window, Windows
from tests.pipeline.test_training import EVERYTHING, PHASES, TINY, Folder, Killed, files, kill_in_step, section, terms, weights

ON = {"face_discriminator": {"width": 4, "layers": 2, "scales": 1, "side": 0.25}}
WITHOUT_LABELS = {"generator": {**TINY["generator"], "foreground": False}}
OF_FACES = {f"face_{name}" for name in ("gan", "feature_matching", "real", "fake")}
CHANGED = {"flip": 0.0, "scale_range": [1.0, 1.0], "crop": None, "spacing": [1], "drop_parts": 0.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("dancers"), {"iuv"})


@pytest.fixture(scope="module")
def headless(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("headless"), {"iuv"}, headless="abc")


@pytest.fixture(autouse=True)
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def windows(folder: Folder, **changes: Any) -> Windows:
    clips, p = (
        folder.clips,
        section(**WITHOUT_LABELS, **{"batch_size": 2, "window_frames": 3, "sequence_frames": 6, "steps": 100, **changes}),
    )
    folders = Folders(clips.folder("clips"), clips.folder("optical_flow"), clips.map_folders())
    index = read_index(clips.folder("dataset"), "train")
    return Windows(folders, index, MapKind(None, False, 0, 3), p, past_frames=2, strides=[], finds_faces=True)


def heads(window: Window) -> list[list[tuple[float, float] | None]]:
    """For each video and frame the middle of the pixels that are head in the maps, None where there are none."""
    found: list[list[tuple[float, float] | None]] = []
    for video in window.maps.pose[:, 2:, 0].numpy():
        places = [np.nonzero(frame == 255) for frame in video]
        found.append([((x.min() + x.max()) / 2, (y.min() + y.max()) / 2) if len(x) else None for y, x in places])
    return found


def pairs(data: Windows, steps: range) -> list[tuple[tuple[float, float] | None, list[int]]]:
    seen = [data[step] for step in steps]
    drawn = [head for window in seen for video in heads(window) for head in video]
    return list(zip(drawn, [face for window in seen for face in window.faces.flatten(0, 1).tolist()], strict=True))


@pytest.mark.parametrize(
    "change",
    [{}, {"scale_range": [1.0, 1.5]}, {"scale_range": [0.6, 0.8], "crop": [24, 16]}, {"spacing": [2]}],
    ids=["as it is", "enlarged", "made smaller", "spaced"],
)
@pytest.mark.parametrize("start_from_nothing", [0.0, 1.0])
def test_the_face_of_each_frame_is_where_the_maps_of_this_frame_show_a_whole_head(folder, change, start_from_nothing):
    data = windows(folder, augmentation=CHANGED | change, start_from_nothing=start_from_nothing)
    height, width = data[1].real.shape[2:4]
    compared = 0
    for head, face in pairs(data, range(1, 13)):
        if head is None:
            assert face == [-1, -1]
        elif 8 < head[0] < width - 8 and 6 < head[1] < height - 6:  # all of it is seen
            assert face == [pytest.approx(head[0], abs=1), pytest.approx(head[1], abs=1)]
            compared += 1
    assert compared > 10


def test_a_head_that_is_cut_away_is_no_face(folder):
    seen = pairs(windows(folder, augmentation=CHANGED | {"crop": [16, 16]}), range(1, 31))
    assert all(face == [-1, -1] for head, face in seen if head is None)
    assert len([head for head, _ in seen if head is None]) > 10
    assert all(-1 <= x < 16 and -1 <= y < 16 for _, (x, y) in seen)


def test_a_face_whose_pose_is_not_shown_is_there_all_the_same(folder):
    dropped, shown = (windows(folder, augmentation=CHANGED | {"drop_parts": share}) for share in (1.0, 0.0))
    for step in range(1, 6):
        assert {head for video in heads(dropped[step]) for head in video} == {None}
        assert torch.equal(dropped[step].faces, shown[step].faces) and (shown[step].faces >= 0).any()


def test_faces_that_nobody_asks_for_are_not_looked_for(folder):
    data = windows(folder)
    data.finds_faces = False
    assert (data[1].faces == -1).all()


def test_a_frame_that_is_halved_has_its_face_at_half_its_place(folder):
    """The head's pixels in the halved maps are around it."""
    data, kind = windows(folder), MapKind(None, False, 0, 3)
    for step in range(1, 6):
        whole, half = (Batch.of(data[step], kind, torch.device("cpu"), halvings) for halvings in (0, 1))
        assert [(spot.image, spot.x // 2, spot.y // 2) for spot in whole.faces] == [(spot.image, spot.x, spot.y) for spot in half.faces]
        part = half.maps[:, 2:, 0].flatten(0, 1)
        assert whole.faces and all(part[spot.image, spot.y, spot.x] > 0.9 for spot in half.faces)


def test_a_training_has_the_terms_of_faces_and_they_change_what_is_learned(folder):
    on, off = (folder.train(name, **WITHOUT_LABELS, **changes) for name, changes in (("on", ON), ("off", {})))
    assert terms(on) - terms(off) == OF_FACES and terms(off) < terms(on)
    assert (pd.read_csv(layout.losses(on))[sorted(OF_FACES)] > 0).all(axis=None)
    assert any((weights(on)[name] != weight).any() for name, weight in weights(off).items())


def test_frames_made_alone_are_judged_by_it_too(folder):
    assert terms(folder.train_per_frame("alone", **WITHOUT_LABELS, **ON)) >= OF_FACES


def test_an_image_generator_is_trained_without_it(folder):
    generator = {"width": 8, "downsamplings": 2, "blocks": 1, "local_blocks": 0}
    on, off = (folder.train_image_generator(f"image-{name}", generator, **changes) for name, changes in (("on", ON), ("off", {})))
    assert files(on) == files(off)


def test_where_no_frame_shows_a_face_a_training_is_what_it_is_without_but_for_terms_of_0(headless):
    on, off = (headless.train(name, **WITHOUT_LABELS, **changes) for name, changes in (("on", ON), ("off", {})))
    torch.testing.assert_close(weights(on), weights(off), rtol=0, atol=0)
    ours, theirs = (pd.read_csv(layout.losses(out)) for out in (on, off))
    assert (ours[sorted(OF_FACES)] == 0).all(axis=None)
    pd.testing.assert_frame_equal(ours[theirs.columns], theirs)


@pytest.mark.parametrize("killed_in", [3, 8])
def test_a_training_with_faces_that_was_killed_ends_as_if_it_had_never_stopped(folder, monkeypatch, killed_in):
    """In a phase of half the size, and in that of all scales; to the last bit."""
    everything = {**EVERYTHING, "generator": {**PHASES["generator"], "foreground": False}}
    everything |= {"face_discriminator": {**ON["face_discriminator"], "side": 0.5}}
    whole = folder.train(f"whole-{killed_in}", **everything)
    with monkeypatch.context() as patched:
        kill_in_step(killed_in, patched)
        with pytest.raises(Killed):
            folder.train(f"killed-{killed_in}", **everything)
    assert files(folder.train(f"killed-{killed_in}", **everything)) == files(whole)
    ours, theirs = (torch.load(layout.training_state(folder.work(f"{name}-{killed_in}"))) for name in ("killed", "whole"))
    assert {"network face", "optimizer face"} < set(ours["parts"])
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
