"""What the name map refuses; what it maps is tested with each network, by equal outputs."""

import pytest
import torch

from models.nvidia_checkpoint import discriminator_weights, generator_weights


@pytest.mark.parametrize("rename", [generator_weights, discriminator_weights])
def test_weights_of_another_network_are_refused_by_name(rename):
    with pytest.raises(ValueError, match=r"resnet\.0\.weight"):
        rename({"resnet.0.weight": torch.zeros(1)})


def test_statistics_of_a_norm_without_weights_are_left_out_and_others_kept():
    norm = {f"model_final_img.1.{name}": torch.zeros(1) for name in ("running_mean", "running_var", "num_batches_tracked")}
    assert generator_weights(norm) == {}
    assert len(generator_weights({**norm, "model_final_img.1.weight": torch.ones(1)})) == 4
