"""The names of layers in NVIDIA's published checkpoints (vid2vid, pix2pixHD) -> the names here.

Each function takes one network's weights, as loaded from its file, and returns what `load_state_dict` takes, strictly.
"""

import re

from torch import Tensor

Weights = dict[str, Tensor]

GENERATOR_PARTS = {
    "model_down_seg": "maps_encoder",
    "model_down_img": "past_encoder",
    "model_res_img": "decoder",
    "model_up_img": "decoder",
    "model_final_img": "head",
    "model_res_flow": "motion.decoder",
    "model_up_flow": "motion.decoder",
    "model_final_flow": "motion.flow_head",
    "model_final_w": "motion.mask_head",
    "indv_down": "foreground.encoder",
    "indv_res": "foreground.encoder",
    "indv_up": "foreground.decoder",
    "indv_final": "foreground.head",
}

CONTINUES = {"model_up_img": "model_res_img", "model_up_flow": "model_res_flow", "indv_res": "indv_down"}
"""Parts that here are the tail of one sequence, whose head has its own name there."""


def generator_weights(published: Weights) -> Weights:
    """One scale of vid2vid's generator, coarse or fine: `latest_net_G0.pth`, `latest_net_G1.pth`, ..."""
    return _renamed(published, GENERATOR_PARTS, CONTINUES)


def video_generator_weights(published: list[Weights]) -> Weights:
    """All scales of vid2vid's generator, coarsest first: the weights of a `VideoGenerator`."""
    scales = [generator_weights(scale) for scale in published]
    return {f"scales.{index}.{name}": tensor for index, scale in enumerate(scales) for name, tensor in scale.items()}


def discriminator_weights(published: Weights) -> Weights:
    """One discriminator, of images or of video. There, scale 0 is the coarsest; here, the finest."""
    finest = max(int(_discriminator_layer(name)["scale"]) for name in published)
    renamed = {}
    for name, tensor in _without_unused_statistics(published).items():
        layer = _discriminator_layer(name)
        renamed[f"scales.{finest - int(layer['scale'])}.layers.{layer['layer']}.{layer['rest']}"] = tensor
    return renamed


def global_image_generator_weights(published: Weights) -> Weights:
    """pix2pixHD's global generator; its feature encoder is named alike."""
    return _renamed(published, {"model": "layers"}, {})


def local_image_generator_weights(published: Weights) -> Weights:
    """pix2pixHD's local enhancer with its global part."""
    return _renamed(published, {"model": "trunk", "model1_1": "stem", "model1_2": "layers"}, {})


def _discriminator_layer(name: str) -> re.Match[str]:
    layer = re.fullmatch(r"scale(?P<scale>\d+)_layer(?P<layer>\d+)\.(?P<rest>.+)", name)
    if layer is None:
        raise ValueError(f"{name!r} is no weight of a vid2vid discriminator; expected names like 'scale0_layer1.0.weight'")
    return layer


def _renamed(published: Weights, parts: dict[str, str], continues: dict[str, str]) -> Weights:
    """`part.3.conv_block.1.weight` -> `ours.(3 + the head's length).layers.1.weight`."""
    renamed = {}
    for name, tensor in _without_unused_statistics(published).items():
        part, index, rest = name.split(".", 2)
        if part not in parts:
            raise ValueError(f"{name!r} is no weight of such a network; expected names that begin with {', '.join(parts)}")
        offset = _length(published, continues[part]) if part in continues else 0
        renamed[f"{parts[part]}.{int(index) + offset}.{rest.replace('conv_block', 'layers')}"] = tensor
    return renamed


def _length(published: Weights, part: str) -> int:
    """How many layers a part has: blocks count 1; a plain convolution brings its norm and ReLU, the first one its padding too."""
    names = [name for name in published if name.startswith(f"{part}.")]
    blocks = {name.split(".")[1] for name in names if "conv_block" in name}
    convolutions = [name for name in names if "conv_block" not in name and published[name].ndim == 4]
    return len(blocks) + 3 * len(convolutions) + (1 if convolutions else 0)


def _without_unused_statistics(published: Weights) -> Weights:
    """Instance norm has no weights, but running statistics, which the released test code never uses: they are left out."""
    unused = re.compile(r"\.(running_mean|running_var|num_batches_tracked)$")
    return {name: tensor for name, tensor in published.items() if not unused.search(name) or unused.sub(".weight", name) in published}
