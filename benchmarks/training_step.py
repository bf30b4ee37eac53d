"""A training step: seconds, peak of memory, share of waiting for data; against the reference's step on the same networks and windows.

`plain` is `benchmarks.plain_step`, ours the real one (pipeline.learner); each side runs in a process of its own. Networks have random
weights, VGG19 too; settings are those of `sample-street` but where an option says otherwise. A sequence has three windows, so that a
video discriminator of stride 3 sees something.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks import sample_clips
from benchmarks.measure import row, show, spread
from benchmarks.plain_step import FlowNetwork, Plain, plain_step
from models.vgg import VggFeatures
from pipeline import learner, learners, params, train
from pipeline.batch import Carried, StepInput
from pipeline.devices import Devices
from pipeline.index import read_index
from pipeline.learner import Learner
from pipeline.maps import MapKind
from pipeline.objective import carry
from pipeline.params_file import load

PLAIN = "plain"
OURS: dict[str, dict[str, object]] = {
    "ours, float32": {},
    "ours, bfloat16": {"precision": "bfloat16"},
    "ours, checkpointing": {"checkpointing": True},
}
AIMS = {
    "ours, float32": {"wall": "1.1 x", "peak": ""},
    "ours, bfloat16": {"wall": "1.5 x", "peak": ""},
    "ours, checkpointing": {"wall": "", "peak": "0.6 x"},
}
WINDOWS = 3
"""Of a sequence. The first sequence does not count: its steps choose algorithms and allocate."""

TakeStep = Callable[[StepInput], Carried]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_step", description=__doc__)
    parser.add_argument("--size", default="256x128", help="WIDTHxHEIGHT")
    parser.add_argument("--width", type=int, help="of the generator; discriminators have as much, up to 64")
    parser.add_argument("--downsamplings", type=int)
    parser.add_argument("--blocks", type=int)
    parser.add_argument("--scales", type=int, help="of the generator; discriminators have one more")
    parser.add_argument("--vgg", action="store_true", help="with the perceptual term")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--steps", type=int, default=6, help="of each side in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--flow-inside", metavar="MODEL", help="a network of ptlflow that runs in the plain side's steps; cuda alone")
    parser.add_argument("--side", choices=(PLAIN, *OURS), help=argparse.SUPPRESS)
    parser.add_argument("--clips", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.flow_inside and asked.device != "cuda":
        parser.error("--flow-inside needs --device cuda")
    if asked.side:
        print(json.dumps(measured(asked)))
        return
    width, height = map(int, asked.size.split("x"))
    taken: dict[str, list[dict[str, list[float]]]] = {side: [] for side in (PLAIN, *OURS)}
    with tempfile.TemporaryDirectory() as folder:
        sample_clips.create(Path(folder) / "clips", width=width, height=height, num_clips=2, num_frames=16)
        for _ in range(asked.rounds):
            for side in taken:
                taken[side].append(_in_its_own_process(side, Path(folder) / "clips"))
    show(rows(taken, asked.size))


def _in_its_own_process(side: str, clips: Path) -> dict[str, list[float]]:
    command = [sys.executable, "-m", "benchmarks.training_step", *sys.argv[1:], "--side", side, "--clips", str(clips)]
    variables = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}  # as flows.stage sets it
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=variables).stdout
    return json.loads(printed.splitlines()[-1])


def rows(taken: dict[str, list[dict[str, list[float]]]], size: str) -> list[str]:
    """Of one kind of number, all of a side's rounds; ratios are of medians: how many times as fast, how much of the memory."""
    numbers = {side: {name: [value for once in rounds for value in once[name]] for name in rounds[0]} for side, rounds in taken.items()}
    shown = []
    for side in OURS:
        waited = 100 * sum(numbers[side]["waited"]) / sum(numbers[side]["wall"])
        shown.append(row(f"{side}, {size}: share of a step that waits for data", f"{waited:.1f} %", aim="5 %"))
        for name, what, unit in (("wall", "seconds", "s"), ("cpu", "CPU seconds", "s"), ("peak", "peak memory beyond the imports", "GB")):
            mine, plain = numbers[side][name], numbers[PLAIN][name]
            ratio = statistics.median(mine) / statistics.median(plain)
            times = f"{ratio:.2f} x" if name == "peak" else f"{1 / ratio:.2f} x as fast"
            shown.append(row(f"{side}, {size}: {what}", spread(mine, unit), spread(plain, unit), times, AIMS[side].get(name, "")))
    return shown


