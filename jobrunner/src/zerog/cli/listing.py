"""`zerog list`: jobs, newest first, once or again and again."""

import argparse
import sys
import time
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from rich.live import Live

from zerog.cli import codes
from zerog.cli.choice import which
from zerog.cli.output import Column, Table, print_json, print_table
from zerog.cli.target import connect
from zerog.cli.words import short_time
from zerog.client import Client
from zerog.console import ShownConsole
from zerog.model.errors import ConfigError
from zerog.model.record import UNFINISHED, parse_time

#: Between two looks of `--watch`.
LOOK_SECONDS = 2.0
#: Lines of the screen that are not for jobs: the head of the table, and the last one.
_OTHER_LINES = 2
#: What a terminal of 80 columns has room for; a wider one has more of the last two.
_SHORT = (
    Column("JOB"), Column("TYPE", least=12), Column("STATE"), Column("CODE"), Column("AGE"),
    Column("MESSAGE", least=12, optional=True),
)  # fmt: skip
_LONG = ("JOB", "TYPE", "STATE", "CODE", "ATTEMPT", "CREATED (UTC)", "MESSAGE")


def command_list(options: argparse.Namespace) -> int:
    """List jobs."""
    if options.watch and (options.json or not sys.stdout.isatty()):
        raise ConfigError("--watch needs a terminal: `zerog watch UUID --json` waits for one job")
    with connect(options) as client:
        if options.watch:
            return _watch(client, options)
        jobs = _find(client, options, options.limit)
    if options.json:
        print_json(jobs)
        return codes.OK
    if sys.stdout.isatty():
        _short(jobs).print(_empty(options))
        return codes.OK
    rows = [
        (
            job["uuid"],
            job["type"],
            job["state"],
            job["resultCode"],
            job["attempt"],
            job["createdTime"][:19].replace("T", " "),
            job.get("message"),
        )
        for job in jobs
    ]
    print_table(_LONG, rows, _empty(options))
    return codes.OK


def _empty(options: argparse.Namespace) -> str:
    if which(options):
        return "No matching jobs; `zerog list` shows all."
    return "There are no jobs yet; `zerog run TYPE` creates one."


def _find(client: Client, options: argparse.Namespace, limit: int) -> list[dict[str, Any]]:
    found = client.list(page_size=max(1, min(limit, 100)), **which(options))
    return list(islice(found, limit))


def _watch(client: Client, options: argparse.Namespace) -> int:
    """Show jobs on the whole screen until ^C; what was there before comes back then."""
    console = ShownConsole()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            room = max(1, console.height - _OTHER_LINES)
            jobs = _find(client, options, min(options.limit, room))
            live.update(_short(jobs).shown(console, _empty(options)), refresh=True)
            time.sleep(LOOK_SECONDS)


def _short(jobs: list[dict[str, Any]]) -> Table:
    now = datetime.now(UTC)
    rows = []
    for job in jobs:
        code = None if job["resultCode"] == UNFINISHED else job["resultCode"]
        age = short_time((now - parse_time(job["createdTime"])).total_seconds())
        message = job.get("message", "")
        said = "" if message == job["state"] else message
        rows.append((job["uuid"], job["type"], job["state"], code, age, said))
    return Table(_SHORT, rows)
