"""params.yaml -> checked sections.

`datasets.<name>.<section>` overrides single keys of the section. An unknown key or value is refused by name, with the nearest right one.
"""

import difflib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError, create_model
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline import params
from pipeline.errors import InputError

T = TypeVar("T", bound=params.Section)


class Params:
    """All of params.yaml; every merged section has been checked."""

    def __init__(self, raw: dict[str, Any], path: Path) -> None:
        self._raw = raw
        self._path = path
        self.machine: params.Machine = _check(params.Machine, raw.get("machine"), f"{path}: machine")
        known = ["machine", *params.SECTIONS, "datasets", "catalog"]
        for key in raw:
            if key not in known:
                raise InputError(f"{path}: {key} is no section{_nearest(key, known)}")
        for name, cls in params.SECTIONS.items():
            _check_present(cls, raw.get(name), f"{path}: {name}")
        for group in ("datasets", "catalog"):
            for name in self._group(group):
                self._check_dataset(group, name)

    def datasets(self) -> list[str]:
        return list(self._group("datasets"))

    def catalog(self) -> list[str]:
        return list(self._group("catalog"))

    def source(self, name: str) -> params.Source:
        """Of a data set, or of one of the catalog that has not been added."""
        return self._source("datasets" if name in self.datasets() else "catalog", name)

    def section(self, cls: type[T], dataset: str) -> T:
        """The section of this type with the data set's own values."""
        name = params.section_name(cls)
        return self._merged(cls, name, "datasets", dataset)

    def require(self, dataset: str) -> None:
        if dataset in self.datasets():
            self._require_labels(dataset)
            return
        if dataset in self.catalog():
            raise InputError(f"{dataset} {self._not_added(dataset)}")
        raise InputError(f"{self._path}: datasets has no {dataset}{_nearest(dataset, self.datasets())}")

    def _not_added(self, dataset: str) -> str:
        command = f"python -m pipeline new-dataset {dataset} --path FOLDER"
        return f"is in the catalog of {self._path} but not yet one of its datasets: add it with `{command}`"

    def _require_labels(self, dataset: str) -> None:
        """Told before the first frame is decoded, not when a model is to be trained."""
        own_model = self.section(params.Segmentation, dataset).weights_from == dataset
        if own_model and not params.has_labels(self.source(dataset)) and self.section(params.SegmentationModel, dataset).weights is None:
            raise InputError(
                f"{self._path}: datasets.{dataset}.segmentation.weights_from is {dataset} itself, which has no labels to train a model "
                f"with: name a data set that has some, or a checkpoint in datasets.{dataset}.segmentation_model.weights"
            )

    def _group(self, group: str) -> dict[str, Any]:
        return self._raw.get(group) or {}

    def _source(self, group: str, dataset: str) -> params.Source:
        where = f"{self._path}: {group}.{dataset}.source"
        values = self._group(group)[dataset]["source"]
        kind = values.get("kind") if isinstance(values, dict) else None
        if kind not in params.SOURCES:
            raise InputError(f"{where}.kind is {kind!r}{_nearest(str(kind), list(params.SOURCES))}")
        return _check(params.SOURCES[kind], values, where)

    def _merged(self, cls: type[T], name: str, group: str, dataset: str) -> T:
        override = self._group(group)[dataset].get(name)
        return _check(cls, _merge(self._raw.get(name), override), f"{self._path}: {group}.{dataset}.{name}")

    def _check_dataset(self, group: str, dataset: str) -> None:
        where = f"{self._path}: {group}.{dataset}"
        if not (isinstance(dataset, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", dataset)):
            raise InputError(f"{where}: a data set's name is text of letters, digits, - and _ only")
        entry = self._group(group)[dataset]
        if not isinstance(entry, dict):
            raise InputError(f"{where} must hold source and the stages, found {entry!r}")
        wanted = ["source", *params.SECTIONS]
        for key in entry:
            if key not in wanted:
                raise InputError(f"{where}.{key} is no stage{_nearest(key, wanted)}")
        for key in wanted:
            if key not in entry:
                raise InputError(f"{where}.{key} is missing: write `{key}: {{}}` where it changes nothing")
        self._source(group, dataset)
        self._check_weights_from(group, dataset)
        for name, cls in params.SECTIONS.items():
            self._merged(cls, name, group, dataset)

    def _check_weights_from(self, group: str, dataset: str) -> None:
        """DVC writes this name into paths as it stands."""
        segmentation = self._group(group)[dataset]["segmentation"]
        name = segmentation.get("weights_from") if isinstance(segmentation, dict) else None
        there = [*self.datasets(), *(self.catalog() if group == "catalog" else [])]
        where = f"{self._path}: {group}.{dataset}.segmentation.weights_from"
        if name not in there and name in self.catalog():
            raise InputError(f"{where}: {name} {self._not_added(name)}")
        if name not in there:
            raise InputError(f"{where} is {name!r}{_nearest(str(name), there)}")


def load(path: Path) -> Params:
    if not path.is_file():
        raise InputError(f"{path} is not in this folder ({Path.cwd()}): call from the project's top folder")
    return _load(path.resolve(), path, path.stat().st_mtime_ns)


def check(text: str, path: Path) -> Params:
    """The checked parameters of a file with this text."""
    try:
        raw = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise InputError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise InputError(f"{path} must hold sections, found {raw!r}")
    return Params(raw, path)


@lru_cache(maxsize=8)
def _load(absolute: Path, path: Path, mtime_ns: int) -> Params:
    try:
        return check(path.read_text(), path)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text: {error}") from None


def _merge(section: Any, override: Any) -> Any:
    """Keys of the override win, at any depth; a back-end that is replaced takes none of the other one's options along."""
    if not (isinstance(section, dict) and isinstance(override, dict)):
        return override
    if "backend" in override:
        section = {**section, "options": {}}
    return {key: _merge(section.get(key), override[key]) if key in override else section[key] for key in {**section, **override}}


def _check(cls: type[T], values: Any, where: str) -> T:
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        raise InputError("; ".join(_sentence(cls, where, problem) for problem in error.errors())) from None


def _check_present(cls: type[BaseModel], values: Any, where: str) -> None:
    """Checks what a section has; what it lacks, each data set may have."""
    try:
        cls.model_validate(values)
    except ValidationError as error:
        problems = [_sentence(cls, where, problem) for problem in error.errors() if problem["type"] != "missing"]
        if problems:
            raise InputError("; ".join(problems)) from None


def _sentence(cls: type[BaseModel], where: str, problem: Any) -> str:
    *folder, key = [str(part) for part in problem["loc"]] or [""]
    name = ".".join([where, *folder, key]).rstrip(".")
    if problem["type"] == "extra_forbidden":
        return f"{name} is no parameter{_nearest(key, _fields(cls, folder))}"
    if problem["type"] == "missing":
        return f"{name} is missing"
    return f"{name} is {problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _fields(cls: type[BaseModel], folder: list[str]) -> list[str]:
    """Names of the fields at a nested place of a section."""
    for part in folder:
        inner = cls.model_fields[part].annotation if part in cls.model_fields else None
        cls = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else create_model("Unknown")
    return list(cls.model_fields)


def _nearest(wrong: str, right: list[str]) -> str:
    close = difflib.get_close_matches(wrong, right, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(right)}" if right else ""
