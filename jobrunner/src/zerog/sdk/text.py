"""Make text of whatever a job hands over: exceptions, messages, tracebacks. Nothing here raises.

A job's objects may raise in `__str__`, hold lone surrogates, or be 40 MB long.
"""

import os
import re
import traceback
from pathlib import Path
from types import TracebackType

#: A traceback is cut in its middle: both ends say most.
MAX_TRACEBACK_CHARS = 8000
#: Nested exceptions (causes, groups) that a traceback shows.
_MAX_NESTED = 10
#: Files below belong to ZeroG and to Python, and not to a job's author.
_ZEROG_FOLDER = str(Path(__file__).parent.parent) + os.sep
_PYTHON_FOLDER = os.path.dirname(os.__file__) + os.sep
_SITE_FOLDERS = ("site-packages", "dist-packages")
_FILE_LINE = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
_OWN_FILE_ENDS = ("/zerog/sdk/invoke.py", "/asyncio/runners.py", "/asyncio/base_events.py")


def to_text(value: object) -> str:
    """Return a message as text that has a UTF-8 form; an exception is described."""
    if value is None:
        return ""
    text = describe(value) if isinstance(value, BaseException) else _str(value)
    return clean(text)


def describe(error: BaseException) -> str:
    """Return an exception in one line."""
    text = _str(error).strip()
    name = type(error).__name__
    return clean(f"{name}: {text}" if text else name)


def clean(text: str) -> str:
    """Replace lone surrogates, which have no UTF-8 form."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def cut(text: str, most: int) -> str:
    """Cut a text to this many characters, and say how many it had."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def trace(error: BaseException) -> str:
    """Return the traceback of an exception, without ZeroG's own frames."""
    try:
        shown = traceback.TracebackException(
            type(error), error, _skip_own(error.__traceback__), max_group_depth=_MAX_NESTED,
            max_group_width=_MAX_NESTED,
        )  # fmt: skip
        text = "".join(shown.format())
    except Exception as failure:  # also MemoryError and RecursionError
        text = f"{describe(error)}\n(no traceback: {type(failure).__name__})\n"
    if len(text) > MAX_TRACEBACK_CHARS:
        half = MAX_TRACEBACK_CHARS // 2
        text = f"{text[:half]}\n… ({len(text)} characters) …\n{text[-half:]}"
    return clean(text)


def is_authors(filename: str) -> bool:
    """Whether a file is a job author's: not ZeroG's, not Python's, not of an installed package."""
    if any(folder in filename for folder in _SITE_FOLDERS):
        return False
    return not filename.startswith((_ZEROG_FOLDER, _PYTHON_FOLDER, "<frozen"))


def place_in(report: str) -> str | None:
    """Return the file and line where a process stood by `faulthandler`'s report; None: unknown."""
    found = list(_FILE_LINE.finditer(report))
    found = [each for each in found if is_authors(each["file"])] or found
    return f"{found[0]['file']}:{found[0]['line']}" if found else None


def _skip_own(trace: TracebackType | None) -> TracebackType | None:
    found = trace
    while found is not None and found.tb_frame.f_code.co_filename.endswith(_OWN_FILE_ENDS):
        found = found.tb_next
    return found or trace


def _str(value: object) -> str:
    try:
        # Exactly a `str`: a subclass may raise in any of its methods.
        return str.__str__(value if isinstance(value, str) else str(value))
    # Not what the worker raises to end the job (`zerog.Stopped`).
    except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as error:
        return f"<{type(value).__name__} without a text: its __str__ raised {type(error).__name__}>"
