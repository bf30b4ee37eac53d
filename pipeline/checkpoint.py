"""A trained generator on disk (generator.safetensors and, to build it again, generator.json); states and weights in files.

The image generator's files are called image_generator.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from models.frame_by_frame import FrameByFrame
from models.video_generator import VideoGenerator
from pipeline.errors import InputError, is_machine_fault, one_line
from pipeline.maps import MapKind

VIDEO, IMAGE = "generator", "image_generator"
"""Names of the files, without their endings."""


def save_generator(folder: Path, generator: VideoGenerator, arguments: dict[str, Any], kind: MapKind) -> None:
    """`arguments` are VideoGenerator's."""
    _save(folder, VIDEO, generator, {"generator": arguments, "maps": kind.as_attributes()})


def save_image_generator(folder: Path, generator: FrameByFrame, arguments: dict[str, Any], kind: MapKind) -> None:
    """`arguments` are FrameByFrame's."""
    _save(folder, IMAGE, generator, {"generator": arguments, "maps": kind.as_attributes()})


def _save(folder: Path, name: str, generator: nn.Module, described: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: weight.contiguous() for key, weight in generator.state_dict().items()}, folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(described, indent=1, sort_keys=True))


class TrainedGenerator:
    """A generator with its weights, ready to synthesize, and the kind of maps that it was trained on."""

    def __init__(self, folder: Path, device: str) -> None:
        with _whole(folder, VIDEO) as described:
            self.kind = MapKind.from_attributes(described["maps"])
            network = VideoGenerator(**described["generator"])
            network.load_state_dict(load_file(folder / f"{VIDEO}.safetensors"))
        self.multiple = 2 ** (network.downsamplings + len(network.scales) - 1)
        """Frames need more pixels a side."""
        self.network: VideoGenerator = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.requires_grad_(False)


class TrainedImageGenerator:
    """One that makes frames without a past, with its weights, and the kind of maps that it was trained on."""

    def __init__(self, folder: Path, device: str) -> None:
        with _whole(folder, IMAGE) as described:
            self.kind = MapKind.from_attributes(described["maps"])
            network = FrameByFrame(**described["generator"])
            network.load_state_dict(load_file(folder / f"{IMAGE}.safetensors"))
        self.multiple = network.multiple
        self.network: FrameByFrame = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.requires_grad_(False)


@contextmanager
def _whole(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """The description of a trained generator; what reading it and its weights raises, in one sentence."""
    if not (folder / f"{name}.json").is_file():
        raise InputError(f"{folder}: no trained {name.replace('_', ' ')} there ({name}.json is missing)")
    try:
        yield json.loads((folder / f"{name}.json").read_text())
    except Exception as error:  # damaged files raise anything
        if is_machine_fault(error):
            raise
        raise InputError(f"{folder}: is no whole trained {name.replace('_', ' ')} ({one_line(error)}); train it again") from None


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
    """Of a training or a video under way, as `replace_at_once` wrote it."""
    try:
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return saved
    except Exception as error:
        if is_machine_fault(error):
            raise  # whoever removes the file may lose days of training
        raise InputError(f"{path}: this saved state is damaged ({one_line(error)}); remove the file to begin anew") from None


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
