"""What a training is said to need, before its first step."""

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from accelerate import Accelerator
from finished_journey import PALETTE

from pipeline import learner, learners, memory_estimate, params
from pipeline.allocations import counted
from pipeline.devices import Devices
from pipeline.errors import InputError
from pipeline.learner import Learner
from pipeline.maps import MapKind
from pipeline.memory_estimate import Need
from pipeline.schedule import Schedule, Step
from tests.pipeline.test_report import TRAINING
from tests.pipeline.test_training import PHASES, TINY, Folder

DEVICES, STEP = Devices("cpu"), Step(1, 1, 1, False, 0.001, 2, 2)
SIZE = (48, 64)


def training(**changes: Any) -> params.Train:
    return params.Train.model_validate({**TRAINING.model_dump(), **TINY, **changes})


def built(p: params.Train) -> Learner:
    return learners.vid2vid(p, MapKind(PALETTE, instances=True, edges=0, pose=0), DEVICES)


def needed(step: Step = STEP, size: tuple[int, int] = SIZE, **changes: Any) -> Need:
    p = training(**changes)
    return memory_estimate.need(built(p), [replace(step, scales=p.generator.scales)], size, p, DEVICES)


def test_only_what_is_held_at_once_counts():
    with counted() as allocations:
        kept = torch.empty(1000)  # 4 kB
        _ = torch.empty(500).add(1)  # two of 2 kB, one after the other freed
        view = kept[:10]
        assert (allocations.bytes, allocations.peak) == (6000, 8000)
        del _, kept
        assert allocations.bytes == 4000  # the view needs it
        del view
        assert allocations.bytes == 0


def test_what_a_backward_pass_needs_is_counted_until_it_is_done():
    """Each of three squares keeps its input, 4 kB."""
    with counted() as allocations:
        x = torch.empty(1000, requires_grad=True)
        y = x.square().square().square().sum()
        assert allocations.bytes == 3 * 4000 + 4
        y.backward()
        assert allocations.bytes == 2 * 4000 + 4  # x and its gradient


@pytest.mark.parametrize(("ema_decay", "copies"), [(0.0, 4), (0.9, 5)])
def test_networks_and_optimizers_are_weights_gradients_two_moments_and_the_mean(ema_decay, copies):
    p = training(ema_decay=ema_decay)
    networks = built(p).networks
    generator, *discriminators = (sum(w.numel() for w in network.parameters()) for network in networks.trained().values())
    counts = 4 * len([w for network in networks.trained().values() for w in network.parameters()])  # Adam's steps, a number each
    mean = 8 if ema_decay else 0  # how many weights it is of
    assert needed(ema_decay=ema_decay).networks == 4 * (copies * generator + 4 * sum(discriminators)) + counts + mean


def test_a_pixel_more_or_a_frame_more_costs_as_much_as_the_one_before():
    small, large = needed().activations, needed(size=(96, 128)).activations
    assert large / small == pytest.approx(4, rel=0.15)
    by_frames = [needed(replace(STEP, window_frames=t, sequence_frames=t)).activations for t in (4, 8, 12)]
    assert by_frames[2] - by_frames[1] == pytest.approx(by_frames[1] - by_frames[0], rel=0.15)
    assert by_frames[1] / by_frames[0] == pytest.approx(2, rel=0.2)


def test_twice_the_width_costs_about_twice_the_activations_and_four_times_the_weights():
    narrow, wide = (needed(generator=TINY["generator"] | {"width": width}) for width in (16, 32))
    assert 1.4 < wide.activations / narrow.activations < 2.1
    assert 2.5 < wide.networks / narrow.networks < 4.1  # the discriminators stay


def test_bfloat16_checkpointing_and_smaller_batches_need_less():
    plain = needed().activations
    assert needed(precision="bfloat16").activations < 0.9 * plain
    assert needed(checkpointing=True).activations < 0.7 * plain
    assert needed(batch_size=2).activations == pytest.approx(plain * 2, rel=0.1)


