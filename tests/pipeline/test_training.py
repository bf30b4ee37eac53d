"""Whole small trainings, on the street of stripes."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from mapped_clips import MappedClips
from safetensors.torch import load_file

from pipeline import dataset, layout, learner, params, train
from pipeline.checkpoint import TrainedImageGenerator
from pipeline.errors import InputError
from pipeline.live_table import rows_of
from pipeline.maps import MapKind
from tests.pipeline.test_report import TRAINING

SMALL = {"width": 4, "layers": 2, "scales": 2}
TINY: dict[str, Any] = {
    "generator": {**TRAINING.generator.model_dump(), "width": 4, "downsamplings": 1, "blocks": 2, "fine_blocks": 1},
    "image_discriminator": SMALL,
    "video_discriminator": {**SMALL, "strides": [1, 2]},
    **{"steps": 6, "window_frames": 2, "sequence_frames": 6, "save_every": 2, "log_every": 2, "preview_every": 3},
}
PHASES = {
    "generator": {**TINY["generator"], "scales": 2},
    "earlier_phases": [
        {"scales": 1, "only_finest": False, "steps": 3, "learning_rate": 0.001, "decay_from": 0.5}
        | {"window_frames": 2, "sequence_frames": 4, "double_every": 2},
        {"scales": 2, "only_finest": True, "steps": 2, "learning_rate": 0.001, "decay_from": 1.0}
        | {"window_frames": 2, "sequence_frames": 4, "double_every": None},
    ],
    "steps": 4,
}


IMAGES = {"enabled": True, "scales": 1, "steps": 2, "learning_rate": 0.001, "batch_size": 2}


def section(**changes: Any) -> params.Train:
    return params.Train.model_validate({**TRAINING.model_dump(), **TINY, **changes})


class Folder:
    """Clips, and trainings on them."""

    def __init__(self, root: Path, has: Collection[str] = ("labels",), headless: str = "") -> None:
        """`headless`: the clips whose bodies have no heads."""
        self.root, self.clips = root, MappedClips(root, set(has))
        for clip, num_frames in (("a", 12), ("b", 10), ("c", 11)):
            self.clips.add(clip, "train", num_frames, with_heads=clip not in headless)
        everything = params.Dataset(exclude=[], min_frames=6)
        data, moved = self.clips.folder("dataset"), self.clips.folder("optical_flow")
        dataset.run_split("train", self.clips.folder("clips"), optical_flow=moved, out=data, p=everything, **self.clips.maps())

    def train(self, name: str, **changes: Any) -> Path:
        """The result's folder; the state of an earlier call with this name is gone on with."""
        return self._trained(name, train.run, p=section(**changes))

    def train_per_frame(self, name: str, **changes: Any) -> Path:
        own = params.TrainPerFrame(enabled=True)
        return self.train_without_the_past(name, own.of(section(**changes)), own)

    def train_image_generator(self, name: str, generator: dict[str, int], **changes: Any) -> Path:
        image = params.TrainImageGenerator.model_validate({**IMAGES, "generator": generator})
        return self._trained(name, train.run_image_generator, p=image.of(section(**changes)), image=image)

    def train_without_the_past(self, name: str, p: params.Train, own: params.TrainPerFrame | params.TrainImageGenerator) -> Path:
        if isinstance(own, params.TrainImageGenerator):
            return self._trained(name, train.run_image_generator, p=p, image=own)
        return self._trained(name, train.run_per_frame, p=p, per_frame=own)

    def _trained(self, name: str, function: Callable[..., None], **sections: params.Section) -> Path:
        places = {"out": self.root / name, "work": self.work(name)}
        for folder in places.values():
            folder.mkdir(exist_ok=True)
        inputs = {"optical_flow": self.clips.folder("optical_flow"), "dataset": self.clips.folder("dataset"), **self.clips.maps()}
        function(self.clips.folder("clips"), **inputs, **places, watch=self.watch(name), **sections, device="cpu")
        return places["out"]

    def work(self, name: str) -> Path:
        return self.root / f"{name}.work"

    def watch(self, name: str) -> Path:
        return self.root / f"{name}.watch"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("training"))


@pytest.fixture(autouse=True)
def one_thread():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(layout.networks(out) / "generator.safetensors")


SUMS = ("generator_total", "discriminator_total", "generator_gradient", "discriminator_gradient")


def terms(out: Path) -> set[str]:
    return set(pd.read_csv(layout.losses(out)).columns) - {
        "step",
        *(f"{side}_{what}" for side in ("generator", "discriminator") for what in ("total", "gradient")),
    }


class Killed(BaseException):
    pass


