"""clips, segmentation_model -> segmentation: the label id of every pixel of every frame."""

from pathlib import Path
from typing import Any, cast

from pipeline import arrays, extractors, layout, params
from pipeline.extractors.segmentation import Labels


def run_clip(clips: Path, segmentation_model: Path, out: Path, p: params.Segmentation, made_by: dict[str, Any], device: str) -> None:
    labels = cast(Labels, extractors.load(p, clips=clips, model=segmentation_model, device=device))
    rgb = arrays.reading(layout.arrays(clips, "frames"))["rgb"]
    with arrays.writing(layout.arrays(out, "segmentation"), {**made_by, "palette": labels.palette.as_attributes()}) as writer:
        for first in range(0, len(rgb), p.batch_size):
            frames = range(first, min(first + p.batch_size, len(rgb)))
            for label in labels(rgb[frames.start : frames.stop], frames):
                writer.append("label", label)
