"""Commands that change jobs: cancel, retry, delete.

A change by filter may meet many jobs, of an API that is not the one somebody has in mind. So it
asks first, with the count and the address. Where nobody can be asked, `--yes` has to be given.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from zerog.cli import codes
from zerog.cli.output import print_json
from zerog.cli.target import connect, find
from zerog.cli.words import ask, counted, say, say_error, show
from zerog.client import ApiError, Client
from zerog.model.errors import ConfigError

#: Problems of the API that say something of one job only.
_OF_ONE_JOB = frozenset({"unknown-job", "job-state", "forbidden"})
#: The states in which a job can be changed, and those that a filter without states means.
_CHANGEABLE = {
    "cancel": ["queued", "running", "waiting"],
    "retry": ["succeeded", "failed", "cancelled"],
}
_STATES = {**_CHANGEABLE, "retry": ["failed"]}
_WHICH = {
    "cancel": "only jobs that are queued, running or waiting can be cancelled",
    "retry": "only finished jobs can run again",
}
#: What the API changes in one call.
_AT_ONCE = 1000


def command_cancel(options: argparse.Namespace) -> int:
    """Cancel jobs by UUID or by filter."""
    return _change(options, "cancel")


def command_retry(options: argparse.Namespace) -> int:
    """Replay finished jobs by UUID or by filter."""
    return _change(options, "retry")


def command_delete(options: argparse.Namespace) -> int:
    """Forget a finished job."""
    with connect(options) as client:
        client.delete(options.uuid)
    show(f"{options.uuid} forgotten")
    return codes.OK


def _change(options: argparse.Namespace, what: str) -> int:
    chosen = {"type": options.type, "state": options.state, "queue": options.queue}
    job_filter = {name: values for name, values in chosen.items() if values}
    if bool(options.uuid) == bool(job_filter):
        raise ConfigError(
            f"which jobs to {what}? Name them by UUID, or choose by --type, --state, --queue"
        )
    if job_filter and not options.yes and not _can_ask():
        raise ConfigError(
            f"this may {what} many jobs, and there is no terminal to ask on: "
            "give --yes if you mean it"
        )
    with connect(options) as client:
        if not job_filter:
            return _change_each(client, options, what)
        return _change_many(client, options, what, _changeable(what, job_filter))


def _changeable(what: str, job_filter: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return a filter without the states that the change does not apply to."""
    return {
        name: [value for value in values if name != "state" or value in _CHANGEABLE[what]]
        for name, values in job_filter.items()
    }


def _change_many(
    client: Client, options: argparse.Namespace, what: str, job_filter: Mapping[str, list[str]]
) -> int:
    if job_filter.get("state") == []:  # to the API this would mean all states
        told = f"no job to {what} is like that: {_WHICH[what]}"
        result: dict[str, Any] = {"changed": 0, "more": False}
    else:
        if not options.yes:
            count = _count(client, what, job_filter)
            if count and not ask(_question(what, count, job_filter, find(options).url)):
                say("nothing was changed")
                return codes.FAILED
        result = client.change_many(what, job_filter)
        told = _told(what, result["changed"], result["more"])
    if options.json:
        print_json(result)
    else:
        show(told)
    return codes.OK


def _can_ask() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _count(client: Client, what: str, job_filter: Mapping[str, Sequence[str]]) -> int:
    """Return how many jobs a change would meet; one more than it changes at once is enough."""
    found = client.list(
        types=job_filter.get("type", ()),
        states=job_filter.get("state", _STATES[what]),
        queues=job_filter.get("queue", ()),
    )
    return sum(1 for _ in islice(found, _AT_ONCE + 1))


def _question(what: str, count: int, job_filter: Mapping[str, Sequence[str]], url: str) -> str:
    many = counted(count, "job") if count <= _AT_ONCE else f"{_AT_ONCE:,} of more jobs"
    chosen = ", ".join(f"{name} {' or '.join(values)}" for name, values in job_filter.items())
    return f"{what} {many} ({chosen}) at {url}?"


def _change_each(client: Client, options: argparse.Namespace, what: str) -> int:
    """Change jobs one by one. One that is refused does not keep the others from it."""
    change = client.cancel if what == "cancel" else client.retry
    code, results = codes.OK, []
    for uuid in options.uuid:
        try:
            results.append(change(uuid))
        except ApiError as error:
            if error.code not in _OF_ONE_JOB:
                raise
            say_error(error, codes.hint_of(error))
            code = codes.FAILED
            continue
        if not options.json:
            show(f"{uuid} {_became(what, results[-1]['state'])}")
    if options.json:
        print_json(results)
    return code


def _became(what: str, state: str) -> str:
    """Say what a change has done to a job."""
    if what == "retry":
        return f"{state}: it runs again"
    return "cancelled" if state == "cancelled" else f"{state}: it was asked to stop"


def _told(what: str, count: int, more: bool) -> str:
    """Say in a sentence how many jobs a change by filter met."""
    if count == 0:
        return f"no job to {what} is like that; `zerog list` shows what there is"
    done = "cancelled, or asked to stop" if what == "cancel" else "run again"
    told = f"{counted(count, 'job')} {done}"
    return f"{told}; there are more: give the command again" if more else told
