"""A training under way: all that it needs to go on, to the bit, as if it had never stopped; and what is kept of its generators.

Windows, phases and rates are functions of the step, so no order of data is kept.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from models.video_generator import State
from pipeline import layout
from pipeline.batch import Carried
from pipeline.checkpoint import read_state, replace_at_once
from pipeline.devices import Devices


@dataclass
class TrainingState:
    """`parts` have a state_dict each: networks, optimizers, the mean of weights, the scaler of gradients."""

    work: Path
    parts: dict[str, Any]
    devices: Devices
    step: int = 0
    carried: Carried | None = None
    """What the last step left to the next one."""
    skipped: int = 0
    """Steps in a row that changed nothing."""
    losses: list[dict[str, float]] = field(default_factory=list)
    validation: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    """Of each term since the last row of losses."""
    counts: dict[str, int] = field(default_factory=dict)

    def resume(self) -> None:
        """As saved in `work`; nothing changes where nothing is."""
        path = layout.training_state(self.work)
        if not path.is_file():
            return
        saved = read_state(path)
        for name in ("step", "skipped", "losses", "validation", "sums", "counts"):
            setattr(self, name, saved[name])
        for name, part in self.parts.items():
            part.load_state_dict(saved["parts"][name])
        torch.set_rng_state(saved["random"])
        self.carried = self._share(saved["carried"])

    def save(self) -> None:
        """By the main process; all have to call it."""
        carried = self._whole_batch()
        if self.devices.is_main:
            names = ("step", "skipped", "losses", "validation", "sums", "counts")
            saved = {name: getattr(self, name) for name in names}
            saved |= {"parts": {name: part.state_dict() for name, part in self.parts.items()}}
            replace_at_once(layout.training_state(self.work), {**saved, "random": torch.get_rng_state(), "carried": carried})

    def log(self, terms: dict[str, float], every: int) -> None:
        """losses.csv gets the mean of each term over every so many steps, of those that had it."""
        for name, term in terms.items():
            self.sums[name] = self.sums.get(name, 0.0) + term
            self.counts[name] = self.counts.get(name, 0) + 1
        if self.step % every == 0:
            self.end_row()

    def end_row(self) -> None:
        if self.sums:
            self.losses.append({"step": self.step, **{name: value / self.counts[name] for name, value in self.sums.items()}})
            self.sums, self.counts = {}, {}

    def write_tables(self, folder: Path) -> None:
        tables = {layout.losses(folder): self.losses, layout.training_validation(folder): self.validation}
        for path, rows in tables.items():
            if rows:
                pd.DataFrame(rows).to_csv(path, index=False, float_format="%.6g", lineterminator="\n")

    def _whole_batch(self) -> list[torch.Tensor] | None:
        if self.carried is None:
            return None
        levels = self.carried.state.past or ()
        return self.devices.gathered([self.carried.fakes, *levels])

    def _share(self, whole: list[torch.Tensor] | None) -> Carried | None:
        if whole is None:
            return None
        process, processes = self.devices.process, self.devices.processes
        fakes, *levels = (x.chunk(processes)[process].to(self.devices.device) for x in whole)
        return Carried(State(tuple(levels) or None), fakes)


def keep(folders: Path, number: int, count: int, save: Callable[[Path], None]) -> None:
    """Saves into the subfolder of this number, there all at once; of all subfolders the last `count` stay."""
    folder = folders / f"{number:07d}"
    replace_folder(folder, save)
    for old in sorted(path for path in folders.iterdir() if path.name.isdigit())[:-count]:
        shutil.rmtree(old)


def replace_folder(folder: Path, save: Callable[[Path], None]) -> None:
    """A kill leaves the old folder, the new one, or none; never half of one."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    save(unfinished)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
