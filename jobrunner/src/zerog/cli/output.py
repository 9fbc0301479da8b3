"""How the commands print: tables for people, JSON for programs, and where the API is."""

import argparse
import json
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from rich.text import Text

from zerog.client import Client
from zerog.client.calls import RETRY_SECONDS
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
    _tell_if_away(url)
    return Client(url, token=settings.token, token_file=settings.token_file, **more)


def _tell_if_away(url: str) -> None:
    """Say at once that the API does not answer: the client goes on trying for a while."""
    address = urlsplit(url)
    if not address.hostname or not sys.stderr.isatty():
        return
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname, port), timeout=2).close()
    except OSError as error:
        print(
            f"no answer from {url} yet ({error.strerror or error}): "
            f"trying for {RETRY_SECONDS:g} s, ^C stops",
            file=sys.stderr,
        )


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
    for number, column in enumerate(columns):
        # Only the last one gives way, so that each row is one line.
        table.add_column(column, no_wrap=number + 1 < len(columns))
    for row in rows:
        table.add_row(*[_styled(cell) for cell in row])
    console.print(table)


def short_time(seconds: float) -> str:
    """Return a span of time in one unit: 12 s, 5 min, 3 h, 2 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _text(value: Any) -> str:
    return "-" if value is None else str(value)


def _styled(value: Any) -> Text:
    text = _text(value)
    line = text.partition("\n")[0]
    return Text(line, style=STATE_STYLES.get(text, ""), no_wrap=True, overflow="ellipsis")
