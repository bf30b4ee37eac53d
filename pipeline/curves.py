"""Loss curves as panels of a page: coordinates of lines in a small box, one panel for each term."""

from dataclasses import dataclass

import pandas as pd

WIDTH, HEIGHT = 240, 96
"""Units of the drawing, which is scaled to the page."""


@dataclass(frozen=True)
class Line:
    name: str
    points: str
    """As SVG writes them: x,y x,y ..."""
    last: float


@dataclass(frozen=True)
class Panel:
    term: str
    lines: list[Line]
    top: float
    """Value at the upper edge; the lower one is 0, or the smallest value below it."""
    bottom: float
    last_step: int


def panels(losses: dict[str, pd.DataFrame]) -> list[Panel]:
    """Tables with a column `step` and one for each term, by the name of their training; a term's lines share a panel."""
    terms = [term for table in losses.values() for term in table.columns if term != "step"]
    return [_panel(term, {name: table for name, table in losses.items() if term in table}) for term in dict.fromkeys(terms)]


def _panel(term: str, losses: dict[str, pd.DataFrame]) -> Panel:
    top = max(max(table[term].max() for table in losses.values()), 1e-6)
    bottom = min(0.0, *(table[term].min() for table in losses.values()))
    last_step = max(int(table["step"].max()) for table in losses.values())
    lines = [Line(name, _points(table, term, top, bottom, last_step), float(table[term].iloc[-1])) for name, table in losses.items()]
    return Panel(term, lines, float(top), float(bottom), last_step)


def _points(table: pd.DataFrame, term: str, top: float, bottom: float, last_step: int) -> str:
    x = table["step"] / last_step * WIDTH
    y = HEIGHT - (table[term] - bottom) / (top - bottom) * HEIGHT
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True) if b == b)  # a NaN breaks no page
