"""clips, segmentation_model -> segmentation: the label id of every pixel of every frame."""

from pathlib import Path
from typing import Any, cast

from pipeline import arrays, extractors, layout, params
from pipeline.extractors.segmentation import Labels
from pipeline.overlap import ahead, behind


def run_clip(clips: Path, segmentation_model: Path, out: Path, p: params.Segmentation, made_by: dict[str, Any], device: str) -> None:
    labels = cast(Labels, extractors.load(p, clips=clips, model=segmentation_model, device=device))
    frames, t = arrays.reading(layout.arrays(clips, "frames")), 0
    attributes = {**made_by, "palette": labels.palette.as_attributes()}
    with arrays.writing(layout.arrays(out, "segmentation"), attributes) as writer, behind(writer.append) as append:
        for rgb in ahead(frames.batches("rgb", p.batch_size)):
            for label in labels(rgb, range(t, t + len(rgb))):
                append("label", label)
            t += len(rgb)