def kill_in_step(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is saved by then is all that is left."""
    step = learner.step

    def killed(learning, given, *arguments):
        if given.step.number == number:
            raise Killed
        return step(learning, given, *arguments)

    monkeypatch.setattr(learner, "step", killed)


EVERYTHING = {
    **PHASES,
    **{"batch_size": 2, "ema_decay": 0.5, "start_from_nothing": 0.5},
    **{
        "validation": {"every": 2, "clips": 1, "frames": 4, "measure": "temporal_warp", "take": "best"},
        "checkpoints": {"every": 3, "keep": 2},
    },
}


@pytest.mark.parametrize("killed_in", [4, 5, 7, 9])
def test_a_training_that_was_killed_ends_as_if_it_had_never_stopped(folder, monkeypatch, killed_in):
    """In a coarse phase, a fine one alone, and all together; at a sequence's beginning and in its middle; to the last bit."""
    whole = folder.train(f"whole-{killed_in}", **EVERYTHING)
    with monkeypatch.context() as patched:
        kill_in_step(killed_in, patched)
        with pytest.raises(Killed):
            folder.train(f"killed-{killed_in}", **EVERYTHING)
    again = folder.train(f"killed-{killed_in}", **EVERYTHING)
    assert files(again) == files(whole)
    ours, theirs = (torch.load(layout.training_state(folder.work(f"{name}-{killed_in}"))) for name in ("killed", "whole"))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    curves = [rows_of(layout.live_steps(folder.watch(f"{name}-{killed_in}"))) for name in ("killed", "whole")]
    ours, theirs = ([(row["step"], row["learning_rate"], row["generator_total"]) for row in rows] for rows in curves)
    assert ours == theirs and [step for step, *_ in ours] == list(range(1, len(ours) + 1))
    ours, theirs = (rows_of(layout.live_validations(folder.watch(f"{name}-{killed_in}"))) for name in ("killed", "whole"))
    assert ours == theirs and ours


def test_a_signal_that_comes_while_previews_are_made_is_for_the_next_step(folder, monkeypatch):
    """All processes that train together have agreed by then whether to stop after this one."""
    look, delivered = train._look, []

    def told_to_end(learning, validation, state, *arguments, **more):
        if state.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        look(learning, validation, state, *arguments, **more)

    before = signal.signal(signal.SIGTERM, lambda *_: delivered.append(True))
    try:
        with monkeypatch.context() as patched:
            patched.setattr(train, "_look", told_to_end)
            with pytest.raises(SystemExit):
                folder.train("sigterm-late", save_every=100)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert delivered == [True]
    assert torch.load(layout.training_state(folder.work("sigterm-late")))["step"] == 4


@contextmanager
def interrupts(handler: Any) -> Iterator[None]:
    """Handled so inside; whoever started the tests may have had them ignored."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def interrupt_in_step(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    step = learner.step

    def interrupted(learning, given, *arguments):
        if given.step.number == number:
            os.kill(os.getpid(), signal.SIGINT)
        return step(learning, given, *arguments)

    monkeypatch.setattr(learner, "step", interrupted)


def test_ctrl_c_saves_after_the_step_too(folder, monkeypatch):
    interrupt_in_step(2, monkeypatch)
    with interrupts(signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        folder.train("ctrl-c", save_every=100)
    assert torch.load(layout.training_state(folder.work("ctrl-c")))["step"] == 2


def test_who_had_ctrl_c_ignored_is_not_stopped_by_it(folder, monkeypatch):
    interrupt_in_step(2, monkeypatch)
    with interrupts(signal.SIG_IGN):
        folder.train("ignored", steps=3, save_every=100)
    assert torch.load(layout.training_state(folder.work("ignored")))["step"] == 3


def test_a_gradient_that_is_no_number_changes_nothing_and_is_named(folder, monkeypatch):
    """The terms alone do not show it."""
    back = learner.lead_back
    monkeypatch.setattr(learner, "lead_back", lambda *arguments: back(*arguments) * float("inf"))
    with pytest.raises(InputError, match="at step 1: generator_gradient is no number"):
        folder.train("infinite")
    assert not layout.training_state(folder.work("infinite")).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_saves_after_the_step_and_is_then_delivered(folder, monkeypatch, number):
    """SIGHUP comes when a terminal is closed, and when the command that was started there is gone."""
    step, name = learner.step, number.name

    def told_to_end(learning, given, *arguments):
        if given.step.number == 3:
            os.kill(os.getpid(), number)
        return step(learning, given, *arguments)

    delivered = []
    before = signal.signal(number, lambda *_: delivered.append(True))
    try:
        with monkeypatch.context() as patched:
            patched.setattr(learner, "step", told_to_end)
            with pytest.raises(SystemExit):
                folder.train(name, save_every=100)
    finally:
        signal.signal(number, before)
    assert delivered == [True]
    assert torch.load(layout.training_state(folder.work(name)))["step"] == 3
    assert files(folder.train(name, save_every=100)) == files(folder.train(f"no-{name}", save_every=100))


def test_processes_that_load_windows_are_not_ended_with_the_group_of_the_training(folder, monkeypatch):
    step, groups = learner.step, set[int]()

    def watched(*arguments):
        groups.update(os.getpgid(process.pid) for process in multiprocessing.active_children())
        return step(*arguments)

    monkeypatch.setattr(learner, "step", watched)
    monkeypatch.setitem(train.LOADER_WORKERS, "cpu", 1)
    folder.train("loaded", steps=1)
    assert groups and os.getpgrp() not in groups


def test_every_term_is_logged_by_its_name(folder):
    assert terms(folder.train("full")) == {
        *{f"image_{name}" for name in ("gan", "feature_matching", "real", "fake")},
        *{f"video_{name}/{stride}" for name in ("gan", "feature_matching", "real", "fake") for stride in (1, 2)},
        *{"reconstruction", "optical_flow", "flow_warp", "temporal_warp", "mask"},
    }


ABLATIONS = {
    "foreground": {"generator": {**TINY["generator"], "foreground": False}},
    "video": {"video_discriminator": {**SMALL, "strides": []}},
    "warping": {"generator": {**TINY["generator"], "warping": False}},
}


def test_each_part_of_the_paper_s_ablations_is_switched_off_by_one_parameter(folder):
    full = folder.train("full-for-ablations")
    without = {name: folder.train(f"without-{name}", **changes) for name, changes in ABLATIONS.items()}
    assert any("foreground" in name for name in weights(full)) and not any("foreground" in name for name in weights(without["foreground"]))
    assert any("motion" in name for name in weights(full)) and not any("motion" in name for name in weights(without["warping"]))
    assert terms(without["foreground"]) == terms(full)
    assert terms(full) - terms(without["warping"]) == {"optical_flow", "flow_warp", "mask"}
    assert {name.split("_")[0] for name in terms(full) - terms(without["video"])} == {"video"}


def test_a_scale_that_trains_alone_leaves_the_coarser_ones_as_they_are(folder):
    coarse = {**PHASES["earlier_phases"][0], "double_every": None}
    alone = {**PHASES["earlier_phases"][1], "steps": 1}
    shared = {"generator": PHASES["generator"], "learning_rate": 1e-12}  # the last phase must have a step, too
    before = weights(folder.train("coarse", earlier_phases=[coarse], steps=1, **shared))
    after = weights(folder.train("alone", earlier_phases=[coarse, alone], steps=1, **shared))
    changed = {name.split(".")[1] for name in before if (before[name] - after[name]).abs().max() > 1e-6}
    assert changed == {"1"}


def test_hinge_is_another_training_than_lsgan(folder):
    tables = [pd.read_csv(layout.losses(folder.train(gan, gan=gan))) for gan in ("lsgan", "hinge")]
    assert abs(tables[0]["image_gan"].iloc[0] - tables[1]["image_gan"].iloc[0]) > 0.1


def test_what_diverges_stops_and_says_which_total_and_which_setting(folder):
    limit = {"above": 1e-6, "action": "stop", "patience": 1}
    with pytest.raises(InputError, match="diverges at step 1: generator_total is .* beyond train.divergence.above = 1e-06"):
        folder.train("diverged", divergence=limit)


def test_skipped_steps_change_nothing_and_too_many_in_a_row_stop(folder, monkeypatch):
    limit = {"above": 1e6, "action": "skip", "patience": 3}
    total = learner.total
    calls = []

    def sometimes_nothing(terms, weights):
        weighted = total(terms, weights)
        if type(weighted) is torch.Tensor:  # else memory is being estimated
            calls.append(True)
        return weighted * (float("nan") if len(calls) in (3, 4) else 1)  # the second step

    monkeypatch.setattr(learner, "total", sometimes_nothing)
    skipped = weights(folder.train("skipped", divergence=limit, steps=2))
    monkeypatch.undo()
    torch.testing.assert_close(skipped, weights(folder.train("first", steps=1, decay_from=1.0)), rtol=0, atol=0)
    assert any((skipped[name] != weight).any() for name, weight in weights(folder.train("both", steps=2)).items())
    monkeypatch.setattr(learner, "total", lambda terms, weights: total(terms, weights) * float("nan"))
    with pytest.raises(InputError, match="at step 3 for 3 steps in a row: generator_total, discriminator_total are no number"):
        folder.train("hopeless", divergence=limit)


def test_the_last_checkpoints_and_the_best_are_kept(folder):
    out = folder.train("kept", checkpoints={"every": 1, "keep": 2}, validation=EVERYTHING["validation"])
    assert sorted(path.name for path in layout.checkpoints(out).iterdir()) == ["0000005", "0000006"]
    table = pd.read_csv(layout.training_validation(out))
    assert table["step"].tolist() == [2, 4, 6]
    best = int(table.loc[table["temporal_warp"].idxmin(), "step"])
    stopped = folder.train("stopped", validation=EVERYTHING["validation"] | {"take": "last"}, checkpoints={"every": best, "keep": 9})
    expected = load_file(layout.checkpoints(stopped) / f"{best:07d}" / "generator.safetensors")
    torch.testing.assert_close(weights(out), expected, rtol=0, atol=0)


def test_the_mean_of_the_weights_is_what_it_says(folder):
    checkpoints = {"checkpoints": {"every": 1, "keep": 9}}
    plain = folder.train("plain", **checkpoints)
    mean = weights(folder.train("mean", ema_decay=0.75))
    steps = [load_file(path / "generator.safetensors") for path in sorted(layout.checkpoints(plain).iterdir())]
    expected = steps[0]
    for step in steps[1:]:
        expected = {name: 0.75 * expected[name] + 0.25 * step[name] for name in expected}
    torch.testing.assert_close(mean, expected)


def test_a_training_begins_with_the_weights_of_another(folder):
    coarse = folder.train("teacher", steps=2)
    path = str(layout.networks(coarse) / "generator.safetensors")
    finer = weights(folder.train("pupil", generator=PHASES["generator"], initial_weights=path, steps=1, learning_rate=1e-12))
    for name, weight in weights(coarse).items():
        torch.testing.assert_close(finer[name], weight)
    with pytest.raises(InputError, match="train.initial_weights: .* does not fit train.generator"):
        folder.train("misfit", generator=TINY["generator"] | {"width": 8}, initial_weights=path)


LONG = {"steps": 40, "log_every": 10, "learning_rate": 0.005, "sequence_frames": 2}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_losses_fall(folder, precision):
    """Of a training long enough to learn stripes: every mean over the last steps of what compares with the real is below the first's."""
    table = pd.read_csv(layout.losses(folder.train(f"long-{precision}", **LONG, precision=precision)))
    assert table["reconstruction"].iloc[-1] < 0.92 * table["reconstruction"].iloc[0]


@pytest.mark.parametrize("local_blocks", [0, 1])
def test_an_image_generator_learns_from_single_frames_and_is_saved_with_the_maps_that_it_knows(folder, local_blocks):
    generator = {"width": 8, "downsamplings": 2, "blocks": 1, "local_blocks": local_blocks}
    out = folder.train_image_generator(f"image-{local_blocks}", generator)
    trained = TrainedImageGenerator(layout.networks(out), "cpu")
    assert trained.kind == MapKind.of(folder.clips.map_folders().of("a"))
    assert terms(out) == {*{f"image_{name}" for name in ("gan", "feature_matching", "real", "fake")}, "reconstruction"}
    other = folder.train_image_generator(f"other-{local_blocks}", generator, seed=1)
    ours, theirs = (load_file(layout.networks(folder) / "image_generator.safetensors") for folder in (out, other))
    assert any((ours[name] != theirs[name]).any() for name in ours)


@pytest.mark.parametrize("kind", [params.TrainPerFrame, params.TrainImageGenerator])
def test_what_a_training_without_the_past_is_said_to_have_no_use_for_changes_no_byte_of_it(folder, kind):
    drawn = {"width": 8, "downsamplings": 2, "blocks": 1, "local_blocks": 0}
    own = kind.model_validate({**IMAGES, "generator": drawn} if kind is params.TrainImageGenerator else {"enabled": True})
    p = section(gradient_frames=2, start_from_nothing=0.5, vgg_imagenet_norm=True)
    unused = ["weights", "video_discriminator", "gradient_frames", "start_from_nothing", "vgg_imagenet_norm"]
    unused += ["generator"] if kind is params.TrainImageGenerator else []
    changed = own.of(p).model_copy(update={name: getattr(p, name) for name in unused})
    ours, theirs = (folder.train_without_the_past(f"{kind.__name__}-{name}", x, own) for name, x in (("all", changed), ("used", own.of(p))))
    assert files(ours) == files(theirs)


@pytest.mark.parametrize("checkpointed", [{}, {"batch_size": 2, "precision": "bfloat16"}])
def test_gradient_checkpointing_changes_nothing_but_memory(folder, checkpointed):
    name = "-".join(["checkpointed", *checkpointed])
    plain, saved = (folder.train(f"{name}-{on}", checkpointing=on, **checkpointed) for on in (False, True))
    torch.testing.assert_close(weights(saved), weights(plain), rtol=0, atol=0)
