"""The terms of the objective that need no discriminator, unweighted; the reference's weight of each is noted.

Frames lie in the batch axis. `confidence` is 1 where the optical flow from disk can be trusted and 0 where not, or where there is no
frame before. Means are over all elements, so that the mean over processes equals one process.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from models.warp import warp

Scalar = Float[Tensor, ""]
Image = Float[Tensor, "b 3 h w"]
Flow = Float[Tensor, "b 2 h w"]
Share = Float[Tensor, "b 1 h w"]

PERCEPTUAL_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
PERCEPTUAL_MAX_WIDTH = 1024


def masked_l1(x: Float[Tensor, "b c h w"], target: Float[Tensor, "b c h w"], confidence: Share) -> Scalar:
    return ((x - target).abs() * confidence).mean()


def optical_flow_term(predicted: Flow, reference: Flow, confidence: Share, *, scales: int) -> Scalar:
    """|w~ - w| in L_W; weight 10. The flow's pixels double at each of the generator's `scales`, which is divided out."""
    return masked_l1(predicted, reference, confidence) * 0.5 ** (scales - 1)


def flow_warp_term(real: Image, real_previous: Image, predicted: Flow, confidence: Share) -> Scalar:
    """The other half of L_W; weight 10: the real previous frame, moved by the predicted flow, gives the real frame."""
    return masked_l1(warp(real_previous, predicted), real, confidence)


def temporal_warp_term(fake: Image, fake_previous: Image, reference: Flow, confidence: Share) -> Scalar:
    """Weight 10; in the reference, not in the paper: a frame is like the one before, moved by the true flow."""
    return masked_l1(fake, warp(fake_previous, reference).detach(), confidence)


def mask_term(mask: Share, confidence: Share) -> Scalar:
    """Weight 1, in the reference only for a model that starts from nothing: what can be warped is not drawn."""
    return (mask * confidence).mean()


def warping_terms(
    *, real: Image, real_previous: Image, predicted: Flow, reference: Flow, mask: Share, confidence: Share, scales: int
) -> dict[str, Scalar]:
    """L_W and the mask's term: for a generator that warps."""
    return {
        "optical_flow": optical_flow_term(predicted, reference, confidence, scales=scales),
        "flow_warp": flow_warp_term(real, real_previous, predicted, confidence),
        "mask": mask_term(mask, confidence),
    }


def reconstruction_term(fakes: Sequence[Image], real: Image) -> Scalar:
    """L1 of colours, summed over `fakes`. Neither in the paper nor in the reference: without VGG nothing else there knows colours, since
    the discriminators' features are normalised."""
    return torch.stack([F.l1_loss(fake, real) for fake in fakes]).sum()


def perceptual_term(vgg: Callable[[Image], Sequence[Float[Tensor, "b _ _ _"]]], fakes: Sequence[Image], real: Image) -> Scalar:
    """Weight 10. `vgg` gives five layers (`models.vgg`) of frames in [-1, 1], as in the reference; summed over `fakes`."""
    with torch.no_grad():
        targets = vgg(_at_most(real, PERCEPTUAL_MAX_WIDTH))
    return torch.stack([_layers_l1(vgg(_at_most(fake, PERCEPTUAL_MAX_WIDTH)), targets) for fake in fakes]).sum()


def _layers_l1(layers: Sequence[Tensor], targets: Sequence[Tensor]) -> Scalar:
    weighted = zip(PERCEPTUAL_WEIGHTS, layers, targets, strict=True)
    return torch.stack([weight * F.l1_loss(layer.float(), target.float()) for weight, layer, target in weighted]).sum()


def _at_most(image: Image, width: int) -> Float[Tensor, "b 3 _ _"]:
    while image.shape[-1] > width:
        image = F.avg_pool2d(image, 2)
    return image


def total(terms: Mapping[str, Scalar], weights: Mapping[str, float]) -> Scalar:
    """Weighted sum. What stands behind a slash in a term's name (a stride) has no weight of its own; every other part needs one."""
    missing = {name.split("/")[0] for name in terms} - weights.keys()
    if missing:
        raise ValueError(f"no weight for the loss terms {sorted(missing)}; there are weights for {sorted(weights)}")
    return torch.stack([term * weights[name.split("/")[0]] for name, term in terms.items()]).sum()
