"""Adds a data set to params.yaml, as a copy of an entry of the catalog or of `datasets`; comments stay."""

import copy
import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline import layout
from pipeline.errors import InputError
from pipeline.params_file import check, load


def run(name: str, path: Path, like: str, weights_from: str | None = None) -> None:
    """`weights_from`: the data set whose segmentation model labels this one, where it is not the entry's own choice."""
    all_params = load(layout.PARAMS)
    if name in all_params.datasets():
        raise InputError(f"{layout.PARAMS} has a data set {name} already: change it there, or choose another name")
    if not path.expanduser().is_dir():
        raise InputError(f"--path {path}: there is no such folder")
    yaml = YAML()
    yaml.width = 1000
    yaml.preserve_quotes = True
    yaml.representer.add_representer(type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null"))
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(layout.PARAMS.read_text())
    document["datasets"][name] = _entry(document, name, path, like)
    if weights_from is not None:
        document["datasets"][name]["segmentation"]["weights_from"] = weights_from
    text = io.StringIO()
    yaml.dump(document, text)
    check(text.getvalue(), layout.PARAMS)
    unfinished = layout.PARAMS.with_suffix(".yaml.unfinished")
    unfinished.write_text(text.getvalue())
    unfinished.replace(layout.PARAMS)


def _entry(document: Any, name: str, path: Path, like: str) -> Any:
    groups = [document["catalog"], document["datasets"]]
    found = next((group[like] for group in groups if like in group), None)
    if found is None:
        there = ", ".join([*document["catalog"], *document["datasets"]])
        raise InputError(f"there is no {like} to copy: say which with --like; there are {there}")
    if "path" not in found["source"]:
        raise InputError(f"{like} is built in and has no path: copy another with --like")
    entry = copy.deepcopy(found)
    entry["source"]["path"] = str(path.expanduser().resolve())
    if entry["segmentation"].get("weights_from") == like:
        entry["segmentation"]["weights_from"] = name
    return entry
