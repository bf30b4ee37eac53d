"""The one exception for what a person wrote or gave."""

import errno
import os
import re
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


def one_line(problem: object) -> str:
    """What an error says, cut where it is long: messages of libraries run over many lines."""
    line = " ".join(str(problem).split()) or type(problem).__name__
    return line if len(line) <= 200 else f"{line[:197]}..."


def named(name: str, problem: str) -> str:
    """A problem with the name of whose it is, unless it begins with that."""
    return problem if problem.startswith(f"{name}: ") else f"{name}: {problem}"


STORAGE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free some space"),
    errno.EFBIG: "files may not become so large here (ulimit -f, or the file system)",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "this user must be allowed to read or write it"),
    errno.EROFS: "it must be writable",
    errno.ENOTDIR: "something else stands in the way there",
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "raise the limit of open files (ulimit -n)"),
    errno.ENAMETOOLONG: "a shorter name is needed",
    errno.EIO: "the disk has an error",
}
"""What the disk can answer, and what to do about it. That a file is there already, or is a folder, is more likely our mistake."""


def storage_problem(error: BaseException | None, place: object = "") -> str | None:
    """One sentence, where an error or what it came from is the disk's answer and no mistake of ours; else None.

    It names the file, or, where the error does not know it, the place.
    """
    while error is not None:
        number = error.errno if isinstance(error, OSError) else _named_number(error)
        if number in STORAGE:
            where = str((isinstance(error, OSError) and error.filename) or place)
            return f"{where}: {os.strerror(number)}: {STORAGE[number]}, then run again; what was finished is kept".removeprefix(": ")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return None


def is_machine_fault(error: BaseException) -> bool:
    """Whether the machine failed (memory, the disk), which says nothing about what was read: the same may work the next time."""
    return is_out_of_memory(error) or storage_problem(error) is not None


def is_out_of_memory(error: BaseException) -> bool:
    """Python's, torch's on a GPU, or torch's on a CPU, which is a RuntimeError."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "allocate memory" in str(error)


def _named_number(error: BaseException) -> int:
    """Libraries in Rust and C++ have it in their texts alone."""
    text = str(error)
    named = re.search(r"os error (\d+)", text)
    return int(named[1]) if named else errno.ENOSPC if os.strerror(errno.ENOSPC) in text else 0
