"""A project whose data sets differ in how the model is trained and in nothing else: what they share, the store makes once.

`street` is the built-in street world with true labels and instances, `camvid` the catalog's CamVid with its own labels and, since its clip
is one of 80 frames, the same sequence lengths. CamVid's frames have about as many pixels as the street's.
"""

import copy
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline import layout, prepare, runner

PARAMS = Path(__file__).parents[1] / "params.yaml"
CAMVID = Path("seg_gt/camvid_0016E5_15hz")
"""In the folder of real data."""
SIDES = {"street": (1, 1), "camvid": (240 / 256, 176 / 128)}
"""Width and height of a world's frames, of those asked for."""
BEFORE = ("clips", "segmentation_model", "segmentation", "optical_flow", "instances", "segmentation_scores", "dataset")
"""What comes before training."""
SHARED = ("clips", "segmentation", "optical_flow", "instances", "dataset")
"""Of it, what all variants of a world have in common; each has scores of its own, and an empty segmentation model."""
AFTER = ("train", "train_per_frame", "train_image_generator", "synthesize", "synthesize_per_frame", "evaluate")


@dataclass(frozen=True)
class Variant:
    name: str
    train: Mapping[str, Any] = field(default_factory=dict)
    """What it changes in the section of this name."""
    per_frame: bool = False
    """Whether the same generator is trained without the past, too."""
    long_frames: int = 60
    """Of the street's long test clip."""

    def seeded(self, seed: int) -> "Variant":
        """The same from other random weights, with sequences in another order."""
        return self if seed == 0 else replace(self, name=f"{self.name}, seed {seed}", train={**self.train, "seed": seed})

    def dataset(self, world: str) -> str:
        return f"{world}-{self.name.replace(',', '').replace(' ', '-')}"


@dataclass(frozen=True)
class Settings:
    width: int
    height: int
    steps: int
    data: Path | None
    """Folder of the real data; None = street alone."""

    def worlds(self) -> list[str]:
        return list(SIDES) if self.data else ["street"]


@contextmanager
def project(root: Path, settings: Settings, variants: list[Variant]) -> Iterator[None]:
    """Inside, the working folder is a project with these data sets. Results are kept there: a second run makes only what is missing.

    The first variant's segmentation model judges all of them.
    """
    root.mkdir(parents=True, exist_ok=True)
    os.environ.pop("V2V_STORE", None)
    logging.basicConfig(level=logging.WARNING)
    values = YAML(typ="safe").load(PARAMS.read_text())
    values["machine"] |= {"threads": 1, "workers": 1}
    examples = {"street": values["datasets"]["sample-street"], "camvid": values["catalog"]["camvid"]}
    values["datasets"] = {
        variant.dataset(world): _entry(copy.deepcopy(examples[world]), world, variant, variants[0], settings)
        for world in settings.worlds()
        for variant in variants
    }
    with chdir(root):
        with layout.PARAMS.open("w") as file:
            YAML().dump(values, file)
        yield


def make(dataset: str, stages: tuple[str, ...] = (*BEFORE, *AFTER)) -> dict[str, int]:
    """How many results of each stage were computed; the others lay in the store."""
    prepare.run(dataset)
    computed = {}
    for stage in stages:
        summary = runner.run(stage, dataset)
        if summary.failed:
            sys.exit(f"{summary}: {summary.failed[0].problem}\n{summary.failed[0].trace}")
        print(summary, file=sys.stderr, flush=True)
        computed[stage] = summary.computed
    return computed


def metrics(dataset: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(layout.scores(layout.stage(dataset, "evaluate")).read_text())
    return found


def _entry(entry: dict[str, Any], world: str, variant: Variant, first: Variant, settings: Settings) -> dict[str, Any]:
    """Sequences of 4 frames; of 8, and then of 12 or 16, in the second and last third of the steps: a stride of 3 takes 7 at least."""
    width, height = (round(side * share) for side, share in zip((settings.width, settings.height), SIDES[world], strict=True))
    lengths = {"window_frames": 4, "sequence_frames": 4, "double_every": -(-settings.steps // 3)}
    logged = {"log_every": 10, "save_every": 20, "preview_every": settings.steps}
    entry["clips"] |= {"width": width, "height": height}
    entry["segmentation"] = {"backend": "given", "weights_from": first.dataset(world)}
    entry["train"] = {"steps": settings.steps, **lengths, **logged, **variant.train}
    entry["train_per_frame"] = {"enabled": variant.per_frame}
    if world == "street":
        entry["instances"] = {"backend": "given"}
        entry["source"] |= {"width": width, "height": height, "test_clips": 3, "long_frames": variant.long_frames}
    else:
        assert settings.data is not None
        entry["source"]["path"] = str((settings.data / CAMVID).resolve())
    return entry
