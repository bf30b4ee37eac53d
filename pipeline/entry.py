"""One data set of params.yaml with its sections merged, as what is refused before any work is found in it."""

from collections.abc import Callable
from typing import TypeVar

from pipeline import params
from pipeline.errors import InputError
from pipeline.params_file import Params

S = TypeVar("S", bound=params.Section)
T = TypeVar("T")


class Entry:
    def __init__(self, dataset: str, all_params: Params) -> None:
        self.dataset, self.where, self.all_params = dataset, all_params.where(dataset), all_params
        self.source = all_params.source(dataset)
        self.sections = {cls: all_params.section(cls, dataset) for cls in params.SECTIONS.values()}

    def section(self, cls: type[S]) -> S:
        section = self.sections[cls]
        assert isinstance(section, cls)
        return section

    def called(self, function: Callable[[S], T], section: S) -> T:
        """Its result; what it refuses is named with the data set."""
        try:
            return function(section)
        except InputError as error:
            raise InputError(f"{self.where}.{error}") from None
