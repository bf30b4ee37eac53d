"""Clips of the built-in street world at any size, as the stages write them, for what reads clips."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline import clips, layout, optical_flow, palettes, params
from pipeline.index import write_index
from pipeline.maps import MapFolders, MapKind
from pipeline.params_file import Params, load
from pipeline.sources import items_of
from pipeline.windows import Folders

DATASET = "sample-street"
PARAMS = Path(__file__).parents[1] / "params.yaml"


@dataclass(frozen=True)
class SampleClips:
    folders: Folders
    dataset: Path
    index: pd.DataFrame
    kind: MapKind
    params: Params


def create(root: Path, *, width: int, height: int, num_clips: int, num_frames: int) -> SampleClips:
    """Labels and instances are the renderer's own; the optical flow is measured, as in the data set of this name."""
    root.mkdir(parents=True)
    all_params = load(PARAMS)
    changes = {"width": width, "height": height, "train_clips": num_clips, "train_frames": num_frames}
    source = all_params.source(DATASET).model_copy(update=changes)
    sized = params.Clips(width=width, height=height, crop=None, frames=num_frames, stride=None)
    rows = []
    for item in items_of(source, [])[:num_clips]:
        clips.run_item(item, Path(), root, sized, {})
        rows.append(pd.read_csv(layout.clips_table(root)))
    index = pd.concat(rows, ignore_index=True).assign(start=0)
    flow_section = all_params.section(params.OpticalFlow, DATASET)
    for clip in index["clip"]:
        (root / "optical_flow" / clip).mkdir(parents=True)
        optical_flow.run_clip(root / clip, root / "optical_flow" / clip, flow_section, {}, "cpu")
    (root / "dataset").mkdir()
    write_index(root / "dataset", "train", index)
    kind = MapKind(palettes.load("sample_street"), instances=True, edges=0, pose=0)
    return SampleClips(folders_of(root), root / "dataset", index, kind, all_params)


def folders_of(root: Path) -> Folders:
    return Folders(root, root / "optical_flow", MapFolders(segmentation=root, instances=root, edges=None, pose=None))
