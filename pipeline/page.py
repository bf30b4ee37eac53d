"""Pages that open from disk: their templates (beside the module that fills them) and the look that they share (page.css)."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def render(template: str, values: dict[str, Any]) -> str:
    """`template` is a file name in this folder; a name that it uses and `values` lacks is an error."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(template).render(values)
