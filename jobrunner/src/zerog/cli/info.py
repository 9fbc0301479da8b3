"""`zerog info`: all that people want to know of one job."""

import argparse
import json
import math
from typing import Any

from zerog.cli import codes
from zerog.cli.output import print_json, print_table
from zerog.cli.target import connect
from zerog.cli.words import show
from zerog.model.record import UNFINISHED, parse_time
from zerog.shown import shown_block

#: What is below a line of the log stands behind its time and level.
_MARGIN = " " * 21


def command_info(options: argparse.Namespace) -> int:
    """Show a job: progress, attempts and log."""
    with connect(options) as client:
        info = client.info(options.uuid)
    if options.json:
        print_json(info)
        return codes.OK
    for name, text in facts(info):
        show(f"{name + ':':<13}{text}")
    show()
    print_attempts(info["attempts"])
    told = story(info)
    if told:
        show()
    for line in told:
        show(line)
    return codes.OK


def story(info: dict[str, Any]) -> list[str]:
    """Return the log, with why an attempt ended where no line of it says so."""
    lines = [line for name in ("events", "warnings", "errors") for line in info[name]]
    said = {(line["attempt"], line["message"]) for line in lines}
    ends = [
        {**item, "attempt": item["number"], "time": item["endedTime"], "level": item["cause"]}
        for item in info["attempts"]
        if item.get("message") and (item["number"], item["message"]) not in said
    ]
    # An attempt's end, which has no number, comes after its lines.
    ordered = sorted([*lines, *ends], key=lambda line: (line["attempt"], line.get("seq", math.inf)))
    return [text for line in ordered for text in _told(line)]


def _told(line: dict[str, Any]) -> list[str]:
    """Return a line of the log with the values that came with it; a traceback stands below it."""
    values = dict(line.get("data", {}))
    below = str(values.pop("traceback", "")).rstrip().splitlines()
    more = "".join(f" {name}={json.dumps(value)}" for name, value in values.items())
    head = f"{line['time'][11:19]} {line['level']:<11} {line['message']}{more}"
    return [shown_block(head, _MARGIN), *(f"{_MARGIN}{text}" for text in below)]


def facts(info: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is known of a job, a name and a text each."""
    code, message = info["resultCode"], info.get("message")
    found = [
        ("job", info["uuid"]),
        ("type", info["type"]),
        ("queue", info["queue"]),
        ("state", info["state"]),
        ("result code", None if code == UNFINISHED else str(code)),
        ("message", None if message == info["state"] else message),
        ("done", f"{info['completeness']:.0%}"),
        ("created", _utc(info.get("createdTime"))),
        ("started", _utc(info.get("startedTime"))),
        ("finished", _utc(info.get("finishedTime"))),
        ("not before", _utc(info.get("notBeforeTime"))),
    ]
    return [(name, text) for name, text in found if text is not None]


def print_attempts(attempts: list[dict[str, Any]]) -> None:
    """Print a job's attempts, one a line."""
    rows = [
        (
            attempt["number"],
            attempt["startedTime"][:19].replace("T", " "),
            _seconds(attempt),
            attempt.get("cause", "runs"),
            attempt["worker"]["name"],
        )
        for attempt in attempts
    ]
    columns = ("ATTEMPT", "STARTED (UTC)", "TOOK (s)", "CAUSE", "WORKER")
    print_table(columns, rows, "It was not started yet: `zerog workers` shows who could run it.")


def _utc(time: str | None) -> str | None:
    return None if time is None else f"{time[:19].replace('T', ' ')} UTC"


def _seconds(attempt: dict[str, Any]) -> str | None:
    if "endedTime" not in attempt:
        return None
    took = parse_time(attempt["endedTime"]) - parse_time(attempt["startedTime"])
    return f"{took.total_seconds():.2f}"
