"""The recurrent generator, against the reference's numbers and its own promises."""

import pytest
import torch

from models.maps import foreground_mask, label_maps
from models.nvidia_checkpoint import video_generator_weights
from models.video_generator import Generated, State, VideoGenerator

PARTS = ("image", "raw", "optical_flow", "mask")


def tiny(**changes) -> VideoGenerator:
    parts = {"map_channels": 3, "width": 8, "downsamplings": 2, "blocks": 2, "fine_blocks": 1, "scales": 2, "past_frames": 2}
    return VideoGenerator(**{**parts, "foreground": True, "warping": True, **changes})


def tiny_inputs(*, num_frames: int, height: int = 24, width: int = 32, batch: int = 2) -> tuple:
    maps = torch.rand(batch, 2 + num_frames, 3, height, width)
    return maps, maps[:, :, :1], torch.rand(batch, 2, 3, height, width) * 2 - 1


def assert_same_video(a: Generated, b: Generated) -> None:
    for part in PARTS:
        torch.testing.assert_close(getattr(a, part), getattr(b, part), msg=lambda m, part=part: f"{part}: {m}")


def reference_generator(file) -> VideoGenerator:
    about = file.about
    generator = VideoGenerator(
        map_channels=5,
        width=about["width"],
        downsamplings=about["downsamplings"],
        blocks=about["blocks"],
        fine_blocks=about["local_blocks"],
        scales=2,
        past_frames=2,
        foreground=True,
        warping=True,
        norm=about["norm"],
    )
    published = [file.under("weights.G0"), file.under("weights.G1")]
    generator.load_state_dict(video_generator_weights(published), strict=True)
    return generator


def reference_chunk(file, chunk: str) -> Generated:
    """The first begins with real frames, the second with what the first one left there."""
    inputs = file.under("input")
    carried = State(tuple(file.tensors[f"chunk0.carried_scale{scale}"][:, :2] for scale in (0, 1)))
    maps = reference_maps(file, chunk)
    with torch.no_grad():
        return reference_generator(file)(maps, foreground_mask(maps, [2]), carried if chunk == "chunk1" else inputs["real"][:, :2])


def reference_maps(file, chunk: str) -> torch.Tensor:
    label, instance = (file.under("input")[f"{chunk}.{kind}"][:, :, 0] for kind in ("labels", "instances"))
    return label_maps(label.byte(), instance.int(), num_labels=4)


@pytest.mark.parametrize("chunk", ["chunk0", "chunk1"])
def test_the_sequence_s_maps_are_the_reference_s(parity, chunk):
    file = parity("sequence")
    assert torch.equal(reference_maps(file, chunk)[:, 2:], file.tensors[f"{chunk}.maps_seen"])


@pytest.mark.parametrize("chunk", ["chunk0", "chunk1"])
def test_a_chunk_over_two_scales_has_parity_with_the_reference(parity, relative_error, chunk):
    file = parity("sequence")
    video, reference = reference_chunk(file, chunk), file.under(chunk)
    errors = torch.zeros(5)
    for ours, theirs in {"image": "fake", "raw": "fake_raw", "optical_flow": "flow", "mask": "mask"}.items():
        by_frame = zip(getattr(video, ours).unbind(1), reference[theirs].unbind(1), strict=True)
        errors = errors.maximum(torch.tensor([relative_error(a, b) for a, b in by_frame]))
    assert errors.max() < 1e-4, errors  # random weights amplify rounding up to tenfold a frame: a CPU without AVX may exceed this


@pytest.mark.parametrize("chunk", ["chunk0", "chunk1"])
def test_what_is_carried_to_the_next_chunk_has_parity_with_the_reference(parity, relative_error, chunk):
    file = parity("sequence")
    past = reference_chunk(file, chunk).state.past
    errors = [relative_error(ours, file.tensors[f"{chunk}.carried_scale{scale}"][:, :2]) for scale, ours in enumerate(past)]
    assert max(errors) < 1e-4, errors


@pytest.mark.parametrize("scales", [1, 2, 3])
def test_there_is_one_frame_for_each_map_at_any_number_of_scales(scales):
    maps, foreground, _ = tiny_inputs(num_frames=3)
    video = tiny(scales=scales)(maps, foreground, None)
    assert [tuple(getattr(video, part).shape) for part in PARTS] == [(2, 3, c, 24, 32) for c in (3, 3, 2, 1)]


def test_from_nothing_the_first_frame_is_drawn_whole_and_the_second_is_not():
    maps, foreground, _ = tiny_inputs(num_frames=2)
    video = tiny()(maps, foreground, None)
    assert torch.equal(video.image[:, 0], video.raw[:, 0]) and (video.mask[:, 0] == 1).all()
    assert not torch.equal(video.image[:, 1], video.raw[:, 1]) and (video.mask[:, 1] < 1).all()


def test_with_a_binary_mask_every_pixel_of_every_scale_is_drawn_or_warped():
    generator = tiny(mask="binary")
    for scale in generator.scales:
        torch.nn.init.normal_(scale.motion.mask_head[1].weight)
    maps, foreground, past = tiny_inputs(num_frames=2)
    for scales in (1, 2):
        assert generator(maps, foreground, past, scales=scales).mask.unique().tolist() == [0, 1]


