"""Back-ends, one small file each: extractors/<modality>/<backend>.py with one `build(...)`, named in params.yaml by the file.

What a modality's back-ends are given and return stands in its folder's `__init__.py`.
"""

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline import params
from pipeline.errors import InputError

FOLDER = Path(__file__).parent


def module_of(section: params.Backend) -> str:
    """`pipeline.extractors.<modality>.<backend>`; a wrong name lists the right ones."""
    modality = params.section_name(type(section))
    names = sorted(file.stem for file in (FOLDER / modality).glob("*.py") if file.stem != "__init__")
    if section.backend not in names:
        raise InputError(f"{modality}.backend is {section.backend!r}: there are {', '.join(names)}")
    return f"pipeline.extractors.{modality}.{section.backend}"


def load(section: params.Backend, **given: Any) -> Callable[..., Any]:
    """Builds the extractor with the section's options and what the stage itself gives."""
    build = importlib.import_module(module_of(section)).build
    names = list(inspect.signature(build).parameters)
    for option in section.options:
        if option not in names or option in given:
            allowed = [name for name in names if name not in given]
            where = f"{params.section_name(type(section))}.options.{option}"
            raise InputError(f"{where} is no option of {section.backend}: there are {', '.join(allowed) or 'none'}")
    extractor: Callable[..., Any] = build(**section.options, **{name: value for name, value in given.items() if name in names})
    return extractor
