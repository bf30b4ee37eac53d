"""params.yaml -> checked sections.

`datasets.<name>.<section>` overrides single keys of the section. An unknown key or value is refused by name, with the nearest right one.
"""

import difflib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError, create_model

from pipeline import params, yaml_file
from pipeline.errors import InputError, shown

T = TypeVar("T", bound=params.Section)

MOST_PROBLEMS = 3
"""Named in one sentence."""

MOST_LETTERS = 60
"""Of a data set's name: it is part of file names, which have at most 255."""


class Params:
    """All of params.yaml. What all data sets share has been checked; the entry of a single one is where it is asked for.

    So a mistake in one entry does not stop the work on another.
    """

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
            self._check_group(group)

    def check_entries(self) -> None:
        """Every data set, and what the catalog offers."""
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

    def where(self, dataset: str) -> str:
        """How a data set's entry is named in a sentence."""
        return f"{self._path}: datasets.{dataset}"

    def section(self, cls: type[T], dataset: str) -> T:
        """The section of this type with the data set's own values."""
        name = params.section_name(cls)
        return self._merged(cls, name, "datasets", dataset)

    def shared(self, cls: type[T]) -> T:
        """The section as it is for data sets that change nothing of it."""
        name = params.section_name(cls)
        return _check(cls, self._raw.get(name), f"{self._path}: {name}")

    def require(self, dataset: str) -> None:
        """InputError where there is no such data set, or its entry is wrong."""
        if dataset in self.datasets():
            self._check_dataset("datasets", dataset)
            return
        if dataset in self.catalog():
            raise InputError(f"{dataset} {self._not_added(dataset)}")
        raise InputError(f"{self._path}: datasets has no {dataset}{_nearest(dataset, self.datasets())}")

    def require_example(self, name: str) -> None:
        """InputError where the entry that a new data set would copy, of the catalog before the data sets, is wrong or not there."""
        group = next((group for group in ("catalog", "datasets") if name in self._group(group)), None)
        if group is None:
            there = ", ".join(dict.fromkeys([*self.catalog(), *self.datasets()])) or "none"
            raise InputError(f"there is no {name} to copy: say which with --like; there are {there}")
        self._check_dataset(group, name)

    def _not_added(self, dataset: str) -> str:
        command = f"python -m pipeline new-dataset {dataset} --path FOLDER"
        return f"is in the catalog of {self._path} but not yet one of its datasets: add it with `{command}`"

    def _group(self, group: str) -> dict[str, Any]:
        return self._raw.get(group) or {}

    def _check_group(self, group: str) -> None:
        """Names become folders, and DVC reads them all."""
        if not isinstance(self._raw.get(group) or {}, dict):
            raise InputError(f"{self._path}: {group} must hold data sets by their names, found {shown(self._raw[group])}")
        for name in self._group(group):
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
                raise InputError(f"{self._path}: {group}.{name}: a data set's name is text of letters, digits, - and _ only")
            if len(name) > MOST_LETTERS:
                raise InputError(f"{self._path}: {group}.{name[:20]}...: a data set's name has at most {MOST_LETTERS} letters")

    def _source(self, group: str, dataset: str) -> params.Source:
        where = f"{self._path}: {group}.{dataset}.source"
        values = self._entry(group, dataset).get("source")
        kind = values.get("kind") if isinstance(values, dict) else None
        if not isinstance(kind, str) or kind not in params.SOURCES:
            raise InputError(f"{where}.kind is {shown(kind)}{_nearest(str(kind), list(params.SOURCES))}")
        return _check(params.SOURCES[kind], values, where)

    def _merged(self, cls: type[T], name: str, group: str, dataset: str) -> T:
        override = self._entry(group, dataset).get(name)
        return _check(cls, _merge(self._raw.get(name), override), f"{self._path}: {group}.{dataset}.{name}")

    def _entry(self, group: str, dataset: str) -> dict[str, Any]:
        entry = self._group(group)[dataset]
        if not isinstance(entry, dict):
            raise InputError(f"{self._path}: {group}.{dataset} must hold source and the stages, found {shown(entry)}")
        return entry

    def _check_dataset(self, group: str, dataset: str) -> None:
        where, entry = f"{self._path}: {group}.{dataset}", self._entry(group, dataset)
        wanted = ["source", *params.SECTIONS]
        for key in entry:
            if key == "machine":
                raise InputError(f"{where}.machine: a machine is not a data set's: set it at the top of {self._path}, or by -S on one run")
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
            raise InputError(f"{where} is {shown(name)}{_nearest(str(name), there)}")


def load(path: Path) -> Params:
    if not path.is_file():
        raise InputError(f"{path} is not in this folder ({Path.cwd()}): call from the project's top folder")
    return _load(path.resolve(), path, path.stat().st_mtime_ns)


def check(text: str, path: Path) -> Params:
    """The parameters of a file with this text, every entry checked."""
    all_params = parsed(text, path)
    all_params.check_entries()
    return all_params


@lru_cache(maxsize=8)
def _load(absolute: Path, path: Path, mtime_ns: int) -> Params:
    return parsed(yaml_file.read_text(path), path)


def parsed(text: str, path: Path) -> Params:
    """The parameters of a file with this text, of which the entries have not been checked."""
    raw = yaml_file.values(text, path)
    if not isinstance(raw, dict):
        raise InputError(f"{path} must hold sections, found {shown(raw)}")
    return Params(raw, path)


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
        raise InputError(_joined([sentence(cls, where, problem) for problem in error.errors()])) from None


def _check_present(cls: type[BaseModel], values: Any, where: str) -> None:
    """Checks what a section has; what it lacks, each data set may have."""
    try:
        cls.model_validate(values)
    except ValidationError as error:
        problems = [sentence(cls, where, problem) for problem in error.errors() if problem["type"] != "missing"]
        if problems:
            raise InputError(_joined(problems)) from None


def _joined(problems: list[str]) -> str:
    """A section in the wrong place has dozens."""
    more = [f"and {len(problems) - MOST_PROBLEMS} more like it"] if len(problems) > MOST_PROBLEMS else []
    return "; ".join([*problems[:MOST_PROBLEMS], *more])


def sentence(cls: type[BaseModel], where: str, problem: Any) -> str:
    *folder, key = [str(part) for part in problem["loc"]] or [""]
    name = ".".join([where, *folder, key]).rstrip(".")
    if problem["type"] == "extra_forbidden":
        return f"{name} is no parameter{_nearest(key, _fields(cls, folder))}"
    if problem["type"] == "missing":
        return f"{name} is missing"
    why = problem["msg"].removeprefix("Value error, ")
    names_its_keys = problem["type"] == "value_error" and isinstance(problem["input"], dict)  # of a section
    found = "" if names_its_keys else f" is {shown(problem['input'])}"
    return f"{name}{found}: {why[0].lower()}{why[1:]}"


def _fields(cls: type[BaseModel], folder: list[str]) -> list[str]:
    """Names of the fields at a nested place of a section."""
    for part in folder:
        inner = cls.model_fields[part].annotation if part in cls.model_fields else None
        cls = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else create_model("Unknown")
    return list(cls.model_fields)


def _nearest(wrong: str, right: list[str]) -> str:
    close = difflib.get_close_matches(wrong, right, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(right)}" if right else ""