def test_a_discriminator_of_faces_counts_with_its_weights_and_its_squares():
    """Of larger squares it needs more."""
    p, steps = training(generator={**TINY["generator"], "foreground": False}), [STEP]
    maps = MapKind(None, False, 0, 3)
    needs = {}
    for side in (None, 0.5, 1.0):
        face = None if side is None else params.FaceDiscriminator(width=4, layers=2, scales=1, side=side)
        with_face = p.model_copy(update={"face_discriminator": face})
        learning = learners.vid2vid(with_face, maps, DEVICES)
        needs[side] = memory_estimate.need(learning, steps, SIZE, with_face, DEVICES)
    weights = list(learning.networks.discriminators["face"].parameters())
    for side in (0.5, 1.0):
        assert needs[side].networks - needs[None].networks == 4 * (4 * sum(w.numel() for w in weights) + len(weights))
    assert needs[None].activations < needs[0.5].activations < needs[1.0].activations


def test_the_estimate_draws_no_random_numbers_and_changes_no_weights():
    p = training()
    learning = built(p)
    before, weights = torch.get_rng_state(), [w.detach().clone() for w in learning.networks.generator.parameters()]
    memory_estimate.need(learning, [STEP], SIZE, p, DEVICES)
    assert torch.equal(torch.get_rng_state(), before)
    torch.testing.assert_close(weights, list(learning.networks.generator.parameters()), rtol=0, atol=0)
    assert all(w.grad is None for w in learning.networks.generator.parameters())


def process(number: int, processes: int) -> Devices:
    """One of several, which it does not reach."""
    devices = Devices("cpu")
    devices.process, devices.processes = number, processes
    return devices


def told(p: params.Train, devices: Devices = DEVICES) -> None:
    index = pd.DataFrame({"height": [SIZE[0]], "width": [SIZE[1]]})
    with memory_estimate.told(built(p), Schedule(p.phases(), most_frames=8), index, p, devices):
        pass


def test_a_training_says_it_on_its_stderr_before_the_first_step(tmp_path, capsys):
    Folder(tmp_path).train("short", steps=1)
    estimating, needs = capsys.readouterr().err.splitlines()[:2]
    assert estimating == "train: estimating how much memory it needs ..."
    assert re.fullmatch(r"train: needs about \S+ GB \(networks and optimizers .*\), \S+ GB are there", needs)


def test_one_line_says_what_is_needed_and_what_is_there(monkeypatch, capsys):
    monkeypatch.setattr(memory_estimate, "_there", lambda *_: 24_000_000_000)
    monkeypatch.setattr(memory_estimate, "_need", lambda *_: Need(3_100_000_000, 700_000_000, 2_400_000_000))
    told(training())
    line = "train: needs about 6.2 GB (networks and optimizers 3.1, activations 2.4, frames 0.7), 24.0 GB are there"
    assert capsys.readouterr().err.splitlines()[1:] == [line]


def test_of_several_processes_the_first_alone_estimates_and_says_it(monkeypatch, capsys):
    monkeypatch.setattr(memory_estimate, "_need", lambda *_: pytest.fail("estimates"))
    told(training(batch_size=2), process(1, 2))
    assert capsys.readouterr().err == ""


def test_phases_of_half_the_pixels_or_less_are_not_tried():
    coarse = {**PHASES["earlier_phases"][0], "window_frames": 4}
    p = training(generator={**TINY["generator"], "scales": 2}, earlier_phases=[coarse], window_frames=2)
    tried = memory_estimate._steps(p, Schedule(p.phases(), most_frames=8))
    assert [(step.scales, step.window_frames) for step in tried] == [(2, 2)]


def test_several_processes_exchange_all_gradients_in_two_copies():
    """As accelerate does, which is asked: this and the estimate hold equally much."""
    exchanging = process(0, 2)
    exchanging._accelerator = Accelerator(cpu=True)
    held = []
    for devices in (exchanging, memory_estimate._Exchanging("cpu", alone=True)):
        with counted() as allocations:
            gradients = [torch.empty(1000), torch.empty(10, 100)]
            devices.average(gradients)
            held.append(allocations.peak)
    assert held == [8000 + 2 * 8000] * 2


