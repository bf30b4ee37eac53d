"""One scale of the generator, against the reference's numbers and against closed forms."""

import pytest
import torch

from models import blend
from models.generator import FLOW_PIXELS, Features, Generator, binary, build_generator
from models.nvidia_checkpoint import generator_weights
from models.warp import warp

COARSE = ["coarse_2down_foreground", "coarse_3down_foreground", "coarse_no_foreground", "coarse_no_flow", "coarse_instance_norm"]
FINE = ["fine_scale1_foreground", "fine_scale1_no_foreground", "fine_scale1_half_foreground_soft_mask"]


def reference_generator(file, mode: str) -> Generator:
    about = file.about
    generator = build_generator(
        scale=about["scale"],
        map_channels=about["maps_channels"] // 3,
        past_frames=about["previous_channels"] // 3,
        width=about["width"],
        downsamplings=about["downsamplings"],
        blocks=about["blocks"],
        foreground=about["foreground"],
        warping=about["flow"],
        norm=about["norm"],
    )
    generator.load_state_dict(generator_weights(file.under("weights")), strict=True)
    return generator.train(mode == "train")


def outputs(generator: Generator, inputs: dict) -> dict:
    coarser = None
    if "coarse_image_features" in inputs:
        branches = [inputs.get(f"coarse_{branch}_features") for branch in ("image", "flow", "foreground")]
        coarser = Features(*branches)
    previous = inputs["previous"][:, -3:]
    with torch.no_grad():
        frame, features = generator(
            inputs["maps"], inputs["previous"], foreground_mask=inputs.get("mask"), previous=previous, coarser=coarser
        )
    numbered = [frame.image, frame.optical_flow, frame.mask, frame.raw, features.image, features.motion, features.foreground]
    return {str(number): x for number, x in enumerate(numbered)}


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("name", COARSE + FINE)
def test_outputs_have_parity_with_the_reference(parity, relative_error, name, mode):
    file = parity(name)
    if mode == "eval" and file.about["norm"] == "instance":
        pytest.skip("the reference's instance norm uses running statistics in eval mode; ours has none")
    ours = outputs(reference_generator(file, mode), file.under("input"))
    errors = {number: relative_error(ours[number], reference) for number, reference in file.under(mode).items()}
    print(name, mode, f"{max(errors.values()):.1e}")
    assert max(errors.values()) < 1e-4, errors


def tiny(**changes) -> Generator:
    parts = {"scale": 0, "map_channels": 2, "past_frames": 2, "width": 4, "downsamplings": 2, "blocks": 2, "foreground": True}
    return build_generator(**{**parts, "warping": True, **changes})


def tiny_inputs(*, foreground: float) -> dict:
    return {
        "maps": torch.randn(1, 6, 16, 16),
        "past": torch.randn(1, 6, 16, 16),
        "previous": torch.rand(1, 3, 16, 16),
        "foreground_mask": torch.full((1, 1, 16, 16), foreground),
    }


@pytest.mark.parametrize(
    ("scale", "downsamplings", "width", "millions"),
    [(0, 3, 128, 411.3), (0, 2, 128, 137.8), (1, 3, 64, 2.88), (1, 2, 64, 3.83), (2, 3, 32, 0.86), (2, 2, 32, 1.14)],
)
def test_the_street_generators_have_the_reference_s_number_of_parameters(scale, downsamplings, width, millions):
    with torch.device("meta"):
        generator = build_generator(
            scale=scale,
            map_channels=36,
            past_frames=2,
            width=width,
            downsamplings=downsamplings,
            blocks=9 if scale == 0 else 3,
            foreground=True,
            warping=True,
            norm="batch",
        )
    counted = sum(parameter.numel() for parameter in generator.parameters()) / 1e6
    assert counted == pytest.approx(millions, abs=0.06 if scale == 0 else 0.006)


@pytest.mark.parametrize("map_channels", [15, 6])
def test_the_face_and_pose_generators_have_the_reference_s_number_of_parameters(map_channels):
    with torch.device("meta"):
        generator = tiny(map_channels=map_channels, width=64, downsamplings=3, blocks=9, foreground=False, norm="batch")
    counted = sum(parameter.numel() for parameter in generator.parameters()) / 1e6
    assert counted == pytest.approx({15: 91.4, 6: 91.3}[map_channels], abs=0.06)


