"""The log of requests: one line for each call that changes something, or for every call.

A client cannot flood it: beyond `MAX_PER_SECOND` lines are counted, and the next one says how many.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

log = logging.getLogger("zerog.requests")

Logged = Literal["none", "changes", "all"]
MAX_PER_SECOND = 100
#: The first jobs of a call are named, and all are counted.
MAX_JOBS = 10


class RequestLog:
    """Writes the log of requests of a process."""

    def __init__(
        self, logged: Logged = "none", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logged = logged
        self._clock = clock
        self._second = self._written = self._left_out = 0

    def wrote(
        self, call: str, status: int, seconds: float, jobs: Sequence[str], *,
        changes: bool, about: dict[str, Any],
    ) -> None:  # fmt: skip
        """Write down a call that is answered."""
        if self._logged == "none" or not (changes or self._logged == "all"):
            return
        if (second := int(self._clock())) != self._second:
            self._second, self._written = second, 0
        if self._written >= MAX_PER_SECOND:
            self._left_out += 1
            return
        self._written += 1
        fields = {**about, "call": call, "status": status, "ms": round(seconds * 1000, 1)}
        told = ""
        if jobs:
            fields |= {"jobs": list(jobs[:MAX_JOBS]), "jobCount": len(jobs)}
            told = f", job {jobs[0]}" if len(jobs) == 1 else f", {len(jobs)} jobs"
        if self._left_out:
            fields["leftOut"], self._left_out = self._left_out, 0
            told += f" (and {fields['leftOut']} more requests)"
        log.info(
            "%s: %d in %.0f ms%s, request %s", call, status, seconds * 1000, told,
            about.get("requestId"), extra={"fields": fields},
        )  # fmt: skip
