"""The audit log: who changed what, and who was refused.

It is a logger with its own name, `zerog.audit`, so that it can be stored apart. As JSON each part
is a field; it holds no token and no parameter of a job.

A client cannot flood it. What a caller changes is written at once, but at most once a second: what
comes meanwhile is written together when the second is over. Refused reads, and calls by unknown
callers, are only counted, by address, and written once a minute.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from zerog.model.origin import NOWHERE, Origin, trace_id_of

log = logging.getLogger("zerog.audit")

#: The first jobs and queues of a change are named, and all are counted.
MAX_NAMES = 100
CHANGE_SECONDS, REFUSAL_SECONDS = 1.0, 60.0
#: Lines that refusals make in their time; the last one sums up the other addresses.
MAX_REFUSAL_LINES = 30
#: Addresses that are told apart meanwhile.
MAX_ADDRESSES = 1000
_OTHERS = "other addresses"
#: What a client makes up is refused with one of these.
REFUSALS = frozenset({401, 403, 429})


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to which jobs, and how it ended."""

    verb: str
    #: The call, e.g. `POST /v1/jobs/{uuid}/cancel`.
    call: str
    queues: Sequence[str]
    jobs: Sequence[str]
    #: The status of the answer.
    status: int
    workers: Sequence[str] = ()
    #: The request that did it.
    origin: Origin = NOWHERE


@dataclass(slots=True)
class _Same:
    """Changes of one kind, in one second."""

    count: int = 0
    queues: dict[str, None] = field(default_factory=dict)
    jobs: list[str] = field(default_factory=list)
    job_count: int = 0
    workers: dict[str, None] = field(default_factory=dict)
    requests: dict[str, None] = field(default_factory=dict)
    traces: dict[str, None] = field(default_factory=dict)

    def add(self, change: Change) -> None:
        self.count += 1
        if change.origin.request_id is not None and len(self.requests) < MAX_NAMES:
            self.requests[change.origin.request_id] = None
        trace = trace_id_of(change.origin.trace_parent)
        if trace is not None and len(self.traces) < MAX_NAMES:
            self.traces[trace] = None
        for queue in change.queues[: MAX_NAMES - len(self.queues)]:
            self.queues[queue] = None
        for worker in change.workers[: MAX_NAMES - len(self.workers)]:
            self.workers[worker] = None
        self.jobs += change.jobs[: MAX_NAMES - len(self.jobs)]
        self.job_count += len(change.jobs)


@dataclass(slots=True)
class _Waiting:
    """What a caller has changed since its last line."""

    changes: dict[tuple[str, str, int], _Same] = field(default_factory=dict)
    addresses: dict[str, None] = field(default_factory=dict)

    def add(self, address: str, change: Change) -> None:
        kind = (change.verb, change.call, change.status)
        self.changes.setdefault(kind, _Same()).add(change)
        if len(self.addresses) < MAX_NAMES:
            self.addresses[address] = None


class Audit:
    """Writes the audit log of a process."""

    def __init__(self) -> None:
        #: What waits, of each caller that has had its line in this second.
        self._waiting: dict[str, _Waiting] = {}
        #: By caller (empty: nobody known), address and status.
        self._refusals: Counter[tuple[str, str, int]] = Counter()
        self._counting: asyncio.TimerHandle | None = None

    def changed(self, caller: str, address: str, change: Change) -> None:
        """Write down a change by a known caller, also one that was refused."""
        is_first = caller not in self._waiting
        self._waiting.setdefault(caller, _Waiting()).add(address, change)
        if is_first:
            self._write_changes(caller)

    def refused(self, caller: str, address: str, status: int) -> None:
        """Count a call that was refused."""
        key = (caller, address, status)
        if key not in self._refusals and len(self._refusals) >= MAX_ADDRESSES:
            key = ("", _OTHERS, status)
        self._refusals[key] += 1
        if self._counting is None:
            loop = asyncio.get_running_loop()
            self._counting = loop.call_later(REFUSAL_SECONDS, self._write_refusals)

    def close(self) -> None:
        """Write down what waits."""
        for caller in list(self._waiting):
            self._write_changes(caller)
        if self._counting is not None:
            self._counting.cancel()
            self._write_refusals()

    def _write_changes(self, caller: str) -> None:
        waiting = self._waiting.pop(caller, None)
        if waiting is None or not waiting.changes:  # a second without changes
            return
        self._waiting[caller] = _Waiting()
        asyncio.get_running_loop().call_later(CHANGE_SECONDS, self._write_changes, caller)
        changes = [
            {
                "verb": verb,
                "call": call,
                "status": status,
                "count": same.count,
                "queues": list(same.queues),
                "jobs": same.jobs,
                "jobCount": same.job_count,
                "workers": list(same.workers),
                "requestIds": list(same.requests),
                "traceIds": list(same.traces),
            }
            for (verb, call, status), same in waiting.changes.items()
        ]
        addresses = list(waiting.addresses)
        fields = {"caller": caller, "addresses": addresses, "changes": changes}
        told = "; ".join(map(_line, changes))
        others = f" and {len(addresses) - 1} others" if len(addresses) > 1 else ""
        log.info("%s from %s%s: %s", caller, addresses[0], others, told, extra={"fields": fields})

    def _write_refusals(self) -> None:
        counts, self._refusals, self._counting = self._refusals, Counter(), None
        lines: dict[tuple[str, str], Counter[int]] = {}
        for (caller, address, status), count in counts.most_common():
            key = (caller, address)
            if key not in lines and len(lines) >= MAX_REFUSAL_LINES - 1:
                key = ("", _OTHERS)
            lines.setdefault(key, Counter())[status] += count
        for (caller, address), statuses in lines.items():
            told = ", ".join(f"{status} {count} times" for status, count in statuses.items())
            fields = {
                "caller": caller,
                "address": address,
                "refused": {str(status): count for status, count in statuses.items()},
                "seconds": REFUSAL_SECONDS,
            }
            who = f"{caller or 'nobody known'} from {address}"
            log.info("refused: %s: %s", who, told, extra={"fields": fields})


def _line(change: dict[str, Any]) -> str:
    # As a client sent them: a line break must not begin a new line.
    queues = " ".join(change["queues"]).encode("unicode_escape").decode() or "-"
    workers = f", workers {' '.join(change['workers'])}" if change["workers"] else ""
    times = f", {change['count']} times" if change["count"] > 1 else ""
    return (
        f"{change['call']}: {change['status']}{times} (queues {queues}, {change['jobCount']} jobs"
        f"{workers})"
    )
