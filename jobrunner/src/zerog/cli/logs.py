"""`zerog logs`: what a job has logged, as lines or as JSON, one object per line."""

import argparse
import json
from collections.abc import Iterator
from typing import Any

from zerog.cli import codes
from zerog.cli.arguments import LEVELS
from zerog.cli.info import lines_of_log
from zerog.cli.target import connect
from zerog.cli.words import show, show_json
from zerog.client import Client


def command_logs(options: argparse.Namespace) -> int:
    """Print a job's log."""
    with connect(options) as client:
        for line in _lines(client, options):
            if not is_wanted(line, options.attempt, options.level):
                continue
            if options.json:
                show_json(json.dumps(line))
            else:
                for text in lines_of_log(line):
                    show(text)
    return codes.OK


def _lines(client: Client, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    if not options.follow:
        yield from client.log(options.uuid)
        return
    for event in client.stream(options.uuid):
        if event.kind == "log":
            yield event.data


def is_wanted(line: dict[str, Any], attempt: int | None, level: str | None) -> bool:
    """Whether a line is one of this attempt, and as serious as this level."""
    if attempt is not None and line["attempt"] != attempt:
        return False
    wanted = LEVELS[LEVELS.index(level) :] if level else LEVELS
    # An unknown level was written by a newer worker: it is shown rather than lost.
    return line["level"] in wanted or line["level"] not in LEVELS
