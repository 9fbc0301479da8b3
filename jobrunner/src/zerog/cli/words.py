"""How the commands speak to people: remarks on standard error, counts, spans of time."""

import contextlib
import shutil
import sys
import textwrap


def say(text: str) -> None:
    """Print a remark on standard error; on a terminal it is folded between words.

    A command continues when nobody reads its output.
    """
    with contextlib.suppress(OSError):
        print(folded(text), file=sys.stderr)


def say_error(error: Exception, hint: str | None) -> None:
    """Say what went wrong, and what to do if there is a hint."""
    say(f"zerog: error: {error}")
    if hint:
        say(f"  {hint}")


def folded(text: str) -> str:
    """Return a text so that it fits the terminal, if standard error is one.

    Indented lines stay as they are: they are to be copied.
    """
    if not sys.stderr.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(
        line if line.startswith(" ") else textwrap.fill(line, width, break_long_words=False)
        for line in text.split("\n")
    )


def counted(number: int, noun: str) -> str:
    """Return how many there are: 1 job, 2,000 jobs."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def short_time(seconds: float) -> str:
    """Return a span of time in one unit: 12 s, 5 min, 3 h, 2 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
