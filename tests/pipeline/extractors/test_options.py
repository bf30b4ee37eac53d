"""Options are refused by what `build` writes about them, before any work."""

import pytest
from pydantic import ValidationError

from pipeline import extractors

LOGITS = ("min_point_score",)
"""May be any finite number."""


def numbers() -> list[tuple[str, str, str]]:
    """Modality, back-end and name of every option that takes a number."""
    found = []
    for modality, given in extractors.GIVEN.items():
        for file in sorted((extractors.FOLDER / modality).glob("[!_]*.py")):
            fields = extractors._options(f"pipeline.extractors.{modality}.{file.stem}", given).model_fields
            kinds = {name: str(field.annotation) for name, field in fields.items()}
            found += [(modality, file.stem, name) for name, kind in kinds.items() if "int" in kind or "float" in kind or "[0, " in kind]
    return [case for case in found if case[2] != "precision"]


@pytest.mark.parametrize(("modality", "backend", "name"), numbers())
def test_every_number_among_the_options_has_a_range(modality, backend, name):
    options = extractors._options(f"pipeline.extractors.{modality}.{backend}", extractors.GIVEN[modality])
    for wrong in ["3", float("nan"), float("inf"), *([] if name in LOGITS else [-1])]:
        with pytest.raises(ValidationError) as refused:
            options.model_validate({name: wrong})
        assert name in {problem["loc"][0] for problem in refused.value.errors() if problem["type"] != "missing"}


def test_the_options_with_numbers_are_found():
    assert {name for _, _, name in numbers()} >= {"updates", "shortest_side", "score", "margin", "low", "enlarge", "tile", *LOGITS}
