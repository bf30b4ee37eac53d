"""Back-ends, one small file each: extractors/<modality>/<backend>.py with one `build(...)`, named in params.yaml by the file.

What a modality's back-ends are given and return stands in its folder's `__init__.py`.
"""

import ast
import importlib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, ValidationError, create_model

from pipeline import params, provenance
from pipeline.errors import InputError
from pipeline.params_file import sentence

FOLDER = Path(__file__).parent

GIVEN = {
    "segmentation": ("clips", "model", "device"),
    "instances": ("clips", "palette", "min_pixels", "device"),
    "optical_flow": ("clips", "device"),
    "pose": ("clips", "device"),
    "edges": ("clips", "device"),
}
"""What the stage of a modality hands to a `build`; its other parameters are options."""


TYPES = {
    **{"Any": Any, "Literal": Literal, "NonNegativeFloat": NonNegativeFloat},
    **{name: getattr(params, name) for name in ("Count", "CountOrZero", "Few", "Fraction", "Pixels")},
}
"""What the options of a `build` may be annotated with: all that is no number in range is refused."""


def module_of(section: params.Backend) -> str:
    """`pipeline.extractors.<modality>.<backend>`; a wrong name lists the right ones."""
    modality = params.section_name(type(section))
    assert section.backend is not None, modality
    names = sorted(file.stem for file in (FOLDER / modality).glob("*.py") if file.stem != "__init__")
    if section.backend not in names:
        raise InputError(f"{modality}.backend is {section.backend!r}: there are {', '.join(names)}")
    return f"pipeline.extractors.{modality}.{section.backend}"


def check(section: params.Backend) -> None:
    """InputError for a back-end, library or option that is not there; reads the source of all it reaches without importing it."""
    if missing := missing_libraries(section):
        raise InputError("; ".join(missing))
    check_options(section)


def missing_libraries(section: params.Backend) -> list[str]:
    """A sentence for each library that the back-end needs and is not installed."""
    versions = provenance.library_versions(provenance.reached_modules(module_of(section)))
    return [
        f"{params.section_name(type(section))}.backend {section.backend} needs {name}, which is not installed: "
        "install it (docs/models.md), or choose another back-end"
        for name, version in versions.items()
        if version == provenance.NOT_INSTALLED
    ]


def check_options(section: params.Backend) -> None:
    """InputError for an option that its `build` does not take."""
    modality = params.section_name(type(section))
    options = _options(module_of(section), GIVEN[modality])
    try:
        options.model_validate(section.options)
    except ValidationError as error:
        raise InputError("; ".join(sentence(options, f"{modality}.options", problem) for problem in error.errors())) from None


def load(section: params.Backend, **given: Any) -> Any:
    """Builds the extractor with the section's options and what the stage itself gives."""
    check(section)
    module = module_of(section)
    assert set(given) == set(GIVEN[params.section_name(type(section))]), given
    wanted = [argument.arg for argument in _arguments(module)]
    build = importlib.import_module(module).build
    return build(**section.options, **{name: value for name, value in given.items() if name in wanted})


def _options(module: str, given: tuple[str, ...]) -> type[BaseModel]:
    """The options of a back-end, with the types that its `build` writes."""
    build, fields = _build(module), dict[str, Any]()
    last = zip(build.args.args[::-1], build.args.defaults[::-1], strict=False)
    defaults = {argument.arg: default for argument, default in [*last, *zip(build.args.kwonlyargs, build.args.kw_defaults, strict=True)]}
    for argument in _arguments(module):
        if argument.arg not in given:
            written = defaults.get(argument.arg)
            default = ast.literal_eval(written) if written else ...
            fields[argument.arg] = (ast.unparse(argument.annotation) if argument.annotation else "Any", default)
    model = create_model("Options", __config__=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False), **fields)
    model.model_rebuild(_types_namespace=TYPES)
    return model


def _arguments(module: str) -> list[ast.arg]:
    build = _build(module)
    return [*build.args.args, *build.args.kwonlyargs]


def _build(module: str) -> ast.FunctionDef:
    functions = [node for node in provenance.syntax_tree(module).body if isinstance(node, ast.FunctionDef)]
    return next(function for function in functions if function.name == "build")
