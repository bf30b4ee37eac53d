"""Cityscapes' layout, tiny, from its folders to the report: one true label image a snippet is all that the journey needs."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline import arrays, layout, manifest, new_dataset, palettes
from pipeline.sources.cityscapes import ANNOTATED, SNIPPET, TRAIN, VAL
from tests.test_videos_journey import STAGES, TINY_TRAINING, change, landscape, project, run  # noqa: F401 (a fixture)

EGO_VEHICLE, ROAD, SKY, CAR = 1, 7, 23, 26


def write_snippet(root: Path, part: str, city: str, first: int, seed: int) -> None:
    """Sky above a road, two cars in front, the bonnet below."""
    for t, (rgb, label) in enumerate(landscape(SNIPPET, 64, 32, seed)):
        name = f"{city}_000000_{first + t:06d}"
        save(root / part / city / f"{name}_leftImg8bit.png", rgb)
        if t == ANNOTATED:
            ids = np.where(label > 0, ROAD, SKY).astype(np.uint8)
            ids[28:] = EGO_VEHICLE
            ids[18:24, 8:20] = ids[18:24, 30:42] = CAR
            instances = ids.astype(np.uint16)
            instances[18:24, 8:20], instances[18:24, 30:42] = 26000, 26001
            for kind, image in (("labelIds", ids), ("instanceIds", instances)):
                save(root / part.replace("leftImg8bit_sequence", "gtFine") / city / f"{name}_gtFine_{kind}.png", image)


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(image)).save(path)


def test_cityscapes_goes_all_the_way_with_one_label_image_a_snippet(project):  # noqa: F811
    for first in (100, 131):
        write_snippet(project / "raw", TRAIN, "hamburg", first, seed=first)
    write_snippet(project / "raw", VAL, "lindau", 0, seed=2)
    new_dataset.run("city", project / "raw", like="cityscapes")
    tiny = {"width": 64, "height": 32}
    model = {"architecture": "deeplabv3_mobilenet_v3_large", "steps": 4, "batch_size": 2, "learning_rate": 0.01}
    model |= {"backbone_weights": None, "crop": None}
    training = {**TINY_TRAINING, "weights": {"perceptual": 0.0, "reconstruction": 20.0}, "vgg_weights": None}
    training["generator"] = {**TINY_TRAINING["generator"], "scales": 1}
    training |= {"image_discriminator": {"width": 4, "scales": 2}, "video_discriminator": {"width": 4, "scales": 2, "strides": [1]}}
    training["earlier_phases"] = []
    change({"datasets": {"city": {"clips": tiny, "segmentation_model": model, "train": training}}})
    change({"datasets": {"city": {"instances": {"backend": "components", "options": None, "min_pixels": 4}}}})
    change({"datasets": {"city": {"instances": {"options": {}}}}})
    change({"datasets": {"city": {"evaluate": {"video_network": {"window_frames": 4, "window_stride": 1}}}}})
    change({"datasets": {"city": {"optical_flow": {"backend": "opencv_dis", "options": None}}}})
    change({"datasets": {"city": {"optical_flow": {"options": {"preset": "fast"}}}}})
    run(STAGES, "city")

    clips = manifest.clips(layout.stage("city", "clips"))
    assert dict(zip(clips["clip"], clips["split"], strict=True)) == {
        "hamburg_000000_000119_000000": "train",
        "hamburg_000000_000150_000000": "train",
        "lindau_000000_000019_000000": "test",
    }
    learned = palettes.load("cityscapes").learned
    for clip in clips["clip"]:
        labels = arrays.reading(layout.arrays(layout.stage("city", "segmentation") / clip, "segmentation"))
        assert labels["label"].shape == (30, 32, 64)
        assert set(np.unique(labels["label"][:]).tolist()) <= set(learned)
    scores = json.loads(layout.scores(layout.stage("city", "segmentation_scores")).read_text())
    assert (scores["seen_frames"], scores["held_out_frames"]) == (2, 1)
    assert set(scores["iou"]) == {"road", "sky", "car"}  # and not the ego vehicle
