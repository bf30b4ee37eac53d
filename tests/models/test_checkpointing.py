"""What is computed again in the backward pass: same numbers, less memory."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

from models.checkpointing import recomputed
from models.discriminator import Discriminator
from models.frame_by_frame import FrameByFrame
from models.vgg import VggFeatures
from models.video_generator import Generated, VideoGenerator


def video_generator(**changes) -> VideoGenerator:
    torch.manual_seed(1)
    parts = {"map_channels": 3, "width": 8, "downsamplings": 2, "blocks": 2, "fine_blocks": 1, "scales": 2, "past_frames": 2}
    return VideoGenerator(**{**parts, "foreground": True, "warping": True, **changes})


def frame_by_frame(**changes) -> FrameByFrame:
    torch.manual_seed(1)
    return FrameByFrame(**{"map_channels": 3, "width": 8, "downsamplings": 2, "blocks": 2, "local_blocks": 1, **changes})


def video(generator: nn.Module, num_frames: int = 3, **how) -> Generated:
    torch.manual_seed(2)
    maps = torch.rand(2, generator.past_frames + num_frames, 3, 24, 32)
    return generator(maps, maps[:, :, :1] if generator.foreground else None, torch.rand(2, 2, 3, 24, 32), **how)


def loss(video: Generated) -> Tensor:
    return video.image.square().mean() + video.raw.abs().mean() + video.optical_flow.abs().mean() + video.mask.mean()


def gradients(loss: Tensor, network: nn.Module) -> list[Tensor | None]:
    """They are None where there are none."""
    return list(torch.autograd.grad(loss, list(network.parameters()), allow_unused=True))


def same(a: list[Tensor | None], b: list[Tensor | None]) -> bool:
    return all(x is y if x is None or y is None else torch.equal(x, y) for x, y in zip(a, b, strict=True))


def bytes_for_backward(call: Callable[[], Tensor]) -> int:
    """Of all tensors that the graph keeps; each storage counts once."""
    kept = {}

    def keep(x: Tensor) -> Tensor:
        kept[x.untyped_storage().data_ptr()] = x.untyped_storage()
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        call()
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize("how", [{}, {"gradient_frames": 3}, {"only_finest": True}, {"scales": 1}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_video_and_its_gradients_are_the_same_bit_for_bit(how, dtype):
    plain, checkpointed = video_generator(), video_generator(checkpointing=True)
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        videos = [video(generator, **how) for generator in (plain, checkpointed)]
    assert all(torch.equal(getattr(videos[0], part), getattr(videos[1], part)) for part in ("image", "raw", "optical_flow", "mask"))
    assert same(gradients(loss(videos[0]), plain), gradients(loss(videos[1]), checkpointed))


@pytest.mark.parametrize("make", [video_generator, frame_by_frame])
def test_every_frame_alone_has_the_same_gradients_too(make):
    alone = {"each_alone": True, "warping": False} if make is video_generator else {}
    plain, checkpointed = make(**alone), make(checkpointing=True, **alone)
    assert same(gradients(loss(video(plain)), plain), gradients(loss(video(checkpointed)), checkpointed))


def test_a_frame_more_costs_little_more_than_itself():
    def per_frame(generator: nn.Module) -> float:
        short, long = (bytes_for_backward(lambda n=n: loss(video(generator, n))) for n in (2, 6))
        return (long - short) / 4

    assert per_frame(video_generator(checkpointing=True)) < per_frame(video_generator()) / 5


def test_only_one_frame_s_activations_live_at_a_time_in_the_backward_pass():
    """Forward passes are counted while the gradients are taken: each scale of each frame once, the last frame's finest scale first."""
    generator, calls = video_generator(checkpointing=True), []
    made = video(generator, num_frames=2)
    for number, scale in enumerate(generator.scales):
        scale.register_forward_pre_hook(lambda *_, number=number: calls.append(number))
    gradients(loss(made), generator)
    assert calls == [1, 0, 1, 0]


def test_a_discriminator_that_looked_once_serves_both_sides():
    discriminator = Discriminator(channels=3, scales=2, width=4)
    fake = torch.rand(2, 3, 32, 32, requires_grad=True)

    def both_sides(discriminator: Discriminator) -> list[Tensor]:
        score = torch.stack([scale[-1].mean() for scale in discriminator(fake)]).sum()
        to_fake = torch.autograd.grad(score, fake, retain_graph=True)
        return [*to_fake, *gradients(-score, discriminator)]

    again = Discriminator(channels=3, scales=2, width=4, checkpointing=True)
    again.load_state_dict(discriminator.state_dict())
    assert same(both_sides(discriminator), both_sides(again))


def test_vgg_s_features_have_the_same_gradients_and_keep_less():
    features = make_layers(cfgs["E"]).requires_grad_(False)
    frame = torch.rand(1, 3, 32, 32, requires_grad=True)
    plain, again = VggFeatures(features), VggFeatures(features, checkpointing=True)

    def gradient(vgg: VggFeatures) -> Tensor:
        return torch.autograd.grad(torch.stack([layer.square().mean() for layer in vgg(frame)]).sum(), frame)[0]

    assert torch.equal(gradient(plain), gradient(again))
    activations = bytes_for_backward(lambda: plain(frame)[-1].sum()) - sum(p.nbytes for p in plain.parameters())
    assert bytes_for_backward(lambda: again(frame)[-1].sum()) < activations / 2


def test_losses_within_leave_nothing_but_the_input():
    discriminator = Discriminator(channels=3, scales=1, width=4)
    fake = torch.rand(1, 3, 32, 32, requires_grad=True)
    weights = sum(p.nbytes for p in discriminator.parameters())
    assert bytes_for_backward(lambda: recomputed(lambda x: discriminator(x)[0][-1].mean(), fake)) == fake.nbytes
    assert bytes_for_backward(lambda: discriminator(fake)[0][-1].mean()) > weights + fake.nbytes


@pytest.mark.parametrize("make", [video_generator, frame_by_frame])
def test_batch_norm_is_refused(make):
    with pytest.raises(ValueError, match=r"checkpointing goes with norm 'instance'"):
        make(norm="batch", checkpointing=True)


def test_weights_and_their_names_are_those_of_a_generator_without():
    plain, checkpointed = video_generator().state_dict(), video_generator(checkpointing=True).state_dict()
    assert plain.keys() == checkpointed.keys() and all(torch.equal(plain[name], checkpointed[name]) for name in plain)