def test_with_nothing_before_it_a_frame_is_drawn_whole():
    frame, features = tiny()(**{**tiny_inputs(foreground=0.0), "previous": None})
    assert torch.equal(frame.image, frame.raw)
    assert torch.equal(frame.mask, torch.ones(1, 1, 16, 16)) and not frame.optical_flow.any()
    assert features.motion is None


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (-2, 1), (0, -4)])
@pytest.mark.parametrize("scale", [0, 1])
def test_a_flow_of_whole_pixels_at_mask_0_shifts_the_previous_frame(scale, dx, dy):
    generator = tiny(foreground=False, scale=scale)
    move(generator, dx, dy, mask=0)
    inputs = {**tiny_inputs(foreground=0.0), "foreground_mask": None}
    frame, _ = generator(**inputs)
    rows, columns = (slice(max(0, -d), 16 - max(0, d)) for d in (dy, dx))  # whose origin lies within the previous frame
    moved = torch.roll(inputs["previous"], (-dy, -dx), (2, 3))
    torch.testing.assert_close(frame.image[..., rows, columns], moved[..., rows, columns])
    assert not torch.allclose(frame.raw[..., rows, columns], moved[..., rows, columns])


@pytest.mark.parametrize("foreground", [True, False])
def test_at_mask_1_the_frame_is_what_was_drawn_however_it_moves(foreground):
    generator, inputs = tiny(foreground=foreground), tiny_inputs(foreground=0.5)
    move(generator, 3, -2, mask=1)
    frame, _ = generator(**{**inputs, "foreground_mask": inputs["foreground_mask"] if foreground else None})
    torch.testing.assert_close(frame.image, frame.raw)


def move(generator: Generator, dx: float, dy: float, *, mask: int) -> None:
    """The motion branch says the same everywhere, whatever it sees."""
    (_, flow), (_, share, _) = generator.motion.flow_head, generator.motion.mask_head
    for layer in (flow, share):
        torch.nn.init.zeros_(layer.weight)
    flow.bias.data = torch.tensor([float(dx), float(dy)]) / generator.motion.pixels
    share.bias.data = torch.tensor([200.0 if mask else -200.0])


def test_a_finer_scale_counts_flow_in_its_own_pixels():
    assert [tiny(scale=scale).motion.pixels for scale in (0, 1, 2)] == [FLOW_PIXELS, 2 * FLOW_PIXELS, 4 * FLOW_PIXELS]


@pytest.mark.parametrize("blended", ["foreground_last", "paper"])
def test_the_foreground_head_changes_pixels_of_the_foreground_alone(blended):
    generator, inputs = tiny(blend=blended), tiny_inputs(foreground=0.0)
    inputs["foreground_mask"][..., 4:9, 2:11] = 1
    before, _ = generator(**inputs)
    torch.nn.init.normal_(generator.foreground.head[1].weight)
    after, _ = generator(**inputs)
    for part in ("image", "raw"):
        changed = (getattr(before, part) != getattr(after, part)).any(dim=1, keepdim=True)
        assert torch.equal(changed, inputs["foreground_mask"] > 0)


def test_the_past_changes_the_background_and_leaves_the_drawn_foreground_as_it_is():
    generator, inputs = tiny(), tiny_inputs(foreground=0.0)
    inputs["foreground_mask"][..., 4:9, 2:11] = 1
    other = {**inputs, "past": torch.randn(1, 6, 16, 16), "previous": torch.rand(1, 3, 16, 16)}
    (ours, features), (theirs, other_features) = generator(**inputs), generator(**other)
    assert torch.equal(features.foreground, other_features.foreground)
    changed = (ours.image != theirs.image).any(dim=1, keepdim=True)
    assert torch.equal(changed, inputs["foreground_mask"] == 0)


