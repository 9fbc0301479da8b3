"""Which jobs a command is for: a filter from its options, and UUIDs from how they begin."""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from zerog.cli.parser import UUID_DIGITS
from zerog.cli.target import connect
from zerog.cli.words import short_time
from zerog.client.calls import filter_of
from zerog.model.errors import ConfigError, ZeroGError
from zerog.model.record import parse_time

#: Of jobs whose UUIDs begin alike, this many are listed.
MAX_ALIKE = 10
#: A UUID with its dashes.
_WHOLE = UUID_DIGITS + 4


def which(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the options choose, as arguments of `Client.list`; nothing: all jobs."""
    chosen = {
        "types": options.type,
        "states": options.state,
        "queues": options.queue,
        "labels": dict(options.label or ()),
        "causes": options.cause,
        "submitted_after": options.submitted_after,
        "submitted_before": options.submitted_before,
        "ended_after": options.ended_after,
        "ended_before": options.ended_before,
    }
    if len(chosen["labels"]) < len(options.label or ()):
        raise ConfigError("no job has one label with two values: give each --label once")
    return {name: value for name, value in chosen.items() if value}


def described(chosen: Mapping[str, Any]) -> str:
    """Say in words what is chosen."""
    names = {"submittedAfter": "submitted from", "submittedBefore": "submitted before",
             "endedAfter": "ended from", "endedBefore": "ended before"}  # fmt: skip
    parts = []
    for name, value in filter_of(**chosen).items():
        word = " and " if name == "label" else " or "
        many = word.join(value) if isinstance(value, list) else value
        parts.append(f"{names.get(name, name)} {many}")
    return ", ".join(parts)


def complete_uuids(options: argparse.Namespace) -> None:
    """Put whole UUIDs into the options, in place of what they begin with.

    Raises:
        ConfigError: Several jobs' UUIDs begin so.
        ZeroGError: No job's does.
    """
    given = getattr(options, "uuid", None)
    if isinstance(given, str):
        options.uuid = _whole(options, given)
    elif given:
        options.uuid = [_whole(options, each) for each in given]


def _whole(options: argparse.Namespace, uuid: str) -> str:
    if len(uuid) == _WHOLE:
        return uuid
    with connect(options) as client:
        found = list(islice(client.list(uuid_prefix=uuid, page_size=MAX_ALIKE + 1), MAX_ALIKE + 1))
    if not found:
        raise ZeroGError(f"no job's UUID begins with {uuid}; finished jobs expire")
    if len(found) > 1:
        raise ConfigError("\n".join([f"several jobs' UUIDs begin with {uuid}:", *_lines(found)]))
    return str(found[0]["uuid"])


def _lines(jobs: list[dict[str, Any]]) -> list[str]:
    now = datetime.now(UTC)
    lines = [
        f"  {job['uuid']}  {job['type']}  {job['state']}  "
        f"{short_time((now - parse_time(job['createdTime'])).total_seconds())} ago"
        for job in jobs[:MAX_ALIKE]
    ]
    return [*lines, "  …"] if len(jobs) > MAX_ALIKE else lines
