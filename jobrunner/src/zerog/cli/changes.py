"""Commands that change jobs: cancel, retry, delete.

A change by filter may affect many jobs, and the API may not be the intended one. So it asks first,
with the count and the address. Without a terminal to ask on, it needs `--yes`.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from zerog.cli import codes
from zerog.cli.choice import described, which
from zerog.cli.output import print_json
from zerog.cli.target import connect, find
from zerog.cli.words import ask, counted, say, say_error, show
from zerog.client import ApiError, Client
from zerog.client.calls import filter_of
from zerog.model.errors import ConfigError

#: Problems of the API that say something of one job only.
_OF_ONE_JOB = frozenset({"unknown-job", "job-state", "forbidden"})
#: The states in which a job can be changed, and those that a filter without states means.
_FINISHED = ["succeeded", "failed", "cancelled", "expired"]
_CHANGEABLE = {
    "cancel": ["queued", "running", "waiting"],
    "retry": _FINISHED,
    "delete": _FINISHED,
}
_STATES = {**_CHANGEABLE, "retry": ["failed"]}
_WHICH = {
    "cancel": "only jobs that are queued, running or waiting can be cancelled",
    "retry": "only finished jobs can run again",
    "delete": "only finished jobs can be deleted",
}
_DONE = {"cancel": "cancelled, or asked to stop", "retry": "run again", "delete": "deleted"}
#: What the API changes in one call.
_AT_ONCE = 1000


def command_cancel(options: argparse.Namespace) -> int:
    """Cancel jobs by UUID or by filter."""
    return _change(options, "cancel")


def command_retry(options: argparse.Namespace) -> int:
    """Replay finished jobs by UUID or by filter."""
    return _change(options, "retry")


def command_delete(options: argparse.Namespace) -> int:
    """Delete finished jobs by UUID or by filter."""
    return _change(options, "delete")


def _change(options: argparse.Namespace, what: str) -> int:
    chosen = which(options)
    if bool(options.uuid) == bool(chosen):
        raise ConfigError(
            f"which jobs to {what}? Name them by UUID, or choose by --type, --state, --queue, "
            "--label, --cause, --submitted-…, --ended-…"
        )
    if chosen and not (options.yes or options.dry_run) and not _can_ask():
        raise ConfigError(
            f"this may {what} many jobs, and there is no terminal to ask for confirmation: "
            "give --yes to confirm"
        )
    with connect(options) as client:
        if options.dry_run:
            return _preview(client, options, what, chosen)
        if not chosen:
            return _change_each(client, options, what)
        return _change_many(client, options, what, _changeable(what, chosen))


def _changeable(what: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return a filter without the states that the change does not apply to."""
    states = [state for state in chosen.get("states", ()) if state in _CHANGEABLE[what]]
    return {**chosen, "states": states} if "states" in chosen else {**chosen}


def _preview(
    client: Client, options: argparse.Namespace, what: str, chosen: Mapping[str, Any]
) -> int:
    """Say which jobs would change, and change none."""
    if chosen:
        jobs = list(islice(_matching(client, what, _changeable(what, chosen)), _AT_ONCE + 1))
    else:
        found = [client.info(uuid) for uuid in options.uuid]
        jobs = [job for job in found if job["state"] in _CHANGEABLE[what]]
    if options.json:
        print_json({"wouldChange": [job["uuid"] for job in jobs[:_AT_ONCE]],
                    "more": len(jobs) > _AT_ONCE})  # fmt: skip
        return codes.OK
    for job in jobs[:_AT_ONCE]:
        show(f"{job['uuid']} {job['type']} {job['state']}")
    say(f"{_many(len(jobs))} would be changed by {what}; nothing was changed")
    return codes.OK


def _change_many(
    client: Client, options: argparse.Namespace, what: str, chosen: Mapping[str, Any]
) -> int:
    if chosen.get("states") == []:  # to the API this would mean all states
        told = f"no matching job: {_WHICH[what]}"
        result: dict[str, Any] = {"changed": 0, "more": False}
    else:
        if not options.yes:
            count = sum(1 for _ in islice(_matching(client, what, chosen), _AT_ONCE + 1))
            if count and not ask(_question(what, count, chosen, find(options).url)):
                say("nothing was changed")
                return codes.FAILED
        result = client.change_many(what, filter_of(**chosen))
        told = _told(what, result["changed"], result["more"])
    if options.json:
        print_json(result)
    else:
        show(told)
    return codes.OK


def _can_ask() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _matching(client: Client, what: str, chosen: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the jobs that a change would meet."""
    if chosen.get("states") == []:
        return iter(())
    return client.list(**{"states": _STATES[what], **chosen})


def _many(count: int) -> str:
    """Say how many jobs were found; one more than are changed at once is enough."""
    return counted(count, "job") if count <= _AT_ONCE else f"the first {_AT_ONCE:,} matching jobs"


def _question(what: str, count: int, chosen: Mapping[str, Any], url: str) -> str:
    return f"{what} {_many(count)} ({described(chosen)}) at {url}?"


def _change_each(client: Client, options: argparse.Namespace, what: str) -> int:
    """Change jobs one by one. One that is rejected does not prevent the others."""
    code, results = codes.OK, []
    for uuid in options.uuid:
        try:
            results.append(_change_one(client, what, uuid))
        except ApiError as error:
            if error.code not in _OF_ONE_JOB:
                raise
            say_error(error, codes.hint_of(error))
            code = codes.FAILED
            continue
        if not options.json:
            show(f"{uuid} {_became(what, results[-1].get('state', ''))}")
    if options.json:
        print_json(results)
    return code


def _change_one(client: Client, what: str, uuid: str) -> dict[str, Any]:
    """Change a job, return its progress; of one that is deleted only its UUID is left."""
    if what == "delete":
        client.delete(uuid)
        return {"uuid": uuid}
    return client.cancel(uuid) if what == "cancel" else client.retry(uuid)


def _became(what: str, state: str) -> str:
    """Say what a change has done to a job."""
    if what == "delete":
        return "deleted"
    if what == "retry":
        return f"{state}: it runs again"
    return "cancelled" if state == "cancelled" else f"{state}: it was asked to stop"


def _told(what: str, count: int, more: bool) -> str:
    """Say in a sentence how many jobs a change by filter met."""
    if count == 0:
        return f"no matching job to {what}; `zerog list` shows all jobs"
    told = f"{counted(count, 'job')} {_DONE[what]}"
    return f"{told}; there are more: repeat the command" if more else told
