"""The audit log: who changed what, and who was refused.

It is a logger with its own name, `zerog.audit`, so that it can be stored apart. As JSON each part
is a field; it holds no token and no parameter of a job.

A client cannot flood it. What a caller changes from one address is written at once, but at most
once a second: what comes meanwhile is written together when the second is over. Refused reads, and
calls of nobody known, are only counted, by address, and written once a minute.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger("zerog.audit")

#: The first jobs and queues of a change are named, and all are counted.
MAX_NAMES = 100
CHANGE_SECONDS, REFUSAL_SECONDS = 1.0, 60.0
#: Lines that refusals make in their time; the last one sums up the other addresses.
MAX_REFUSAL_LINES = 30
#: Addresses that are told apart meanwhile.
MAX_ADDRESSES = 1000
#: What a client makes up is refused with one of these.
REFUSALS = frozenset({401, 403, 429})


@dataclass(frozen=True, slots=True)
class Sender:
    """Who calls, from where. Without a caller: nobody known."""

    caller: str
    address: str


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


@dataclass(slots=True)
class _Same:
    """Changes of one kind, in one second."""

    count: int = 0
    queues: dict[str, None] = field(default_factory=dict)
    jobs: list[str] = field(default_factory=list)
    job_count: int = 0

    def add(self, change: Change) -> None:
        self.count += 1
        for queue in change.queues[: MAX_NAMES - len(self.queues)]:
            self.queues[queue] = None
        self.jobs += change.jobs[: MAX_NAMES - len(self.jobs)]
        self.job_count += len(change.jobs)


class Audit:
    """Writes the audit log of a process."""

    def __init__(self) -> None:
        #: The changes that wait, of each sender that has had its line in this second.
        self._changes: dict[Sender, dict[tuple[str, str, int], _Same]] = {}
        self._refusals: Counter[tuple[Sender, int]] = Counter()
        self._counting: asyncio.TimerHandle | None = None

    def changed(self, sender: Sender, change: Change) -> None:
        """Write down a change by a known caller, also one that was refused."""
        waiting = self._changes.get(sender)
        if waiting is None:
            waiting = self._changes[sender] = {}
            _add(waiting, change)
            self._write_changes(sender)
        else:
            _add(waiting, change)

    def refused(self, sender: Sender, status: int) -> None:
        """Count a call that was refused."""
        if (sender, status) not in self._refusals and len(self._refusals) >= MAX_ADDRESSES:
            sender = Sender("", "other addresses")
        self._refusals[sender, status] += 1
        if self._counting is None:
            loop = asyncio.get_running_loop()
            self._counting = loop.call_later(REFUSAL_SECONDS, self._write_refusals)

    def close(self) -> None:
        """Write down what waits."""
        for sender in list(self._changes):
            self._write_changes(sender)
        if self._counting is not None:
            self._counting.cancel()
            self._write_refusals()

    def _write_changes(self, sender: Sender) -> None:
        waiting = self._changes.pop(sender, None)
        if not waiting:  # a second without changes
            return
        self._changes[sender] = {}
        asyncio.get_running_loop().call_later(CHANGE_SECONDS, self._write_changes, sender)
        changes = [
            {
                "verb": verb,
                "call": call,
                "status": status,
                "count": same.count,
                "queues": list(same.queues),
                "jobs": same.jobs,
                "jobCount": same.job_count,
            }
            for (verb, call, status), same in waiting.items()
        ]
        told = "; ".join(map(_line, changes))
        fields = {"caller": sender.caller, "address": sender.address, "changes": changes}
        log.info("%s from %s: %s", sender.caller, sender.address, told, extra={"fields": fields})

    def _write_refusals(self) -> None:
        counts, self._refusals, self._counting = self._refusals, Counter(), None
        by_sender: dict[Sender, Counter[int]] = {}
        for (sender, status), count in counts.most_common():
            if sender not in by_sender and len(by_sender) >= MAX_REFUSAL_LINES - 1:
                sender = Sender("", "other addresses")
            by_sender.setdefault(sender, Counter())[status] += count
        for sender, statuses in by_sender.items():
            told = ", ".join(f"{status} {count} times" for status, count in statuses.items())
            fields = {
                "caller": sender.caller,
                "address": sender.address,
                "refused": {str(status): count for status, count in statuses.items()},
                "seconds": REFUSAL_SECONDS,
            }
            who = f"{sender.caller or 'nobody known'} from {sender.address}"
            log.info("refused: %s: %s", who, told, extra={"fields": fields})


def _add(waiting: dict[tuple[str, str, int], _Same], change: Change) -> None:
    waiting.setdefault((change.verb, change.call, change.status), _Same()).add(change)


def _line(change: dict[str, Any]) -> str:
    # As a client sent them: a line break must not begin a new line.
    queues = " ".join(change["queues"]).encode("unicode_escape").decode() or "-"
    times = f", {change['count']} times" if change["count"] > 1 else ""
    return (
        f"{change['call']}: {change['status']}{times} (queues {queues}, {change['jobCount']} jobs)"
    )
