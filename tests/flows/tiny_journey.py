"""`python -m tiny_journey`: flows.stage with five stages that need no time, for a project whose raw data are text files.

A raw file's text says how its clip fares: `slow` becomes a clip once there is a file `go`; `bad` is bad input for the segmentation, where
`unlucky` raises at the first attempt only; `refused` is bad input for the second process that trains.
`python -m tiny_journey MEETING_PLACE PARENT`: one of several processes that train, as pipeline.rank.
"""

import inspect
import sys
import time
from pathlib import Path

import pandas as pd

from flows import stage
from pipeline import journey, plan, provenance, rank, ranks
from pipeline.errors import InputError
from pipeline.journey import Stage
from pipeline.sources import Item


def clips(item: Item, root: Path, out: Path) -> None:
    text = (root / item.files[0]).read_text()
    if text.startswith("slow"):
        Path("slow").touch()
        while not Path("go").exists():
            time.sleep(0.1)
    _write(out / item.name, text)
    about = {"clip": item.name, "split": "train", "sequence": item.name, "first_frame": 0, "num_frames": 1, "frames_per_second": "1/1"}
    pd.DataFrame([{**about, "width": 1, "height": 1, "labelled": 0}]).to_csv(out / "clips.csv", index=False)


def segmentation(clips: Path, out: Path) -> None:
    text = _read(clips)
    if text == "bad":
        raise InputError("the labels are upside down")
    if text == "unlucky" and _first_attempt():
        raise RuntimeError("the disk coughed")
    _write(out, text)


def optical_flow(clips: Path, out: Path) -> None:
    _write(out, _read(clips))


def dataset(segmentation: Path, optical_flow: Path, out: Path) -> None:
    _write(out, "".join(file.read_text() for folder in (segmentation, optical_flow) for file in sorted(folder.glob("*/text"))))


def train(dataset: Path, out: Path, device: str) -> None:
    """All processes add their numbers, counted from 1."""
    import torch
    from accelerate import PartialState

    here = PartialState(cpu=device == "cpu")
    if "refused" in _read(dataset) and here.process_index == 1:
        raise InputError("the maps are upside down")
    added = torch.tensor(here.process_index + 1)
    torch.distributed.all_reduce(added)
    _write(out, f"{added} by {here.num_processes}, written by {here.process_index}")


def _first_attempt() -> bool:
    seen = Path("attempted").exists()
    Path("attempted").touch()
    return not seen


def _read(folder: Path) -> str:
    return (folder / "text").read_text()


def _write(folder: Path, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "text").write_text(text)


class TinyStage(Stage):
    def parameters(self) -> dict[str, str]:
        return dict.fromkeys(inspect.signature(self.load()).parameters, "")


# At import, so that it holds in the worker processes, too. Keys need no code digest here.
journey.STAGES.clear()
for made in (
    TinyStage("clips", "tiny_journey:clips", per="item"),
    TinyStage("segmentation", "tiny_journey:segmentation", per="clip"),
    TinyStage("optical_flow", "tiny_journey:optical_flow", per="clip"),
    TinyStage("dataset", "tiny_journey:dataset", per="dataset"),
    TinyStage("train", "tiny_journey:train", per="dataset", in_ranks=True),
):
    journey.STAGES[made.name] = made
provenance.reached_modules = lambda *_: []
plan.items_of = lambda source, files: [Item(Path(file).stem, source.kind, (file,), {}) for file in files]
ranks.COMMAND = (sys.executable, "-m", "tiny_journey")

if __name__ == "__main__":
    sys.exit(rank.main(Path(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) == 3 else stage.main())
