"""The one exception for what a person wrote or gave."""

import reprlib

_shown = reprlib.Repr()
_shown.maxstring = _shown.maxother = 80
_shown.maxlevel = 3


class InputError(ValueError):
    """One sentence: which file or parameter, what was found, what is allowed. Shown without a traceback, never retried."""


def shown(value: object) -> str:
    """A value as it stands in a sentence: on one line, and cut where it is long."""
    try:
        return _shown.repr(value)
    except ValueError:  # Python writes no integer of more than 4300 digits
        return "a number of thousands of digits"