def test_the_exchange_counts_where_weights_are_most_of_it():
    wide = training(generator={**TINY["generator"], "width": 64}, batch_size=2, window_frames=1, sequence_frames=1)
    learning, step = built(wide), replace(STEP, window_frames=1, sequence_frames=1)
    size = (16, 16)
    one, two = (memory_estimate.need(learning, [step], size, wide, process(0, n)) for n in (1, 2))
    assert two.total > one.total and two.networks == one.networks


def test_processes_of_a_machine_share_its_memory(monkeypatch):
    monkeypatch.setattr(memory_estimate.psutil, "virtual_memory", lambda: SimpleNamespace(available=10**12))
    learning = built(training())
    alone = memory_estimate._there(learning, torch.device("cpu"))
    for name, value in {"RANK": 0, "WORLD_SIZE": 8, "LOCAL_WORLD_SIZE": 4}.items():
        monkeypatch.setenv(name, str(value))
    assert alone - memory_estimate._there(learning, torch.device("cpu")) == 3 * 10**12 // 4


@pytest.mark.parametrize(("batch_size", "processes", "smaller"), [(4, 1, 2), (6, 2, 2), (12, 3, 6), (2, 2, 2)])
def test_a_smaller_batch_that_is_proposed_divides_by_the_processes(batch_size, processes, smaller):
    proposed = memory_estimate._smaller([STEP], SIZE, training(batch_size=batch_size), processes)
    assert f"train.batch_size: {smaller}" in proposed


def test_where_that_is_not_there_it_names_what_would_help_most_first(monkeypatch, capsys):
    """And the training begins all the same."""

    def pixels(_: Learner, step: Step, size: tuple[int, int], p: params.Train, __: Devices) -> Need:
        share = 0.3 if p.checkpointing else 1
        return Need(0, 0, int(1e6 * share * size[0] * size[1] * p.batch_size * step.window_frames))

    monkeypatch.setattr(memory_estimate, "_there", lambda *_: 1_000_000_000)
    monkeypatch.setattr(memory_estimate, "_need", pixels)
    told(training(batch_size=4, window_frames=2))
    helping = (
        "half the size of clips (6.1 GB), train.checkpointing: true (7.4 GB), half the train.window_frames (12.3 GB), "
        "train.batch_size: 2 (12.3 GB)"
    )
    assert capsys.readouterr().err.split("only 1.0 GB are there: ")[1].strip() == f"less is needed with {helping}"


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError(),
    ],
)
def test_memory_that_ends_in_a_step_is_one_sentence(tmp_path, monkeypatch, error):
    def step(*_: Any) -> None:
        raise error

    monkeypatch.setattr(learner, "step", step)
    monkeypatch.setattr(memory_estimate, "said", lambda *_: "")
    monkeypatch.setattr(memory_estimate, "_hints", lambda *_: "less is needed with train.checkpointing: true (0.1 GB)")
    with pytest.raises(InputError, match="^train: out of memory on cpu: less is needed with train.checkpointing: true"):
        Folder(tmp_path).train("short")


def test_other_errors_stay_what_they_are(monkeypatch):
    p = training()
    with (
        pytest.raises(RuntimeError, match="something else"),
        memory_estimate.told(built(p), Schedule(p.phases(), 8), pd.DataFrame({"height": [48], "width": [64]}), p, DEVICES),
    ):
        raise RuntimeError("something else")


def test_an_estimate_that_fails_forbids_nothing(monkeypatch, capsys):
    def unknown(*_):
        raise NotImplementedError("no such operation without memory")

    monkeypatch.setattr(memory_estimate, "_need", unknown)
    told(training())
    assert "could not be estimated (no such operation without memory)" in " ".join(capsys.readouterr().err.split())
