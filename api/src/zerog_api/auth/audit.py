"""The audit log: one line for each change, and for each that was refused.

It is a logger of its own, `zerog.audit`, so that it can be kept apart. As JSON each part is a
field; no token and no parameter of a job is in it.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

log = logging.getLogger("zerog.audit")

#: A change of many jobs names the first ones and counts all.
MAX_JOBS = 100


@dataclass(frozen=True, slots=True)
class Change:
    """Who did what to which jobs, and how it ended."""

    #: Empty: nobody known.
    caller: str
    address: str
    verb: str
    #: The call, e.g. `POST /v1/jobs/{uuid}/cancel`.
    call: str
    queues: Sequence[str]
    jobs: Sequence[str]
    #: The status of the answer.
    status: int


def write(change: Change) -> None:
    """Write the line."""
    log.info(
        "%s %s: %d (%s, queues %s, %d jobs)",
        change.caller or "nobody",
        change.call,
        change.status,
        change.address,
        # As a client sent them: a line break must not begin a line of its own.
        " ".join(change.queues).encode("unicode_escape").decode() or "-",
        len(change.jobs),
        extra={
            "fields": {
                "caller": change.caller,
                "address": change.address,
                "verb": change.verb,
                "call": change.call,
                "queues": list(change.queues),
                "jobs": list(change.jobs[:MAX_JOBS]),
                "jobCount": len(change.jobs),
                "status": change.status,
            }
        },
    )
