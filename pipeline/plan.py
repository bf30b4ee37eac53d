"""What a stage has to do: one job for each source item, clip, split or data set, with the key of its result.

A key holds the keys of the inputs that are used, the stage's parameters, the code it reaches and the computing libraries that this
code imports, hashes of weights and, where torch computes, device class and threads. Never: worker count, paths.
"""

import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import before_clips, before_work, extractors, layout, manifest, params, provenance, scan, weights
from pipeline.errors import InputError
from pipeline.journey import STAGES, Stage
from pipeline.params_file import Params
from pipeline.sources import items_of
from pipeline.store import Store, key_of


@dataclass(frozen=True)
class Job:
    """One call of a stage's function; plain values, so that any worker that sees the folders can compute it."""

    stage: str
    name: str
    """The source item, clip or split; `*` for the whole data set."""
    key: str
    store: str
    arguments: dict[str, Any]
    """By parameter name: absolute folders, and the source item or split."""
    sections: dict[str, params.Section]
    made_by: dict[str, Any]
    """Key, inputs, parameters, libraries, code digest, device: for the attributes of files."""
    device: str
    threads: int
    watch: str
    """The folder for what is seen while it is computed; in no key."""
    ranks: int = 1
    """Processes that compute it together; they are no part of the key."""


def plan(stage: Stage, dataset: str, all_params: Params, store: Store) -> list[Job]:
    """The stage's jobs in the order of its clips. InputError where it, or a stage after it, cannot run at all."""
    all_params.require(dataset)
    before_work.check(stage, dataset, all_params)
    planner = {"item": _plan_items, "clip": _plan_clips, "split": _plan_splits, "dataset": _plan_whole}[stage.per]
    return planner(stage, dataset, all_params, store)


def require_sound_inputs(stage: Stage, dataset: str, all_params: Params, store: Store) -> None:
    """InputError where a file that the stage reads has changed since it was made; arrays are looked at as they are read."""
    for name, folder in _folders_read(stage, dataset, all_params).items():
        if folder and STAGES[name].per in ("split", "dataset"):
            for key in manifest.keys(folder).values():
                store.require_sound(key, folder)


def _plan_items(stage: Stage, dataset: str, all_params: Params, store: Store) -> list[Job]:
    source = all_params.source(dataset)
    path = getattr(source, "path", None)  # a built-in source has no files
    files = scan.read(layout.files_table(dataset)) if path else {}
    items = items_of(source, sorted(files))
    before_clips.check_items(items, dataset, all_params)
    if lacking := before_clips.lacking_split(items, dataset, all_params):
        print(lacking, file=sys.stderr, flush=True)
    make = _JobMaker(stage, dataset, all_params, store, f"pipeline.sources.{source.kind}")
    root = Path(path or ".").expanduser().resolve()
    jobs = []
    for item in items:
        inputs = {
            "name": item.name,
            "files": [files[file] for file in item.files],
            "parameters": _with_hashes(item.parameters, "source"),
            "problem": item.problem,  # otherwise a result from before the problem would be taken
        }
        jobs.append(make(item.name, inputs=inputs, arguments={"item": item, "root": root}))
    return jobs


def _plan_clips(stage: Stage, dataset: str, all_params: Params, store: Store) -> list[Job]:
    if _is_unused(stage.name, dataset, all_params):
        return []
    make = _JobMaker(stage, dataset, all_params, store)
    clips = manifest.clips(layout.stage(dataset, "clips"), "test" if stage.only_test else None)["clip"]
    folders = _folders_read(stage, dataset, all_params)
    keys = {name: manifest.keys(folder) for name, folder in folders.items() if folder}
    per_clip = {name for name in folders if STAGES[name].per in ("item", "clip")}
    given = any(isinstance(section, params.Segmentation) and section.backend == "given" for section in make.sections.values())
    used = {name: folder for name, folder in folders.items() if folder}
    if given:
        used.pop("segmentation_model", None)  # given labels are the same with any model
    return [
        make(
            clip,
            inputs={name: _key(keys[name], clip, folder) if name in per_clip else keys[name] for name, folder in used.items()},
            arguments=_resolved({name: folder / clip if folder and name in per_clip else folder for name, folder in folders.items()}),
        )
        for clip in clips
    ]


def _is_unused(stage_name: str, dataset: str, all_params: Params) -> bool:
    """Whether params.yaml says that the data set has none of what the stage makes."""
    cls = params.SECTIONS.get(stage_name, params.Section)
    if not issubclass(cls, params.Modality):
        return False
    return all_params.section(cls, dataset).backend is None


def _key(keys: dict[str, str], clip: str, folder: Path) -> str:
    if clip not in keys:
        raise InputError(f"{layout.manifest(folder)}: has no clip {clip}: make it again with `dvc repro --force --single-item`")
    return keys[clip]