def test_a_binary_mask_is_0_or_1_and_has_the_soft_one_s_gradient():
    logits = torch.tensor([-3.0, -0.1, 0.2, 40.0], dtype=torch.float64).view(1, 1, 2, 2).requires_grad_()
    factors = torch.tensor([5.0, -2.0, 3.0, 7.0], dtype=torch.float64).view(1, 1, 2, 2)
    mask = binary(logits.sigmoid())
    assert mask.flatten().tolist() == [0, 0, 1, 1]
    (gradient,) = torch.autograd.grad((factors * mask).sum(), logits)
    share = logits.sigmoid()
    torch.testing.assert_close(gradient, factors * share * (1 - share))


def test_with_a_binary_mask_each_pixel_is_drawn_or_warped():
    soft, hard = tiny(foreground=False), tiny(foreground=False, mask="binary")
    torch.nn.init.normal_(soft.motion.mask_head[1].weight)
    hard.load_state_dict(soft.state_dict())
    inputs = {**tiny_inputs(foreground=0.0), "foreground_mask": None}
    (mixed, _), (either, _) = soft(**inputs), hard(**inputs)
    drawn = mixed.mask > 0.5
    assert 0 < drawn.sum() < drawn.numel() and torch.equal(either.mask, drawn.float())
    assert torch.equal(either.image, torch.where(drawn, either.raw, warp(inputs["previous"], either.optical_flow)))
    either.image.sum().backward()
    assert hard.motion.mask_head[1].weight.grad.any()


def test_where_all_is_foreground_neither_past_nor_background_matters():
    generator, inputs = tiny(), tiny_inputs(foreground=1.0)
    other = {**inputs, "past": torch.randn(1, 6, 16, 16), "previous": torch.rand(1, 3, 16, 16)}
    torch.testing.assert_close(generator(**inputs)[0].image, generator(**other)[0].image)


def test_where_nothing_is_foreground_its_branch_gets_no_gradient():
    generator = tiny()
    generator(**tiny_inputs(foreground=0.0))[0].image.sum().backward()
    assert all(not p.grad.any() for p in generator.foreground.parameters())
    assert generator.motion.flow_head[1].weight.grad.any()


@pytest.mark.parametrize("blended", [blend.foreground_last, blend.paper])
def test_the_blend_draws_at_mask_1_and_warps_at_mask_0(blended):
    warped, background, foreground = torch.rand(3, 2, 3, 4, 4)
    everywhere = torch.ones(2, 1, 4, 4)
    no_foreground = {"warped": warped, "background": background, "foreground": None, "foreground_mask": None}
    torch.testing.assert_close(blended(mask=everywhere, **no_foreground), background)
    torch.testing.assert_close(blended(mask=0 * everywhere, **no_foreground), warped)
    all_foreground = {**no_foreground, "foreground": foreground, "foreground_mask": everywhere}
    torch.testing.assert_close(blended(mask=everywhere, **all_foreground), foreground)


def test_only_the_paper_s_blend_warps_the_foreground():
    warped, background, foreground = torch.rand(3, 2, 3, 4, 4)
    everywhere = torch.ones(2, 1, 4, 4)
    images = {"warped": warped, "background": background, "foreground": foreground, "foreground_mask": everywhere}
    torch.testing.assert_close(blend.paper(mask=0 * everywhere, **images), warped)
    torch.testing.assert_close(blend.foreground_last(mask=0 * everywhere, **images), foreground)


def test_channels_last_inputs_stay_channels_last():
    generator = tiny(foreground=False).to(memory_format=torch.channels_last)
    inputs = {name: x.to(memory_format=torch.channels_last) for name, x in tiny_inputs(foreground=0.0).items()}
    _, features = generator(**{**inputs, "foreground_mask": None})
    assert features.image.is_contiguous(memory_format=torch.channels_last)
    assert features.motion.is_contiguous(memory_format=torch.channels_last)


def test_weights_start_small_and_biases_at_zero():
    generator = tiny(width=32, norm="batch")
    assert generator.decoder[0].layers[1].weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert generator.decoder[0].layers[2].weight.mean().item() == pytest.approx(1.0, abs=0.02)
    assert not any(p.any() for name, p in generator.named_parameters() if name.endswith("bias"))


def test_autocast_gives_float32_frames():
    inputs = tiny_inputs(foreground=0.5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        frame, features = tiny()(**inputs)
    assert {x.dtype for x in vars(frame).values()} == {torch.float32}
    assert features.image.dtype == torch.bfloat16
