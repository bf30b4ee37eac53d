"""The face discriminator in a step: which part of which frame it judges, and what that changes."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from models.adversarial import GAN_LOSSES, discriminator_terms, generator_terms
from models.discriminator import Discriminator
from models.discriminator_input import Spot
from models.video_generator import Generated, State
from pipeline import learner, learners, params
from pipeline.batch import Batch, StepInput
from pipeline.devices import Devices
from pipeline.errors import InputError
from pipeline.learner import Learner
from pipeline.maps import MapKind
from pipeline.objective import FACE, cut_off, discriminator_side, generate, generator_side, judge, lead_back
from pipeline.schedule import Step
from tests.pipeline.test_report import TRAINING
from tests.pipeline.test_training import TINY

HEIGHT, WIDTH, FRAMES, SIDE = 32, 48, 2, 8
POSES, DEVICES = MapKind(None, False, 0, 3), Devices("cpu")
AROUND = [Spot(0, x=20, y=15), Spot(1, x=46, y=2), Spot(2, x=3, y=30), Spot(3, x=24, y=16)]
TOP_LEFT = [(11, 16), (0, 40), (24, 0), (12, 20)]
"""Of the squares around them."""
FACES = {"width": 4, "layers": 2, "scales": 1, "side": SIDE / HEIGHT}


def section(**changes: Any) -> params.Train:
    generator = {**TINY["generator"], "foreground": False}
    values = {**TRAINING.model_dump(), **TINY, "generator": generator, "batch_size": 2, "face_discriminator": FACES, **changes}
    return params.Train.model_validate(values)


def step(scales: int = 1) -> Step:
    return Step(1, 1, scales, only_finest=False, learning_rate=0.001, window_frames=FRAMES, sequence_frames=FRAMES)


def given(faces: Sequence[Spot], scales: int = 1, size: tuple[int, int] = (HEIGHT, WIDTH)) -> StepInput:
    """Two videos from nothing, of two frames each."""
    torch.manual_seed(0)
    maps, real = torch.rand(2, 2 + FRAMES, 3, *size), 2 * torch.rand(2, FRAMES, 3, *size) - 1
    moved, sure = torch.zeros(2, FRAMES, 2, *size), torch.ones(2, FRAMES, 1, *size)
    return StepInput(step(scales), Batch(maps, None, real[:, :0], real, moved, sure, {}, faces), None)


def made(size: tuple[int, int] = (HEIGHT, WIDTH)) -> Generated:
    torch.manual_seed(1)
    image, raw = (2 * torch.rand(2, FRAMES, 3, *size) - 1 for _ in range(2))
    return cut_off(Generated(image, raw, torch.zeros(2, FRAMES, 2, *size), torch.ones(2, FRAMES, 1, *size), State(None)))


def face_terms(learning: Learner, shown: StepInput, seen: Generated) -> dict[str, Tensor]:
    judged = judge(learning.networks, learning.kind, shown, seen)
    of_generator = generator_side(learning.networks, learning.kind, shown, seen, judged, "lsgan")
    return {name: term for name, term in {**of_generator, **discriminator_side(judged, "lsgan")}.items() if name.startswith("face_")}


def values(terms: dict[str, Tensor]) -> dict[str, float]:
    return {name: term.item() for name, term in terms.items()}


@pytest.fixture(scope="module")
def learning() -> Learner:
    return learners.vid2vid(section(), POSES, DEVICES)


@pytest.mark.parametrize("shown", [range(4), [2], [0, 3]], ids=["all frames", "one", "half"])
def test_terms_are_those_of_squares_cut_by_hand_and_a_frame_without_a_face_counts_0(learning, shown):
    one, seen = given([AROUND[n] for n in shown]), made()
    discriminator = learning.networks.discriminators[FACE]
    assert isinstance(discriminator, Discriminator) and len(discriminator.scales) == 1

    def cut(frames: Tensor) -> Tensor:
        pictures = torch.cat([one.batch.maps[:, 2:], frames], dim=2).flatten(0, 1)
        return torch.stack([pictures[n, :, top : top + SIDE, left : left + SIDE] for n in shown for top, left in [TOP_LEFT[n]]])

    fakes, real = [discriminator(cut(frames)) for frames in (seen.image, seen.raw)], discriminator(cut(one.batch.real))
    lsgan = GAN_LOSSES["lsgan"]
    by_hand = {**generator_terms(fakes, real, lsgan), **discriminator_terms(fakes, real, lsgan)}
    expected = {f"face_{name}": term.item() * len(shown) / 4 for name, term in by_hand.items()}
    assert values(face_terms(learning, one, seen)) == pytest.approx(expected, rel=1e-5)


def test_gradients_are_0_outside_the_squares_and_nowhere_else(learning):
    """Of every frame's image, and its raw one."""
    seen = made()
    terms = face_terms(learning, given(AROUND[1:]), seen)
    gradients = torch.autograd.grad(terms["face_gan"] + terms["face_feature_matching"], [seen.image, seen.raw])
    inside = torch.zeros(4, HEIGHT, WIDTH, dtype=torch.bool)
    for n, (top, left) in list(enumerate(TOP_LEFT))[1:]:
        inside[n, top : top + SIDE, left : left + SIDE] = True
    for gradient in gradients:
        changed = gradient.flatten(0, 1).ne(0).any(dim=1)
        assert torch.equal(changed, inside)


