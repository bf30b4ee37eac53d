"""What learns, built from params.yaml: vid2vid, the same generator without the past, pix2pixHD. Equal in every process."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.discriminator import Discriminator
from models.frame_by_frame import FrameByFrame
from models.vgg import VggFeatures
from models.video_generator import VideoGenerator
from pipeline import params
from pipeline.checkpoint import load_generator_weights, load_weights, save_generator, save_image_generator
from pipeline.devices import Devices
from pipeline.errors import InputError
from pipeline.learner import Learner
from pipeline.maps import MapKind
from pipeline.objective import FACE, IMAGE, Kind, Networks
from pipeline.weights import path_of

VIDEO_CHANNELS = 3 * 3 + 2 * 2
"""Three frames and the two optical flows between them."""


def vid2vid(p: params.Train, maps: MapKind, devices: Devices) -> Learner:
    return _video_learner(p, maps, devices, each_alone=False)


def per_frame(p: params.Train, maps: MapKind, devices: Devices) -> Learner:
    """There is nothing to warp or blend: no motion branch, no video discriminator, one fake image a frame instead of two."""
    return _video_learner(p, maps, devices, each_alone=True)


def pix2pix_hd(p: params.Train, generator: params.ImageGenerator, maps: MapKind, devices: Devices) -> Learner:
    torch.manual_seed(p.seed)
    arguments = {**generator.model_dump(), "map_channels": maps.channels, "norm": p.generator.norm}
    made = FrameByFrame(**arguments, checkpointing=p.checkpointing)
    saving = partial(_save_image_generator, arguments, maps)
    kind = replace(_image_kind(1, p), past_frames=0, foreground=False, face=None)
    return _learner(made, kind, p, maps, devices, saving)


def _video_learner(p: params.Train, maps: MapKind, devices: Devices, *, each_alone: bool) -> Learner:
    if p.generator.foreground and not (maps.palette and maps.palette.foreground):
        lacking = f"palette {maps.palette.name} marks no class as foreground" if maps.palette else "there are no label maps"
        raise InputError(f"train.generator.foreground is true, but {lacking}")
    if p.face_discriminator and not maps.pose:
        raise InputError("train.face_discriminator is given, but the maps have no poses, which say where faces are: it must be null")
    arguments = {**p.generator.model_dump(), "map_channels": maps.channels, "skips_empty_past": True, "each_alone": each_alone}
    arguments |= {"warping": False} if each_alone else {}
    kind = _image_kind(p.generator.scales, p) if each_alone else _video_kind(p)
    torch.manual_seed(p.seed)
    generator = VideoGenerator(**arguments, checkpointing=p.checkpointing)
    if p.initial_weights:
        load_generator_weights(generator, path_of(p.initial_weights, "train.initial_weights"), "train.initial_weights")
    return _learner(generator, kind, p, maps, devices, partial(_save_generator, arguments, maps))


def _learner(
    generator: nn.Module, kind: Kind, p: params.Train, maps: MapKind, devices: Devices, saving: Callable[[Path, nn.Module], None]
) -> Learner:
    networks = Networks(generator, _discriminators(kind, p, maps), _vgg(p))
    for network in (*networks.trained().values(), networks.vgg):
        if network is not None:
            network.to(devices.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if p.compile:
        _compile(networks)
    optimizers = {name: torch.optim.Adam(n.parameters(), betas=(0.5, 0.999), fused=True) for name, n in networks.trained().items()}
    averaging = get_ema_multi_avg_fn(p.ema_decay)  # type: ignore[no-untyped-call]
    mean = AveragedModel(generator, multi_avg_fn=averaging) if p.ema_decay else None
    return Learner(networks, optimizers, GradScaler(devices.device.type, enabled=p.precision == "float16"), mean, kind, maps, saving)


def _compile(networks: Networks) -> None:
    """But for the discriminator of faces, which sees another number of them in each step."""
    from torch._dynamo import config as dynamo  # a second; seldom needed
    from torch._functorch import config as functorch

    functorch.donated_buffer = False  # gradients pass a discriminator twice, for either side
    dynamo.recompile_limit = 64  # for a function, which all scales of all discriminators share, in several variants each
    for name, network in (*networks.trained().items(), ("vgg", networks.vgg)):
        if network is not None and name != FACE:
            network.compile()


def _discriminators(kind: Kind, p: params.Train, maps: MapKind) -> dict[str, Discriminator]:
    shared: dict[str, Any] = {"norm": p.generator.norm, "checkpointing": p.checkpointing}
    image, video = p.image_discriminator.model_dump(), p.video_discriminator.model_dump(exclude={"strides"})
    of_videos = {f"video/{stride}": Discriminator(channels=VIDEO_CHANNELS, **shared, **video) for stride in kind.strides}
    others = {IMAGE: Discriminator(channels=maps.channels + 3, **shared, **image), **of_videos}
    if kind.face is None:
        return others
    face = kind.face.model_dump(exclude={"side"})  # made last: the others begin as they do without it
    return {**others, FACE: Discriminator(channels=maps.channels + 3, **shared, **face)}


def _video_kind(p: params.Train) -> Kind:
    return Kind(
        scales=p.generator.scales,
        past_frames=p.generator.past_frames,
        foreground=p.generator.foreground,
        warps=p.generator.warping,
        recurrent=True,
        gradient_frames=p.gradient_frames,
        strides=p.video_discriminator.strides,
        face=p.face_discriminator,
    )


def _image_kind(scales: int, p: params.Train) -> Kind:
    """Of what makes every frame without the past."""
    video = _video_kind(p)
    return replace(video, scales=scales, warps=False, recurrent=False, strides=[])


def _save_generator(arguments: dict[str, Any], maps: MapKind, folder: Path, generator: nn.Module) -> None:
    assert isinstance(generator, VideoGenerator)
    save_generator(folder, generator, arguments, maps)


def _save_image_generator(arguments: dict[str, Any], maps: MapKind, folder: Path, generator: nn.Module) -> None:
    assert isinstance(generator, FrameByFrame)
    save_image_generator(folder, generator, arguments, maps)


def _vgg(p: params.Train) -> VggFeatures | None:
    if p.weights.perceptual == 0:
        return None
    if p.vgg_weights is None:
        raise InputError("train.weights.perceptual is not 0, but train.vgg_weights names no file")
    import torchvision  # seconds; seldom needed

    network = torchvision.models.vgg19(weights=None)
    load_weights(network, path_of(p.vgg_weights, "train.vgg_weights"), "train.vgg_weights")
    return VggFeatures(network.features, imagenet_norm=p.vgg_imagenet_norm, checkpointing=p.checkpointing)
