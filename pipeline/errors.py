"""The one exception for what a person wrote or gave."""


class InputError(ValueError):
    """One sentence: which file or parameter, what was found, what is allowed. Shown without a traceback, never retried."""
