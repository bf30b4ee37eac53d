"""`python -m docs.picture`: the README's picture, from the finished data set sample-street (`make demo`).

Label maps, real frames, frames synthesized from the maps alone; the approaching clip and the long one.
"""

from pathlib import Path

import numpy as np

from pipeline import arrays, layout, palettes, pictures

DATASET = "sample-street"
SHOWN = (("approach-0000_000000", 2), ("approach-0000_000000", 20), ("long-0000_000000", 10), ("long-0000_000000", 40))
"""Clips and frames, a column each."""
GAP = 6


def main() -> None:
    rows = [pictures.side_by_side(list(row), GAP) for row in zip(*(column(clip, t) for clip, t in SHOWN), strict=True)]
    space = np.zeros((GAP, *rows[0].shape[1:]), np.uint8)
    pictures.save(Path(__file__).parent / f"{DATASET}.png", np.concatenate([part for row in rows for part in (space, row)][1:]))


def column(clip: str, t: int) -> list[np.ndarray]:
    labels = arrays.reading(layout.arrays(layout.stage(DATASET, "segmentation") / clip, "segmentation"))
    painted = palettes.from_attributes(labels.attributes["palette"]).paint(labels["label"][t])
    folders = [layout.stage(DATASET, stage) / clip for stage in ("clips", "synthesize")]
    return [painted, *(arrays.reading(layout.arrays(folder, "frames"))["rgb"][t] for folder in folders)]


if __name__ == "__main__":
    main()