@pytest.mark.parametrize("size", [(24, 32), (19, 27)])
@pytest.mark.parametrize("from_nothing", [True, False])
def test_streaming_equals_forward(size, from_nothing):
    generator = tiny()
    maps, foreground, past = tiny_inputs(num_frames=4, height=size[0], width=size[1])
    past = None if from_nothing else past
    state, frames = generator.start(past), []
    for t in range(4):
        frame, state = generator.step(maps[:, t : t + 3], foreground[:, t + 2], state)
        frames.append(frame)
    video = generator(maps, foreground, past)
    streamed = Generated(*(torch.stack([getattr(frame, part) for frame in frames], 1) for part in PARTS), state)
    assert_same_video(streamed, video)


def test_a_state_continues_a_video():
    generator = tiny()
    maps, foreground, past = tiny_inputs(num_frames=4)
    whole = generator(maps, foreground, past)
    first = generator(maps[:, :4], foreground[:, :4], past)
    second = generator(maps[:, 2:], foreground[:, 2:], first.state)
    torch.testing.assert_close(torch.cat([first.image, second.image], 1), whole.image)


def test_odd_sizes_come_out_as_they_went_in():
    maps, foreground, past = tiny_inputs(num_frames=2, height=17, width=30)
    assert tiny()(maps, foreground, past).image.shape == (2, 2, 3, 17, 30)


def test_frames_too_small_for_the_network_are_refused_by_size():
    maps, foreground, past = tiny_inputs(num_frames=1, height=8)
    with pytest.raises(ValueError, match=r"8 x 32.*more than 8"):
        tiny()(maps, foreground, past)


@pytest.mark.parametrize(("gradient_frames", "reached"), [(1, False), (2, True)])
def test_gradients_reach_the_frame_before_only_if_asked_to(gradient_frames, reached):
    maps = torch.rand(1, 3, 3, 24, 32, requires_grad=True)
    video = tiny(past_frames=1, foreground=False)(maps, None, None, gradient_frames=gradient_frames)
    (gradient,) = torch.autograd.grad(video.image[:, 1].sum(), maps)
    assert bool(gradient[:, 0].any()) == reached  # frame 0 is the only one that sees map 0


def test_past_frames_given_by_the_caller_get_no_gradient():
    maps, foreground, past = tiny_inputs(num_frames=1)
    video = tiny()(maps, foreground, past.requires_grad_())
    video.image.sum().backward()
    assert past.grad is None


def test_with_only_the_finest_scale_coarser_ones_get_no_gradient_and_the_video_is_the_same():
    generator = tiny()
    maps, foreground, past = tiny_inputs(num_frames=2)
    video = generator(maps, foreground, past, only_finest=True)
    video.image.sum().backward()
    assert all(p.grad is None for p in generator.scales[0].parameters())
    assert generator.scales[1].head[1].weight.grad is not None
    assert_same_video(video, generator(maps, foreground, past))


def test_each_alone_equals_a_video_of_one_frame_from_nothing():
    generator, each_alone = tiny(warping=False), tiny(warping=False, each_alone=True)
    each_alone.load_state_dict(generator.state_dict())
    maps, foreground, past = tiny_inputs(num_frames=3)
    alone = each_alone(maps, foreground, past)
    for t in range(2, 5):
        single = generator(maps[:, [t] * 3], foreground[:, [t] * 3], None)
        torch.testing.assert_close(alone.image[:, t - 2], single.image[:, 0])


def test_with_fewer_scales_it_is_the_coarser_generator_on_smaller_frames():
    both, coarse = tiny(scales=2), tiny(scales=1)
    coarse.load_state_dict(both.state_dict(), strict=False)
    maps, foreground, past = tiny_inputs(num_frames=2, height=12, width=16)
    assert_same_video(both(maps, foreground, past, scales=1), coarse(maps, foreground, past))


def test_without_warping_every_frame_is_drawn_whole_but_still_sees_the_past():
    generator = tiny(warping=False, foreground=False)
    maps, _, past = tiny_inputs(num_frames=2)
    video = generator(maps, None, past)
    assert torch.equal(video.image, video.raw)
    assert not torch.equal(video.image, generator(maps, None, -past).image)


def test_a_finer_scale_keeps_the_coarser_weights_names():
    coarse, both = tiny(scales=1), tiny(scales=2)
    missing, unexpected = both.load_state_dict(coarse.state_dict(), strict=False)
    assert not unexpected and all(name.startswith("scales.1.") for name in missing)


def test_a_generator_with_a_foreground_needs_to_be_told_where_it_is():
    maps, _, past = tiny_inputs(num_frames=1)
    with pytest.raises(ValueError, match="foreground"):
        tiny()(maps, None, past)


@pytest.mark.parametrize("scales", [1, 2])
@pytest.mark.parametrize("skips", [True, False])
def test_from_nothing_the_encoders_of_the_past_have_a_part_only_where_that_is_asked_for(skips, scales):
    """An instance norm makes noise of the constant features that they have of zeros; published weights know it."""
    generator = tiny(skips_empty_past=skips, scales=scales)
    maps, foreground, _ = tiny_inputs(num_frames=1)
    before = generator(maps, foreground, None).image
    for scale in generator.scales:
        for parameter in scale.past_encoder.parameters():
            torch.nn.init.normal_(parameter)
    assert torch.equal(generator(maps, foreground, None).image, before) == skips