def measured(asked: argparse.Namespace) -> dict[str, list[float]]:
    """Wall, CPU and waiting seconds of each step; peak of memory in GB."""
    if asked.vgg:
        import torchvision  # noqa: F401
    if asked.flow_inside and asked.side == PLAIN:
        import ptlflow  # noqa: F401
    p, devices = section(asked), Devices(asked.device)
    memory = Memory(devices.device)
    torch.set_num_threads(load(sample_clips.PARAMS).machine.threads)
    torch.use_deterministic_algorithms(asked.device == "cpu")  # as in a stage
    index, folders = read_index(asked.clips / "dataset", "train"), sample_clips.folders_of(asked.clips)
    learning = learner_of(p, MapKind.of(folders.maps.of(index["clip"].iloc[0])), devices)
    if asked.side == PLAIN:
        take = taking_plain(learning, p, random_flow_network(asked.flow_inside, devices.device) if asked.flow_inside else None)
    else:
        take = taking_ours(learning, p, devices)
    batches = train._batches(train._windows(folders, index, learning, p, devices), 1, learning, devices)
    seconds: dict[str, list[float]] = {"wall": [], "cpu": [], "waited": []}
    carried = None
    for _ in range(p.steps):
        wall, cpu = time.perf_counter(), time.process_time()
        step, batch = next(batches)
        waited = time.perf_counter() - wall
        carried = take(StepInput(step, batch, None if step.starts_sequence else carried))
        if asked.device == "cuda":
            torch.cuda.synchronize()
        for name, value in (("wall", time.perf_counter() - wall), ("cpu", time.process_time() - cpu), ("waited", waited)):
            seconds[name].append(value)
    return {**{name: values[WINDOWS:] for name, values in seconds.items()}, "peak": [memory.peak_gigabytes()]}


def section(asked: argparse.Namespace) -> params.Train:
    values: dict[str, Any] = load(sample_clips.PARAMS).section(params.Train, sample_clips.DATASET).model_dump()
    for name in ("width", "downsamplings", "blocks", "scales"):
        if getattr(asked, name) is not None:
            values["generator"][name] = getattr(asked, name)
    generator = values["generator"]
    for discriminator in (values["image_discriminator"], values["video_discriminator"]):
        discriminator |= {"width": min(64, generator["width"]), "scales": generator["scales"] + 1}
    if asked.vgg:
        values["weights"] |= {"perceptual": 10.0, "reconstruction": 0.0}
    steps, frames = WINDOWS + asked.steps, WINDOWS * values["window_frames"]
    values |= {"steps": steps, "sequence_frames": frames, **OURS.get(asked.side, {})}
    return params.Train.model_validate(values)


def taking_ours(learning: Learner, p: params.Train, devices: Devices) -> TakeStep:
    def take(given: StepInput) -> Carried:
        stepped = learner.step(learning, given, p, devices)
        assert stepped.problem is None, stepped.problem
        return carry(stepped.fake, given.carried, learning.kind)

    return take


def taking_plain(learning: Learner, p: params.Train, flow_network: FlowNetwork | None) -> TakeStep:
    plain = Plain(learning, p.weights.model_dump(), flow_network)

    def take(given: StepInput) -> Carried:
        terms, left = plain_step(plain, given)
        torch.stack(list(terms.values())).tolist()  # as for a log
        return left

    return take


def learner_of(p: params.Train, maps: MapKind, devices: Devices) -> Learner:
    """With random weights, VGG19's too, without a file of them."""
    without_vgg = p.model_copy(update={"weights": p.weights.model_copy(update={"perceptual": 0.0})})
    learning = learners.vid2vid(without_vgg, maps, devices)
    if p.weights.perceptual:
        from torchvision.models import vgg  # seconds

        layers = VggFeatures(vgg.make_layers(vgg.cfgs["E"]), checkpointing=p.checkpointing)
        layers.to(devices.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        learning.networks = replace(learning.networks, vgg=layers)
    return learning


def random_flow_network(model: str, device: torch.device) -> FlowNetwork:
    import ptlflow

    network = ptlflow.get_model(model).to(device).eval().requires_grad_(False)

    def measure(frames: Tensor, before: Tensor) -> object:
        return network({"images": (torch.stack([frames, before], dim=1) + 1) / 2})["flows"]

    return measure


class Memory:
    """What a training takes beyond the imports, of a GPU's memory or of the machine's."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._before = 0.0 if device.type == "cuda" else _resident_gigabytes("VmRSS")

    def peak_gigabytes(self) -> float:
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated() / 1e9
        return _resident_gigabytes("VmHWM") - self._before


def _resident_gigabytes(name: str) -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) * 1024 / 1e9


if __name__ == "__main__":
    main()
