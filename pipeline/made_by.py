"""What made the results of a journey, stage by stage: keys, parameters, code, libraries."""

import json
from dataclasses import dataclass
from typing import Any

from pipeline.params import Section
from pipeline.store import key_of

SHORT = 12
"""Enough digits to tell two keys or digests apart."""


@dataclass(frozen=True)
class Made:
    stage: str
    results: int
    key: str
    """Of its result, shortened; of several results, a digest of their keys."""
    code: str
    """Digest of the code, shortened; empty where the files do not say it."""
    device: str
    parameters: dict[str, str]
    """Those that count in the key, flat: `generator.width` -> 16."""


def made(made_by: dict[str, Any], attributes: dict[str, dict[str, Any]], sections: dict[str, Section]) -> list[Made]:
    """`made_by` is the report's own, `attributes` those of one clip's files by stage; `sections` of stages whose files do not say."""
    inputs: dict[str, dict[str, str]] = {**made_by.get("inputs", {}), "report": {"*": made_by["key"]}}
    attributes = {**attributes, "report": made_by}
    return [_made(stage, keys, attributes.get(stage, {}), sections.get(stage)) for stage, keys in inputs.items()]


def _made(stage: str, keys: dict[str, str], attributes: dict[str, Any], section: Section | None) -> Made:
    own = section.counted() if section else attributes.get("parameters", {}).get("p", {})
    key = next(iter(keys.values())) if len(keys) == 1 else key_of(keys)
    return Made(stage, len(keys), key[:SHORT], attributes.get("code", "")[:SHORT], attributes.get("device", ""), _flat(own))


def libraries(attributes: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Name -> version; several where the stages ran with different ones."""
    found: dict[str, set[str]] = {}
    for of_stage in attributes.values():
        for name, version in of_stage.get("libraries", {}).items():
            found.setdefault(name, set()).add(version)
    return {name: ", ".join(sorted(versions)) for name, versions in sorted(found.items())}


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in values.items():
        nested = isinstance(value, dict) and value
        flat |= _flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value if isinstance(value, str) else json.dumps(value)}
    return flat
