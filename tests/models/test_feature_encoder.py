"""The instance encoder, against the reference's numbers and by hand."""

import torch

from models.feature_encoder import FeatureEncoder, instance_means
from models.nvidia_checkpoint import global_image_generator_weights


def test_the_feature_encoder_has_parity_with_the_reference(parity, relative_error):
    file = parity("feature_encoder")
    about = file.about
    encoder = FeatureEncoder(features=about["features"], width=about["width"], downsamplings=about["downsamplings"], norm=about["norm"])
    encoder.load_state_dict(global_image_generator_weights(file.under("weights")), strict=True)
    features = encoder(file.tensors["input.image"], file.tensors["input.instances"][:, 0].int())
    error = relative_error(features, file.tensors["train.0"])
    print("feature_encoder train", error)
    assert error < 1e-4


def test_the_same_id_in_two_images_is_two_instances():
    features = torch.tensor([[[[1.0, 3.0, 5.0]]], [[[2.0, 4.0, 6.0]]]])
    instance = torch.tensor([[[7, 7, 0]], [[7, 0, 0]]])
    assert instance_means(features, instance).flatten().tolist() == [2, 2, 5, 2, 5, 5]
