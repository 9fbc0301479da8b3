"""How the commands speak to people: results on standard output, remarks on standard error, counts,
spans of time.

Every command writes by these functions and by `zerog.console`, and by nothing else: they make
foreign text harmless (`zerog.shown`). ruff forbids `print` elsewhere.
"""

import contextlib
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from zerog.shown import INDENT, shown, shown_block, shown_json, shown_lines


def show(text: str = "") -> None:
    """Print a result for people; lines after the first one are indented."""
    print(shown_block(text))


def show_row(cells: Sequence[str]) -> None:
    """Print a row for `grep` and `cut`: one line, its cells separated by tabs."""
    print("\t".join(map(shown, cells)))


def show_lines(text: str) -> None:
    """Print ZeroG's own lines unchanged: code for a shell."""
    print(shown_lines(text))


def show_json(text: str) -> None:
    """Print JSON that means the same, and holds nothing but what is seen."""
    print(shown_json(text))


def say(text: str = "") -> None:
    """Print a remark on standard error; on a terminal it is folded between words.

    A command continues when nobody reads its output.
    """
    with contextlib.suppress(OSError):
        print(folded(text), file=sys.stderr)


def ask(question: str) -> bool:
    """Ask on the terminal, return whether the answer is yes."""
    print(f"{folded(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def say_error(error: Exception, hint: str | None) -> None:
    """Say what went wrong, and what to do if there is a hint."""
    say(f"zerog: error: {error}")
    if hint:
        say(f"  {hint}")


def folded(text: str) -> str:
    """Return a remark so that it fits the terminal, if standard error is one.

    Only its first line begins at the margin. Indented lines stay as they are: they are to be
    copied.
    """
    text = shown_block(text)
    if not sys.stderr.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(
        line
        if line.startswith(" ")
        else textwrap.fill(line, width, subsequent_indent=INDENT, break_long_words=False)
        for line in text.split("\n")
    )


def held_text(kind: str, name: str, control: Mapping[str, Any]) -> str:
    """Say that a queue or a worker is held: since when, by whom and why, if that is known."""
    since, by, reason = (control.get(part) for part in ("since", "by", "reason"))
    how = "is paused" if kind == "queue" else "drains"
    # Our words come first: a name could pass for a remark of ours.
    text = (
        f"the {kind} {name} {how}"
        + (f" since {since}" if since else "")
        + (f", by {by}" if by else "")
    )
    return f"{text}: {reason}" if reason else text


def counted(number: int, noun: str) -> str:
    """Return how many there are: 1 job, 2,000 jobs."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def short_time(seconds: float) -> str:
    """Return a span of time in one unit: 12 s, 5 min, 3 h, 2 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
