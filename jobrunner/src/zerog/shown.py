"""Text that others wrote, made fit to be shown on a terminal or in a log.

Job data, log lines, names, problem texts: any of it may hold characters that move the cursor, set
the clipboard, reverse what is read or are not seen at all. They are shown as escapes. So are marks
that pile up on one letter until they cover the lines around it. Text may also hold line ends,
behind which it could pass for a remark of ours: so what begins at the margin is ours, and every
further line of a text is indented. Pure; showing twice changes nothing.

`zerog.cli.words`, `zerog.console` and `zerog.logs` are the only writers, and use it for all that
they write: no caller has to think of it.
"""

import json
import re
import unicodedata
from collections.abc import Callable

INDENT = "  "
#: More marks on one letter are escaped. Hebrew and Vietnamese in parts need three.
MAX_MARKS = 4
#: Printable for Python, and not seen: Unicode's Default_Ignorable_Code_Point as far as it is not a
#: control, format or unassigned character, and the empty Braille pattern.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0000-\U000e0fff]"
)


def shown(text: str) -> str:
    """Return a text as one line that holds nothing but what is seen."""
    return _replaced(text, lambda letter: letter.encode("unicode_escape").decode())


def shown_lines(text: str) -> str:
    """Return a text of ours or one in JSON: its lines stay where they are."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(shown(line.expandtabs()) for line in lines)


def shown_block(text: str, indent: str = INDENT) -> str:
    """Return a text whose lines after the first one are indented, at least so far."""
    first, *others = shown_lines(text).split("\n")
    below = (line if line.startswith(indent) else indent + line for line in others)
    return "\n".join([first, *(line.rstrip() for line in below)])


def shown_name(text: str) -> str:
    """Return a name with which a line begins: one that could pass for a remark is quoted."""
    return f'"{shown(text)}"' if ":" in text else shown(text)


def shown_json(text: str) -> str:
    """Return JSON that means the same, and holds nothing but what is seen."""
    lines = text.split("\n")
    return "\n".join(_replaced(line, lambda letter: json.dumps(letter)[1:-1]) for line in lines)


def _replaced(text: str, escape: Callable[[str], str]) -> str:
    if text.isascii() and text.isprintable():
        return text
    parts, marks = [], 0
    for letter in text:
        marks = marks + 1 if unicodedata.category(letter).startswith("M") else 0
        parts.append(letter if marks <= MAX_MARKS and _is_seen(letter) else escape(letter))
    return "".join(parts)


def _is_seen(letter: str) -> bool:
    """Whether a letter is a sign or a space: no control, format, half or unknown character."""
    if _INVISIBLE.match(letter):
        return False
    return letter.isprintable() or unicodedata.category(letter) == "Zs"