def _plan_splits(stage: Stage, dataset: str, all_params: Params, store: Store) -> list[Job]:
    make = _JobMaker(stage, dataset, all_params, store)
    folders = _folders_read(stage, dataset, all_params)
    jobs = []
    for split in ("train", "test"):
        used = manifest.clips(layout.stage(dataset, "clips"), split)["clip"].tolist()
        inputs = {name: _only(manifest.keys(folder), used) for name, folder in folders.items() if folder}
        jobs.append(make(split, inputs={**inputs, "split": split}, arguments={"split": split, **_resolved(folders)}))
    return jobs


def _plan_whole(stage: Stage, dataset: str, all_params: Params, store: Store) -> list[Job]:
    """A stage that uses only some clips is not done again when another one comes."""
    make = _JobMaker(stage, dataset, all_params, store)
    folders = _folders_read(stage, dataset, all_params)
    clips = manifest.clips(layout.stage(dataset, "clips"))
    train = clips[clips["split"] == "train"]
    used = {"all": clips, "train": train, "labelled": train[train["labelled"] > 0]}[stage.uses]
    names = [*used["clip"], *set(used["split"]), manifest.WHOLE]
    inputs = {name: _only(manifest.keys(folder), names) for name, folder in folders.items() if folder}
    return [make(manifest.WHOLE, inputs=inputs, arguments=_resolved(folders))]


def _folders_read(stage: Stage, dataset: str, all_params: Params) -> dict[str, Path | None]:
    """None for what the data set does not have."""
    return {name: None if _is_unused(name, dataset, all_params) else _folder_read(name, dataset, all_params) for name in stage.reads()}


def _folder_read(stage_name: str, dataset: str, all_params: Params) -> Path:
    if stage_name == "segmentation_model":
        dataset = all_params.section(params.Segmentation, dataset).weights_from
        all_params.require(dataset)
    return layout.stage(dataset, stage_name)


def _only(keys: dict[str, str], names: Collection[str]) -> dict[str, str]:
    return {name: key for name, key in keys.items() if name in names}


def _resolved(folders: dict[str, Path | None]) -> dict[str, Path | None]:
    return {name: folder and folder.resolve() for name, folder in folders.items()}


def _sections(stage: Stage, dataset: str, all_params: Params) -> dict[str, params.Section]:
    """Where a section of a training's own goes with `train`, what it makes of that: what it has no use for is in no key."""
    sections = {name: all_params.section(cls, dataset) for name, cls in stage.sections().items()}
    for own in list(sections.values()):
        if isinstance(own, (params.TrainPerFrame, params.TrainImageGenerator)):
            sections |= {name: own.of(section) for name, section in sections.items() if isinstance(section, params.Train)}
    return sections


class _JobMaker:
    """What all jobs of a stage share, computed once."""

    def __init__(self, stage: Stage, dataset: str, all_params: Params, store: Store, *extra_modules: str) -> None:
        self.stage, self.dataset, self.store = stage, dataset, store
        segmentation = all_params.section(params.Segmentation, dataset)
        offered = {"dataset_name": dataset, "own_model": segmentation.backend is not None and segmentation.weights_from == dataset}
        self.named = {name: value for name, value in offered.items() if stage.takes(name)}
        self.sections = _sections(stage, dataset, all_params)
        self.device = all_params.machine.device
        self.threads = all_params.machine.threads if stage.per == "dataset" else 1
        self.ranks = all_params.machine.devices if stage.in_ranks else 1
        self.shared = self._shared(*extra_modules)

    def _shared(self, *extra_modules: str) -> dict[str, Any]:
        modules = provenance.reached_modules(self.stage.module, *extra_modules)
        if "pipeline.extractors" in modules:
            backends = [
                extractors.module_of(section)
                for section in self.sections.values()
                if isinstance(section, params.Backend) and section.backend
            ]
            modules = provenance.reached_modules(*modules, *backends)
        libraries = provenance.library_versions(modules)
        return {
            "format": layout.VERSION,
            "stage": self.stage.name,
            "parameters": {
                name: _with_hashes(section.counted(), params.section_name(type(section))) for name, section in self.sections.items()
            },
            "code": provenance.code_digest(modules),
            "libraries": libraries,
            **self.named,
            **({"device": self.device, "threads": self.threads} if "torch" in libraries else {}),
        }

    def __call__(self, name: str, inputs: dict[str, Any], arguments: dict[str, Any]) -> Job:
        parts = {**self.shared, "inputs": inputs}
        key = key_of(parts)
        made_by = {"key": key, **parts}
        values, where = {**arguments, **self.named}, (self.device, self.threads)
        watch = str(layout.watch(self.dataset, self.stage.name, key))
        return Job(self.stage.name, name, key, str(self.store.root), values, self.sections, made_by, *where, watch, self.ranks)


def _with_hashes(values: dict[str, Any], where: str) -> dict[str, Any]:
    """Weights count by their content: what is named under a key that ends in `weights` becomes the file's sha256."""
    return {name: _with_hash(f"{where}.{name}", value) for name, value in values.items()}


def _with_hash(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _with_hashes(value, name)
    if not (name.endswith("weights") and isinstance(value, str)):
        return value
    return weights.sha256_of(value, name)
