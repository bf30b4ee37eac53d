"""Held-out clips are judged a few frames at a time, as if at once."""

import pytest
import torch
from test_training import TINY, Folder

from models.losses import reconstruction_term, temporal_warp_term
from pipeline import learners, params, train
from pipeline.batch import Batch
from pipeline.devices import Devices
from pipeline.index import read_index
from pipeline.maps import MapKind
from pipeline.training_validation import Validation
from pipeline.windows import Folders
from tests.pipeline.test_report import TRAINING

DEVICES = Devices("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("validation"))


@pytest.mark.parametrize("build", [learners.vid2vid, learners.per_frame])
@pytest.mark.parametrize("from_nothing", [0.0, 1.0])
@pytest.mark.parametrize(("window_frames", "parts"), [(6, [4, 4, 1]), (2, [2, 2, 2, 2, 1])])
def test_terms_are_those_of_the_whole_video_made_in_parts(folder, build, from_nothing, window_frames, parts):
    validation = {"every": 1, "clips": 1, "frames": 9, "measure": "temporal_warp", "take": "best"}
    changes = {"start_from_nothing": from_nothing, "window_frames": window_frames, "sequence_frames": 6, "validation": validation}
    p = params.Train.model_validate({**TRAINING.model_dump(), **TINY, **changes})
    maps = folder.clips.map_folders()
    learning = build(p, MapKind.of(maps.of("a")), DEVICES)
    folders = Folders(folder.clips.folder("clips"), folder.clips.folder("optical_flow"), maps)
    windows = train._windows(folders, read_index(folder.clips.folder("dataset"), "train"), learning, p, DEVICES)
    judging = Validation(windows, p)
    expected = mean([at_once_of(learning, window) for window in judging._whole])
    made: list[int] = []
    hook = learning.networks.generator.register_forward_hook(lambda _, __, video: made.append(video.image.shape[1]))
    judged = judging.judge(learning)
    hook.remove()
    assert made[: len(parts)] == parts
    assert judged == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
def at_once_of(learning: learners.Learner, window) -> dict[str, float]:
    kind, batch = learning.kind, Batch.of(window, learning.maps, torch.device("cpu"), 0)
    foreground = batch.foreground if kind.foreground else None
    image = learning.networks.generator(batch.maps, foreground, batch.past(kind.past_frames)).image[0]
    before = batch.before[0, -1:] if batch.before.shape[1] else image[:1]
    moved = temporal_warp_term(image, torch.cat([before, image[:-1]]), batch.optical_flow[0], batch.confidence[0])
    return {"reconstruction": float(reconstruction_term([image], batch.real[0])), "temporal_warp": float(moved)}


def mean(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
