"""How the commands print: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from zerog.cli.words import counted, say, show_json, show_row
from zerog.console import ShownConsole
from zerog.model.errors import ConfigError
from zerog.shown import shown, shown_json, shown_name

#: What a terminal gets to see of a job's data: lines, and characters of one text.
SHOWN_LINES, SHOWN_CHARACTERS = 40, 200
#: Spaces between two columns.
GAP = 2
STATE_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "expired": "yellow",
    "running": "cyan",
    "waiting": "magenta",
}


def as_json(value: Any, encoding: str, indent: int | None = 2) -> str:
    """Return a value as JSON that can be written in an encoding."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    show_json(as_json(value, sys.stdout.encoding))


def print_data(data: Any, uuid: str) -> None:
    """Print a job's data as JSON: whole into a pipe, what fits on a screen to a terminal."""
    whole = as_json(data, sys.stdout.encoding)
    if not sys.stdout.isatty():
        show_json(whole)
        return
    text = shortened(data)
    show_json(text)
    if text != whole:
        size = counted(len(whole.encode()), "byte")
        say(f"only a part of {size} is shown; to write all of it:\n  zerog data {uuid} -o FILE")


def shortened(data: Any) -> str:
    """Return data as JSON, without what is too long for a screen."""
    lines = as_json(_cut(data), sys.stdout.encoding).split("\n")
    return "\n".join(lines if len(lines) <= SHOWN_LINES else [*lines[: SHOWN_LINES - 1], "…"])


def _cut(value: Any) -> Any:
    """Return a value with its long texts cut."""
    if isinstance(value, str) and len(value) > SHOWN_CHARACTERS:
        return f"{value[: SHOWN_CHARACTERS // 2]}… ({len(value):,} characters)"
    # An item takes a line at least: more of them would not be shown.
    if isinstance(value, list):
        return [_cut(item) for item in value[: SHOWN_LINES + 1]]
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in islice(value.items(), SHOWN_LINES + 1)}
    return value


def write_data(path: str, data: Any, uuid: str, *, quiet: bool) -> None:
    """Write a job's data into a file and say so. `ConfigError` if it cannot be written."""
    # The file may be shown on a terminal, too: `cat` obeys what it holds.
    text = shown_json(as_json(data, "utf-8", indent=None)) + "\n"
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot write the output to {path}: {error.strerror}; the job has finished, and this "
            f"prints its output:\n  zerog data {uuid}"
        ) from error
    if not quiet:
        say(f"the output is in {path} ({counted(len(text.encode()), 'byte')})")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, and what becomes of it on a narrow terminal."""

    name: str
    #: Its texts are cut to this many characters at least; None: never.
    least: int | None = None
    #: Where that is not enough, it is left out: of several the last one first.
    optional: bool = False


class Table:
    """Rows for a terminal, or for programs."""

    def __init__(self, columns: Sequence[Column | str], rows: Sequence[Sequence[Any]]) -> None:
        self._columns = [Column(each) if isinstance(each, str) else each for each in columns]
        self._rows = rows

    def print(self, empty: str) -> None:
        """Print it, or a sentence when there is nothing in it."""
        if not self._rows:
            say(empty)
            return
        console = ShownConsole()
        if console.is_terminal:
            # Where nothing can give way any more, the terminal folds: no UUID is cut.
            shown = [width for width in self._widths(console.width) if width]
            wide = ShownConsole(width=max(console.width, sum(shown) + GAP * len(shown)))
            wide.print(self.shown(console, empty), crop=False)
            return
        # Plain and complete, for grep and cut.
        for row in [[column.name for column in self._columns], *self._rows]:
            show_row(_cells(row))

    def shown(self, console: ShownConsole, empty: str) -> RenderableType:
        """Return it as it is shown on a terminal."""
        if not self._rows:
            return Text(empty)
        made = RichTable(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
        widths = self._widths(console.width)
        for column, width in zip(self._columns, widths, strict=True):
            if width:
                made.add_column(column.name, no_wrap=True, width=width, overflow="ellipsis")
        for row in self._rows:
            cells = zip(_cells(_heads(row)), widths, strict=True)
            made.add_row(*(_styled(text) for text, width in cells if width))
        return made

    def _widths(self, room: int) -> list[int]:
        rows = [[column.name for column in self._columns], *map(_heads, self._rows)]
        wanted = [max(map(cell_len, cells)) for cells in zip(*map(_cells, rows), strict=True)]
        return fitting(self._columns, wanted, room)


def fitting(columns: Sequence[Column], wanted: Sequence[int], room: int) -> list[int]:
    """Return how wide each column is, 0 for one that is left out. Pure.

    A column that may be cut gives way as far as needed, the widest first.
    """
    shown = [number for number, _ in enumerate(columns)]
    while True:
        widths = {number: wanted[number] for number in shown}
        over = sum(widths.values()) + GAP * (len(shown) - 1) - room
        while over > 0:
            flexible = {
                number: width
                for number, width in widths.items()
                if (least := columns[number].least) is not None
                and width > max(least, len(columns[number].name))
            }
            if not flexible:
                break
            widths[max(flexible, key=lambda number: flexible[number])] -= 1
            over -= 1
        leaving = [number for number in shown if columns[number].optional]
        if over <= 0 or not leaving:
            return [widths.get(number, 0) for number, _ in enumerate(columns)]
        shown.remove(leaving[-1])


def print_table(columns: Sequence[Column | str], rows: Sequence[Sequence[Any]], empty: str) -> None:
    """Print a table, or a sentence when there is nothing in it."""
    Table(columns, rows).print(empty)


def _cells(row: Sequence[Any]) -> list[str]:
    """Return a row's texts, each in one line; the first one cannot pass for a remark."""
    first, *others = ("-" if value is None else str(value) for value in row)
    return [shown_name(first), *map(shown, others)]


def _heads(row: Sequence[Any]) -> list[Any]:
    """Return a row with the first line of each text."""
    return [value.partition("\n")[0] if isinstance(value, str) else value for value in row]


def _styled(text: str) -> Text:
    return Text(text, style=STATE_STYLES.get(text, ""), no_wrap=True, overflow="ellipsis")