def test_what_changes_outside_a_square_changes_no_term_and_what_changes_inside_does(learning):
    top, left = TOP_LEFT[0]
    for y, x, within in ((top, left, True), (top + SIDE - 1, left + SIDE - 1, True), (top - 1, left, False), (top, left + SIDE, False)):
        for part, lag, term in (("image", 0, "face_fake"), ("maps", 2, "face_gan"), ("real", 0, "face_real")):
            shown, seen = given(AROUND[:1]), made()
            before = values(face_terms(learning, shown, seen))
            changed = seen.image if part == "image" else getattr(shown.batch, part)
            with torch.no_grad():
                changed[0, lag, :, y, x] += 1
            after = values(face_terms(learning, shown, seen))
            assert (after != before) == within == (after[term] != before[term])


def test_gradients_of_the_face_terms_reach_the_generator(learning):
    shown = given(AROUND)
    generated = generate(learning.networks.generator, learning.kind, shown)
    seen = cut_off(generated)
    loss = lead_back(face_terms(learning, shown, seen)["face_gan"], seen, generated)
    weights = [weight for name, weight in learning.networks.generator.named_parameters() if "head" in name]
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    assert any(gradient is not None and gradient.abs().max() > 0 for gradient in gradients)


def test_a_step_in_which_nobody_shows_a_face_is_a_step_without_the_discriminator_but_for_terms_of_0():
    p, plain = section(), section(face_discriminator=None)
    ours, theirs = (learners.vid2vid(one, POSES, DEVICES) for one in (p, plain))
    stepped, expected = learner.step(ours, given([]), p, DEVICES), learner.step(theirs, given([]), plain, DEVICES)
    assert stepped.problem is None
    of_faces = {name: value for name, value in stepped.terms.items() if name.startswith("face_")}
    assert of_faces == dict.fromkeys(("face_gan", "face_feature_matching", "face_real", "face_fake"), 0.0)
    assert {name: value for name, value in stepped.terms.items() if name not in of_faces} == pytest.approx(expected.terms, rel=1e-6)
    torch.testing.assert_close(ours.networks.generator.state_dict(), theirs.networks.generator.state_dict(), rtol=0, atol=0)
    untouched = learners.vid2vid(p, POSES, DEVICES).networks.discriminators[FACE].state_dict()
    torch.testing.assert_close(ours.networks.discriminators[FACE].state_dict(), untouched, rtol=0, atol=0)
    assert all(weight.grad is not None for weight in ours.networks.discriminators[FACE].parameters())


def test_totals_are_the_weighted_sums_with_the_faces():
    """Of the generator its own two, of the discriminators theirs."""
    p, plain = section(), section(face_discriminator=None)
    with_faces, without = (learner.step(learners.vid2vid(one, POSES, DEVICES), given(AROUND), one, DEVICES).terms for one in (p, plain))
    more = 2 * with_faces["face_gan"] + 20 * with_faces["face_feature_matching"]
    assert with_faces["generator_total"] == pytest.approx(without["generator_total"] + more, rel=1e-5)
    more = with_faces["face_real"] + with_faces["face_fake"]
    assert with_faces["discriminator_total"] == pytest.approx(without["discriminator_total"] + more, rel=1e-5)


def test_in_a_coarse_phase_the_square_is_as_much_smaller_as_the_frames_and_all_scales_see_it():
    """The image discriminator's finest scale sees nothing then."""
    p = section(generator={**TINY["generator"], "foreground": False, "scales": 2}, face_discriminator={**FACES, "scales": 2, "side": 0.5})
    learning, size = learners.vid2vid(p, POSES, DEVICES), (HEIGHT // 2, WIDTH // 2)
    around = [Spot(spot.image, spot.x // 2, spot.y // 2) for spot in AROUND]
    judged = judge(learning.networks, learning.kind, given(around, 1, size), made(size))
    assert [len(judged[name].real) for name in ("image", FACE)] == [1, 2]
    first_layer = judged[FACE].real[0][0]  # a convolution of stride 2, and a pixel of padding more
    assert first_layer.shape[-2:] == (HEIGHT // 4 // 2 + 1, HEIGHT // 4 // 2 + 1)


def test_frames_made_alone_have_it_and_the_image_generator_has_not():
    p = section()
    alone = learners.per_frame(params.TrainPerFrame(enabled=True).of(p), POSES, DEVICES)
    assert set(alone.networks.discriminators) == {"image", FACE}
    image = params.ImageGenerator(width=8, downsamplings=2, blocks=1, local_blocks=0)
    assert set(learners.pix2pix_hd(p, image, POSES, DEVICES).networks.discriminators) == {"image"}


@pytest.mark.parametrize("build", [learners.vid2vid, learners.per_frame])
def test_maps_without_poses_are_refused(build):
    with pytest.raises(InputError, match="train.face_discriminator is given, but the maps have no poses, which say where faces are"):
        build(section(), MapKind(None, False, 1, 0), DEVICES)
