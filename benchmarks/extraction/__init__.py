"""How near each back-end comes to the truth, on real data and on the built-in street."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    modality: str
    backend: str
    """And what sets it apart, such as its network."""
    data: str
    measure: str
    """With its unit, and which way is better."""
    value: str
    beside: str
    """The same measure of something known: no motion, the most frequent class, a published figure."""
