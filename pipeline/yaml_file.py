"""A YAML file -> plain values: text, numbers, true, false, null, lists and mappings with text as keys. Anything else is an InputError.

YAML can say more than a file of parameters may: dates, sets, references to itself, a few lines that stand for a billion values.
"""

from datetime import date
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.errors import InputError, one_line, shown

MOST_BYTES = 4_000_000
"""Ten thousand data sets; reading as much takes a minute."""
MOST_VALUES = 500_000
"""With each use of an anchor counted."""
MOST_LEVELS = 40
MOST_LETTERS = 200
"""Of a key."""

PLAIN = (str, int, float, bool, type(None))


def read(path: Path) -> Any:
    """The plain values of a file."""
    return values(read_text(path), path)


def read_text(path: Path) -> str:
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise InputError(f"{path} has {size:,} bytes: a file of parameters has at most {MOST_BYTES:,}")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text: {error}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def values(text: str, path: Path) -> Any:
    """The plain values of a text; `path` is for sentences."""
    try:
        found = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise InputError(f"{path} is no YAML: {line}{one_line(error.problem or error.context)}") from None
    except RecursionError:
        raise InputError(f"{path} is nested too deeply: at most {MOST_LEVELS} levels are allowed") from None
    except (YAMLError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:  # of its numbers, dates, tags
        raise InputError(f"{path} is no YAML: {one_line(error)}") from None
    _require_plain(found, path)
    return found


def _require_plain(found: Any, path: Path) -> None:
    """Walks without recursion, and ends: a value that holds itself, or an anchor used ten times within one used ten times, and so on."""
    todo: list[tuple[str, int, Any]] = [("", 0, found)]
    seen = 0
    while todo:
        where, level, value = todo.pop()
        seen += 1
        if level > MOST_LEVELS:
            raise InputError(f"{path}: {_short(where)} is nested too deeply: at most {MOST_LEVELS} levels are allowed")
        if seen > MOST_VALUES:
            raise InputError(f"{path} stands for more than {MOST_VALUES:,} values (an anchor that is used again and again?)")
        if isinstance(value, dict):
            for key in value:
                _require_text(key, f"{path}: {_short(where)}: " if where else f"{path}: ", "a key")
            todo += [(f"{where}.{key}".lstrip("."), level + 1, inner) for key, inner in value.items()]
        elif isinstance(value, list):
            todo += [(f"{where}.{number}", level + 1, inner) for number, inner in enumerate(value)]
        elif isinstance(value, str):
            _require_text(value, f"{path}: {_short(where)}: ", "a text")
        elif not isinstance(value, PLAIN):
            hint = " (put quotes around what is text)" if isinstance(value, date) else ""
            raise InputError(f"{path}: {_short(where)} is {shown(value)}: neither text, number, list, mapping, true, false nor null{hint}")


def _require_text(value: Any, where: str, what: str) -> None:
    """Keys stand in sentences and paths: a line break or half a surrogate pair in them would break both."""
    if not isinstance(value, str):
        raise InputError(f"{where}{what} must be text, found {shown(value)}; put quotes around it")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(f"{where}{what} cannot be written as UTF-8: {shown(value)}") from None
    if what == "a key" and not (value.isprintable() and len(value) <= MOST_LETTERS):
        raise InputError(f"{where}{what} must be at most {MOST_LETTERS} printable letters, found {shown(value)}")


def _short(where: str) -> str:
    return where if len(where) <= 120 else f"{where[:117]}..."
