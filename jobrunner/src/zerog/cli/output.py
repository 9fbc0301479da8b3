"""How the commands print: tables for people, JSON for programs, and where the API is."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from zerog.client import Client
from zerog.settings import DEFAULT_URL, ClientSettings, environment, load

#: Left by `zerog dev` in its data folder.
DEV_NOTE = Path(".zerog/dev.json")
STATE_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "running": "cyan",
    "waiting": "magenta",
}


def connect(options: argparse.Namespace, **more: Any) -> Client:
    """Return a client for the API that the options, the environment or `zerog dev` name."""
    settings = load(ClientSettings, environment(), url=options.url)
    url = settings.url or _dev_url() or DEFAULT_URL
    return Client(url, token=settings.token, token_file=settings.token_file, **more)


def _dev_url() -> str | None:
    try:
        note = json.loads(DEV_NOTE.read_text(encoding="utf-8"))
        os.kill(note["pid"], 0)
    except (OSError, ValueError, KeyError):
        return None
    return str(note["url"])


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
    """Print a table, or a sentence when there is nothing in it."""
    if not rows:
        print(empty, file=sys.stderr)
        return
    console = Console()
    if not console.is_terminal:
        # Plain and complete, for grep and cut.
        for row in [columns, *rows]:
            print("\t".join(_text(cell) for cell in row))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=column in ("JOB", "STATE"))
    for row in rows:
        table.add_row(*[_styled(cell) for cell in row])
    console.print(table)


def _text(value: Any) -> str:
    return "-" if value is None else str(value)


def _styled(value: Any) -> str:
    text = _text(value)
    style = STATE_STYLES.get(text)
    return f"[{style}]{text}[/]" if style else text.replace("[", "\\[")
