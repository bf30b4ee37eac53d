"""A training by two processes is that by one."""

import shutil
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import torch
from double_rank import double_precision
from safetensors.torch import load_file
from test_training import PHASES, TINY, Folder

from pipeline import layout, params, ranks, runner, worker
from pipeline.plan import Job
from pipeline.store import Store
from pipeline.worker import Outcome
from tests.flows.processes import wait_for
from tests.pipeline.test_report import TRAINING

START_SECONDS = 120

TWO = {**PHASES, "batch_size": 2, "ema_decay": 0.5, "start_from_nothing": 0.5, "log_every": 1, "preview_every": 3, "save_every": 100}
LAST_STEP = 9


class Trainings(Folder):
    """In a store, each by some processes."""

    def __init__(self, root: Path, has: Collection[str] = ("labels",), headless: str = "") -> None:
        super().__init__(root, has, headless)
        self.store = Store(root / ".store")

    def job(self, key: str, ranks: int, **changes: Any) -> Job:
        p = params.Train.model_validate({**TRAINING.model_dump(), **TINY, **TWO, **changes})
        arguments = {**{name: self.clips.folder(name) for name in ("clips", "optical_flow", "dataset")}, **self.clips.maps()}
        made_by = {"libraries": {"torch": "1"}}
        watch = str(self.watch(key))
        return Job("train", "*", key, str(self.store.root), arguments, {"p": p}, made_by, "cpu", 1, watch, ranks)

    def compute(self, key: str, ranks: int) -> Outcome:
        return runner.compute(self.job(key, ranks))

    def first_step(self, key: str, processes: int, **changes: Any) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
        """Its terms; and of each weight the first moment of Adam, which is the gradient but for one factor; not all have one."""
        job = self.job(key, processes, earlier_phases=[], generator={**TINY["generator"], "warping": False}, steps=1, **changes)
        out = self.root / key
        out.mkdir()
        (ranks.run if processes > 1 else worker.call)(job, out)
        saved = torch.load(layout.training_state(self.store.work(key)))
        networks = [name.removeprefix("network ") for name in saved["parts"] if name.startswith("network ")]
        gradients = {}
        for network in networks:
            names = list(saved["parts"][f"network {network}"])
            for number, moments in saved["parts"][f"optimizer {network}"]["state"].items():
                gradients[f"{network} {names[number]}"] = moments["exp_avg"]
        return saved["losses"][0], gradients

    def done(self, key: str, ranks: int) -> Path:
        outcome = self.compute(key, ranks)
        assert outcome.state == "computed", outcome
        return self.store.path(key)

    def stopped(self, key: str) -> Outcome:
        """After some steps, because SIGTERM has reached the second of two processes alone."""
        outcomes: list[Outcome] = []
        computing = threading.Thread(target=lambda: outcomes.append(self.compute(key, 2)), daemon=True)
        computing.start()
        wait_for(layout.preview(self.store.work(key), 3).exists, START_SECONDS)
        (second,) = (process for process in psutil.Process().children() if process.environ().get("RANK") == "1")
        second.terminate()
        computing.join(60)
        return outcomes[0]

    def step(self, key: str) -> int:
        return torch.load(layout.training_state(self.store.work(key)))["step"]


def assert_equal(ours: Path, theirs: Path, tolerance: float) -> None:
    torch.testing.assert_close(weights_that_count(ours), weights_that_count(theirs), rtol=0, atol=tolerance)
    tables = [pd.read_csv(layout.losses(out)) for out in (ours, theirs)]
    assert len(tables[0]) == LAST_STEP
    pd.testing.assert_frame_equal(*tables, rtol=1e-5, atol=1e-8)  # written with 6 digits


def weights_that_count(out: Path) -> dict[str, torch.Tensor]:
    """Without what an instance norm takes away again: the bias before it, which nothing but rounding moves."""
    weights = load_file(layout.networks(out) / "generator.safetensors")
    return {name: weight for name, weight in weights.items() if "head" in name or not name.endswith(".bias")}


def test_two_processes_train_what_one_does_and_either_goes_on_where_two_were_stopped(tmp_path: Path) -> None:
    with double_precision():
        trainings = Trainings(tmp_path)
        one, two = trainings.done("ab01", 1), trainings.done("ab02", 2)
        assert_equal(two, one, 1e-8)

        outcome = trainings.stopped("ab03")
        assert (outcome.state, "was ended by SIGTERM" in outcome.problem) == ("failed", True), outcome
        assert 3 <= trainings.step("ab03") < LAST_STEP
        shutil.copytree(trainings.store.work("ab03"), trainings.store.work("ab04"), dirs_exist_ok=True)
        assert_equal(trainings.done("ab03", 2), two, 0)
        assert_equal(trainings.done("ab04", 1), one, 1e-8)


def test_in_single_precision_two_processes_have_the_terms_and_gradients_of_one_in_the_first_step(tmp_path: Path) -> None:
    """Later ones cannot be compared: see double_rank. Without warping: an untrained network's optical flow is nearly 0, where the gradient
    of a warped picture jumps from one pixel's to the next one's by rounding. Biases before an instance norm have no gradient but rounding.
    """
    trainings = Trainings(tmp_path)
    (ours, our_gradients), (theirs, their_gradients) = trainings.first_step("ab02", 2), trainings.first_step("ab01", 1)
    terms = [name for name in theirs if not name.endswith("_gradient")]
    assert len(terms) > 7
    assert [ours[name] for name in terms] == pytest.approx([theirs[name] for name in terms], rel=1e-5)
    for network in {name.split()[0] for name in their_gradients}:
        names = [name for name in their_gradients if name.split()[0] == network]
        largest = max(float(their_gradients[name].abs().max()) for name in names)
        far = {name: float((our_gradients[name] - their_gradients[name]).abs().max()) / largest for name in names}
        assert largest > 0 and max(far.values()) < 1e-5, {name: value for name, value in far.items() if value >= 1e-5}


def test_of_two_processes_one_that_sees_no_face_trains_the_face_discriminator_as_much_as_the_other(tmp_path: Path) -> None:
    """Two clips have no heads, one has. With this seed the first step's batch has two frames of it and two without a face."""
    trainings = Trainings(tmp_path, ("labels", "iuv"), headless="ac")
    faces = {"face_discriminator": {"width": 4, "layers": 2, "scales": 1, "side": 0.25}, "seed": 4}
    (ours, our_gradients), (theirs, their_gradients) = (trainings.first_step(f"ab0{n}", n, **faces) for n in (2, 1))
    names = [name for name in theirs if name.startswith("face_")]
    assert len(names) == 4 and all(theirs[name] > 0 for name in names)
    assert [ours[name] for name in names] == pytest.approx([theirs[name] for name in names], rel=1e-5)
    of_faces = [name for name in their_gradients if name.startswith("face ")]
    largest = max(float(their_gradients[name].abs().max()) for name in of_faces)
    assert largest > 0 and our_gradients.keys() == their_gradients.keys()
    assert max(float((our_gradients[name] - their_gradients[name]).abs().max()) for name in of_faces) < 1e-5 * largest
