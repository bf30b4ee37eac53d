"""float16 on a CPU, which `before_training` keeps users from: slow there, but with the same scaled gradients as on a GPU; and compiling."""

from functools import partial

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.amp.grad_scaler import GradScaler

from pipeline import layout, learners
from tests.pipeline.test_training import EVERYTHING, PHASES, Folder, Killed, files, kill_in_step


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("precision"))


def first_terms(folder: Folder, name: str) -> pd.DataFrame:
    return pd.read_csv(layout.losses(folder.root / name)).iloc[0].drop("step")


def scale(folder: Folder, name: str) -> float:
    return torch.load(layout.training_state(folder.work(name)))["parts"]["scaler"]["scale"]


def test_a_float16_step_has_the_terms_and_gradients_of_a_float32_one(folder, monkeypatch):
    monkeypatch.setattr(learners, "GradScaler", partial(GradScaler, init_scale=2.0**8))  # the usual one is tried down in the first steps
    for precision in ("float16", "float32"):
        folder.train(precision, precision=precision, steps=1, log_every=1)
    assert first_terms(folder, "float16").to_dict() == pytest.approx(first_terms(folder, "float32").to_dict(), rel=0.02, abs=1e-3)


def test_float16_gradients_out_of_range_change_no_weight_and_halve_the_scale(folder, monkeypatch):
    monkeypatch.setattr(learners, "GradScaler", partial(GradScaler, init_scale=2.0**60))
    before = folder.train("still", precision="float16", steps=1, learning_rate=1e-30)
    after = folder.train("out", precision="float16", steps=1, learning_rate=1.0)
    ours, theirs = (load_file(layout.networks(out) / "generator.safetensors") for out in (after, before))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    assert scale(folder, "out") == 2.0**59


def test_float16_goes_on_after_a_kill_with_the_scale_it_had(folder, monkeypatch):
    monkeypatch.setattr(learners, "GradScaler", partial(GradScaler, init_scale=2.0**24, growth_interval=2))
    everything = {**EVERYTHING, "precision": "float16", "save_every": 3}
    with monkeypatch.context() as patched:
        kill_in_step(5, patched)
        with pytest.raises(Killed):
            folder.train("killed", **everything)
    assert scale(folder, "killed") != 2.0**24
    assert files(folder.train("killed", **everything)) == files(folder.train("whole", **everything))
    assert scale(folder, "killed") == scale(folder, "whole")


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_compiled_training_is_the_same_training(folder, checkpointing):
    """On this machine's compiler, through two phases of other sizes, with weights that stay where they are, or rounding would part the two;
    and its result is saved as that of any other."""
    phases = [{**phase, "learning_rate": 1e-12} for phase in PHASES["earlier_phases"]]
    still = {**EVERYTHING, "earlier_phases": phases, "learning_rate": 1e-12, "checkpointing": checkpointing}
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):  # else what is beyond runs as it is, unseen
        ours, theirs = (folder.train(f"compile-{compiled}-{checkpointing}", **{**still, "compile": compiled}) for compiled in (True, False))
    pd.testing.assert_frame_equal(pd.read_csv(layout.losses(ours)), pd.read_csv(layout.losses(theirs)), rtol=1e-3)
    assert set(files(ours)) == set(files(theirs))
