"""clips -> edges: the lines of every frame."""

from pathlib import Path
from typing import Any

from pipeline import arrays, extractors, layout, params
from pipeline.extractors.edges import Draw
from pipeline.overlap import ahead, behind


def run_clip(clips: Path, out: Path, p: params.Edges, made_by: dict[str, Any], device: str) -> None:
    draw: Draw = extractors.load(p, clips=clips, device=device)
    frames = arrays.reading(layout.arrays(clips, "frames"))
    with arrays.writing(layout.arrays(out, "edges"), made_by) as writer, behind(writer.append) as append:
        for rgb in ahead(frames.batches("rgb", p.batch_size)):
            for edge in draw(rgb):
                append("edge", edge)
