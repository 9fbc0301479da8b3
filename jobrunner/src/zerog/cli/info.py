"""`zerog info`: all that people want to know of one job."""

import argparse
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from zerog.cli import codes
from zerog.cli.output import Column, print_json, print_table
from zerog.cli.target import connect
from zerog.cli.words import held_text, show
from zerog.client import Client
from zerog.client.calls import LEVEL_FIELDS, PAGE_LINES, lines_of
from zerog.model.record import UNFINISHED, parse_time
from zerog.shown import shown_block

#: What is below a line of the log stands behind its time and level.
_MARGIN = " " * 21
#: What is not said of a line: that it was printed, or written by `ctx`.
_STREAMS = (None, "stdout", "stderr", "output")


def command_info(options: argparse.Namespace) -> int:
    """Show a job: progress, attempts and log."""
    with connect(options) as client:
        pages = _pages(client, options.uuid)
        info = next(pages)
        if options.json:
            print_json(_joined(info, pages))
            return codes.OK
        for name, text in facts(info):
            show(f"{name + ':':<13}{text}")
        show()
        print_attempts(info["attempts"])
        lines = (line for page in chain([info], pages) for line in lines_of(page))
        for number, text in enumerate(story(info["attempts"], lines)):
            if number == 0:
                show()
            show(text)
    return codes.OK


def _pages(client: Client, uuid: str) -> Iterator[dict[str, Any]]:
    """Give a job's info page by page; a long log is never here as a whole."""
    page = client.info(uuid, limit=PAGE_LINES)
    yield page
    while (cursor := page.get("next")) is not None:
        page = client.info(uuid, limit=PAGE_LINES, cursor=cursor)
        yield page


def _joined(info: dict[str, Any], pages: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the first page with the lines of all."""
    for page in pages:
        for name in LEVEL_FIELDS:
            info[name] += page[name]
    return {**info, "next": None}


def story(attempts: Iterable[dict[str, Any]], lines: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Give the log, with why an attempt ended where no line of it says so."""
    ends = {
        item["number"]: {
            **item, "attempt": item["number"], "time": item["endedTime"], "level": item["cause"],
        }
        for item in attempts
        if item.get("message")
    }  # fmt: skip
    for line in lines:
        # An attempt's end comes after its lines.
        for number in [number for number in ends if number < line["attempt"]]:
            yield from lines_of_log(ends.pop(number))
        if line["message"] == ends.get(line["attempt"], {}).get("message"):
            del ends[line["attempt"]]
        yield from lines_of_log(line)
    for end in ends.values():
        yield from lines_of_log(end)


def lines_of_log(line: dict[str, Any]) -> list[str]:
    """Return a line of the log with the values that came with it; a traceback stands below it."""
    values = dict(line.get("data", {}))
    below = str(values.pop("traceback", "")).rstrip().splitlines()
    more = "".join(f" {name}={json.dumps(value)}" for name, value in values.items())
    by = f"[{line['logger']}] " if line.get("logger") not in _STREAMS else ""
    head = f"{line['time'][11:19]} {line['level']:<11} {by}{line['message']}{more}"
    return [shown_block(head, _MARGIN), *(f"{_MARGIN}{text}" for text in below)]


def facts(info: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is known of a job, a name and a text each."""
    code, message = info["resultCode"], info.get("message")
    labels, held = info.get("labels", {}), info.get("paused")
    found = [
        ("job", info["uuid"]),
        ("type", info["type"]),
        ("queue", info["queue"]),
        ("moved from", info.get("movedFrom")),
        ("state", info["state"]),
        ("result code", None if code == UNFINISHED else str(code)),
        ("message", None if message == info["state"] else message),
        ("done", f"{info['completeness']:.0%}"),
        ("created", _utc(info.get("createdTime"))),
        ("started", _utc(info.get("startedTime"))),
        ("finished", _utc(info.get("finishedTime"))),
        ("not before", _utc(info.get("notBeforeTime"))),
        ("paused", held and held_text("queue", info["queue"], held)),
        ("expires", _utc(info.get("expiresTime"))),
        ("cause", info.get("cause")),
        ("labels", ", ".join(f"{key}={value}" for key, value in labels.items()) or None),
    ]
    return [(name, text) for name, text in found if text is not None]


def print_attempts(attempts: list[dict[str, Any]]) -> None:
    """Print a job's attempts, one per line."""
    rows = [
        (
            attempt["number"],
            attempt["startedTime"][:19].replace("T", " "),
            _seconds(attempt),
            _number(attempt.get("cpuSeconds"), 1, "{:.2f}"),
            _number(attempt.get("peakBytes"), 1 << 20, "{:.0f}"),
            attempt.get("cause", "runs"),
            attempt["worker"]["name"],
        )
        for attempt in attempts
    ]
    columns = (
        "ATTEMPT",
        "STARTED (UTC)",
        "TOOK (s)",
        "CPU (s)",
        "PEAK (MiB)",
        "CAUSE",
        Column("WORKER", least=16),
    )
    print_table(columns, rows, "Not started yet: `zerog workers` shows which workers could run it.")


def _utc(time: str | None) -> str | None:
    return None if time is None else f"{time[:19].replace('T', ' ')} UTC"


def _number(value: float | None, unit: int, form: str) -> str | None:
    return None if value is None else form.format(value / unit)


def _seconds(attempt: dict[str, Any]) -> str | None:
    if "endedTime" not in attempt:
        return None
    took = parse_time(attempt["endedTime"]) - parse_time(attempt["startedTime"])
    return f"{took.total_seconds():.2f}"
