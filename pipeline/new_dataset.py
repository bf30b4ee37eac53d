"""Adds a data set to params.yaml, as a copy of an entry of the catalog or of `datasets`; comments stay."""

import copy
import io
import shutil
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline import layout
from pipeline.errors import InputError
from pipeline.params_file import parsed
from pipeline.yaml_file import read_text


def run(name: str, path: Path, like: str, weights_from: str | None = None) -> None:
    """`weights_from`: the data set whose segmentation model labels this one, where it is not the entry's own choice.

    Leaves the file as it is, whatever is refused.
    """
    if not layout.PARAMS.is_file():
        raise InputError(f"{layout.PARAMS} is not in this folder ({Path.cwd()}): call from the project's top folder")
    text = read_text(layout.PARAMS)
    params = parsed(text, layout.PARAMS)
    if name in params.datasets():
        raise InputError(f"{layout.PARAMS} has a data set {name} already: change it there, or choose another name")
    params.require_example(like)
    if not path.expanduser().is_dir():
        raise InputError(f"--path {path}: there is no such folder")
    _replace(_with_entry(text, name, path, like, weights_from))


def _with_entry(text: str, name: str, path: Path, like: str, weights_from: str | None) -> str:
    yaml = YAML()
    yaml.width = 1000
    yaml.preserve_quotes = True
    yaml.representer.add_representer(type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null"))
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(text)
    entry = _entry(document, name, path, like)
    if document.get("datasets") is None:
        document["datasets"] = {}
    document["datasets"][name] = entry
    if weights_from is not None:
        entry["segmentation"]["weights_from"] = weights_from
    changed = io.StringIO()
    yaml.dump(document, changed)
    parsed(changed.getvalue(), layout.PARAMS).require(name)
    return changed.getvalue()


def _replace(text: str) -> None:
    """All at once; a link stays one, and the file keeps its mode."""
    path = layout.PARAMS.resolve()
    unfinished = path.with_suffix(".yaml.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8")
        shutil.copymode(path, unfinished)
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def _entry(document: Any, name: str, path: Path, like: str) -> Any:
    groups = [document.get("catalog") or {}, document.get("datasets") or {}]
    found = next(group[like] for group in groups if like in group)
    if "path" not in found["source"]:
        raise InputError(f"{like} is built in and has no path: copy another with --like")
    entry = copy.deepcopy(found)
    entry["source"]["path"] = str(path.expanduser().resolve())
    if entry["segmentation"].get("weights_from") == like:
        entry["segmentation"]["weights_from"] = name
    return entry
