"""A trained generator on disk (generator.safetensors and, to build it again, generator.json); states and weights in files."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from models.video_generator import VideoGenerator
from pipeline.errors import InputError, is_machine_fault, one_line
from pipeline.maps import MapKind

WEIGHTS, DESCRIPTION = "generator.safetensors", "generator.json"


def save_generator(folder: Path, generator: VideoGenerator, arguments: dict[str, Any], kind: MapKind) -> None:
    """`arguments` are VideoGenerator's."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: weight.contiguous() for name, weight in generator.state_dict().items()}, folder / WEIGHTS)
    described = {"generator": arguments, "maps": kind.as_attributes()}
    (folder / DESCRIPTION).write_text(json.dumps(described, indent=1, sort_keys=True))


class TrainedGenerator:
    """A generator with its weights, ready to synthesize, and the kind of maps that it was trained on."""

    def __init__(self, folder: Path, device: str) -> None:
        if not (folder / DESCRIPTION).is_file():
            raise InputError(f"{folder}: no trained generator there ({DESCRIPTION} is missing)")
        try:
            described = json.loads((folder / DESCRIPTION).read_text())
            self.kind = MapKind.from_attributes(described["maps"])
            network = VideoGenerator(**described["generator"])
            network.load_state_dict(load_file(folder / WEIGHTS))
        except Exception as error:  # damaged files raise anything
            if is_machine_fault(error):
                raise
            raise InputError(f"{folder}: is no whole trained generator ({one_line(error)}); train it again") from None
        self.network: VideoGenerator = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.requires_grad_(False)


def read_weights(path: Path, parameter: str) -> dict[str, Any]:
    """What torch saved as plain tensors. InputError, naming the parameter, for any other file."""
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling what is no such file raises anything
        if is_machine_fault(error):
            raise
        raise InputError(f"{parameter}: {path} is no file of weights ({one_line(error)})") from None
    if not isinstance(saved, dict):
        raise InputError(f"{parameter}: {path} is no file of weights (it holds a {type(saved).__name__})")
    return saved


def load_weights(network: nn.Module, path: Path, parameter: str) -> None:
    try:
        network.load_state_dict(read_weights(path, parameter))
    except (RuntimeError, AttributeError, TypeError) as error:
        raise InputError(f"{parameter}: {path} does not fit {type(network).__name__} ({one_line(error)})") from None


def load_generator_weights(generator: VideoGenerator, path: Path, parameter: str) -> None:
    """Of an equal generator, or of one with fewer scales, whose finer ones then keep what they have."""
    try:
        lacking, unknown = generator.load_state_dict(load_file(path), strict=False)
    except Exception as error:  # damaged files raise anything; other widths are a RuntimeError
        if is_machine_fault(error):
            raise
        raise InputError(f"{parameter}: {path} does not fit train.generator ({one_line(error)})") from None
    given = {name.split(".")[1] for name in generator.state_dict() if name not in lacking}
    if wrong := [*unknown, *(name for name in lacking if name.split(".")[1] in given)] or (not given and lacking):
        raise InputError(f"{parameter}: {path} does not fit train.generator ({wrong[0]} is in one of them alone)")


def read_state(path: Path) -> dict[str, Any]:
    """A training under way, as `replace_at_once` wrote it."""
    try:
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return saved
    except Exception as error:
        if is_machine_fault(error):
            raise  # whoever removes the file loses days of training
        raise InputError(f"{path}: this training's saved state is damaged ({one_line(error)}); remove the file to begin anew") from None


def replace_at_once(path: Path, state: dict[str, Any]) -> None:
    """Saves so that a kill leaves the old file or the new one."""
    unfinished = path.with_suffix(".unfinished")
    try:
        with unfinished.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)  # on a full disk, it would take what is left
        raise
