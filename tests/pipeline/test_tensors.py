import numpy as np
import pytest
import torch

from pipeline import arrays, layout, palettes
from pipeline.maps import ClipMaps, MapFolders, MapKind
from pipeline.tensors import foreground_of, frames_to_tensor, maps_to_picture, maps_to_tensor, optical_flow_to_tensor, tensor_to_frames


def test_frames_go_to_minus_one_and_one_and_back():
    rgb = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    image = frames_to_tensor(rgb)
    assert image.shape == (2, 3, 4, 5)
    assert image[0, 1, 2, 3].item() == pytest.approx(rgb[0, 2, 3, 1] / 127.5 - 1, abs=1e-6)
    np.testing.assert_array_equal(tensor_to_frames(image), rgb)
    assert tensor_to_frames(torch.tensor([-1.5, 0.0, 1.5]).reshape(3, 1, 1)).ravel().tolist() == [0, 128, 255]


def stored(root, **frames):
    """A clip of one frame with these arrays, by modality."""
    names = {"segmentation": "label", "instances": "instance", "edges": "edge", "pose": "iuv"}
    for modality, frame in frames.items():
        attributes = {"palette": palettes.load("camvid").as_attributes()} if modality == "segmentation" else {"height": 1, "width": 4}
        with arrays.writing(layout.arrays(root, modality), attributes) as writer:
            writer.append(names[modality], frame)
    folders = MapFolders(**{modality: root if modality in frames else None for modality in names})
    return ClipMaps(folders, MapKind.of(folders))


LABEL = np.array([[8, 8, 255, 0]], np.uint8)
INSTANCE = np.array([[1, 1, 2, 2]], np.uint16)
EDGE = np.array([[[0, 51], [255, 102], [0, 153], [0, 204]]], np.uint8)  # h w channel
IUV = np.array([[[0, 0, 0], [24, 51, 102], [0, 0, 0], [24, 0, 255]]], np.uint8)


def test_maps_are_one_hot_labels_and_instance_edges_and_void_is_nothing(tmp_path):
    clip = stored(tmp_path, segmentation=LABEL, instances=INSTANCE)
    maps = maps_to_tensor(clip, [0])[0]
    assert maps.shape == (12, 1, 4)
    assert maps[:11].sum(dim=0).tolist() == [[1, 1, 0, 1]]
    assert maps[11].tolist() == [[0, 1, 1, 0]]
    assert foreground_of(maps, clip.kind).tolist() == [[[1, 1, 0, 0]]]  # cars


def test_all_that_a_clip_has_stands_in_one_order(tmp_path):
    """Labels, instances, edges, poses: each at its place, and equal to what it is alone."""
    clip = stored(tmp_path, segmentation=LABEL, instances=INSTANCE, edges=EDGE, pose=IUV)
    maps = maps_to_tensor(clip, [0, 0])
    assert maps.shape == (2, clip.kind.channels, 1, 4) == (2, 11 + 1 + 2 + 3, 1, 4)
    torch.testing.assert_close(maps[0], maps[1], rtol=0, atol=0)
    assert maps[0, 8].tolist() == [[1, 1, 0, 0]] and maps[0, 11].tolist() == [[0, 1, 1, 0]]
    assert maps[0, 12].tolist() == [[0, 1, 0, 0]]
    assert maps[0, 13, 0].tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert maps[0, 14:].amax() <= 1 and maps[0, 15, 0].tolist() == pytest.approx([0, 0.2, 0, 0])
    assert foreground_of(maps, clip.kind).shape == (2, 1, 1, 4)


def test_labels_without_instances_have_no_channel_for_them(tmp_path):
    clip = stored(tmp_path, segmentation=LABEL)
    assert maps_to_tensor(clip, [0]).shape == (1, 11, 1, 4)


def test_without_labels_nothing_is_foreground(tmp_path):
    clip = stored(tmp_path, edges=EDGE)
    maps = maps_to_tensor(clip, [0])
    assert maps.shape == (1, 2, 1, 4) and foreground_of(maps, clip.kind) is None


@pytest.mark.parametrize("has", [{"segmentation": LABEL, "instances": INSTANCE}, {"edges": EDGE}, {"pose": IUV}])
def test_the_picture_of_a_tensor_is_that_of_its_files(has, tmp_path):
    clip = stored(tmp_path, **has)
    np.testing.assert_array_equal(maps_to_picture(maps_to_tensor(clip, [0])[0], clip.kind), clip.picture(0))
    assert clip.picture(0).any()


def test_edges_and_poses_are_drawn_over_labels(tmp_path):
    clip = stored(tmp_path, segmentation=LABEL, edges=EDGE, pose=IUV)
    car, sky = clip.kind.palette.paint(np.array([[8, 0]], np.uint8))[0].tolist()
    pose = clip.poses([0])[0, 0, 3].tolist()
    assert pose[2] == 255 and car != sky
    assert clip.picture(0)[0].tolist() == [car, [255, 255, 255], [0, 0, 0], pose]
    np.testing.assert_array_equal(maps_to_picture(maps_to_tensor(clip, [0])[0], clip.kind), clip.picture(0))


def test_confidence_becomes_the_binary_mask_at_128():
    optical_flow, confidence = optical_flow_to_tensor(np.ones((1, 1, 3, 2), np.float16), np.array([[[127, 128, 255]]], np.uint8))
    assert optical_flow.shape == (1, 2, 1, 3)
    assert confidence.ravel().tolist() == [0, 1, 1]
