"""How the commands print: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from zerog.cli.words import counted, say, show_json, show_row
from zerog.console import ShownConsole
from zerog.model.errors import ConfigError
from zerog.shown import shown, shown_json, shown_name

#: What a terminal gets to see of a job's data: lines, and characters of one text.
SHOWN_LINES, SHOWN_CHARACTERS = 40, 200
STATE_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
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
        say(f"not all of {size} is shown; to write it into a file:\n  zerog data {uuid} -o FILE")


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
            f"the data cannot be written to {path}: {error.strerror}; the job is done, this "
            f"prints its data:\n  zerog data {uuid}"
        ) from error
    if not quiet:
        say(f"the data is in {path} ({counted(len(text.encode()), 'byte')})")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
    """Print a table, or a sentence when there is nothing in it."""
    if not rows:
        say(empty)
        return
    console = ShownConsole()
    if not console.is_terminal:
        # Plain and complete, for grep and cut.
        for row in [columns, *rows]:
            show_row(_cells(row))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, column in enumerate(columns):
        # Only the last one gives way, so that each row is one line.
        table.add_column(column, no_wrap=number + 1 < len(columns))
    for row in rows:
        table.add_row(*map(_styled, _cells(_heads(row))))
    # Where that is not enough the terminal folds: no UUID is cut.
    cells = [_cells(_heads(row))[:-1] for row in [columns, *rows]]
    least = sum(max(map(len, column)) + 2 for column in zip(*cells, strict=True))
    wide = ShownConsole(width=max(console.width, least + len(columns[-1])))
    wide.print(table, crop=False)


def _cells(row: Sequence[Any]) -> list[str]:
    """Return a row's texts, each in one line; the first one cannot pass for a remark."""
    first, *others = ("-" if value is None else str(value) for value in row)
    return [shown_name(first), *map(shown, others)]


def _heads(row: Sequence[Any]) -> list[Any]:
    """Return a row with the first line of each text."""
    return [value.partition("\n")[0] if isinstance(value, str) else value for value in row]


def _styled(text: str) -> Text:
    return Text(text, style=STATE_STYLES.get(text, ""), no_wrap=True, overflow="ellipsis")
