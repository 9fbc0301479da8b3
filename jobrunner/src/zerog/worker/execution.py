"""One attempt in a child process: start it, end it in time, learn how it ended.

The child is asked first (a frame that `ctx.cancelled` shows), told next (SIGTERM, which
raises in `run`), and killed last. Nobody waits on the child without a deadline but for
the job's own run, which may be endless by design.
"""

import asyncio
import signal
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from zerog.child.handle import Child
from zerog.ledger.claim import Claim
from zerog.model.record import format_time
from zerog.sdk.outcome import Outcome
from zerog.worker.reports import Reports
from zerog.worker.verdict import Stop


@dataclass(frozen=True, slots=True)
class Death:
    """The child died before it said how the job ended."""

    exitcode: int
    oom: bool | None


class Execution:
    """An attempt that runs in a child."""

    def __init__(self, claim: Claim, child: Child, *, ask_seconds: float, term_seconds: float):
        self.claim = claim
        self.reports = Reports(claim.record.uuid, claim.record.attempt)
        self.stop_reason: Stop | None = None
        #: The last state that the job saved on the way and that is not written yet.
        self.unsaved_state: dict[str, Any] | None = None
        self.started = time.monotonic()
        self._child = child
        self._ask_seconds = ask_seconds
        self._term_seconds = term_seconds
        self._ended: asyncio.Future[Outcome | Death] = asyncio.get_running_loop().create_future()
        self._next_signal: int | None = None
        self._next_signal_at = 0.0

    async def run(self) -> Outcome | Death:
        """Run the job to its end."""
        record = self.claim.record
        self._child.on_frame = self._take
        self._child.on_death = self._died
        timeout = record.limits.timeout_seconds
        deadline = None
        if timeout is not None:
            deadline = (datetime.now(UTC) + timedelta(seconds=timeout)).timestamp()
        self._child.send(
            {
                "op": "run",
                "uuid": record.uuid,
                "type": record.type,
                "parameters": self.claim.parameters,
                "attempt": record.attempt,
                "state": record.job_state,
                "deadline": deadline,
                "cancelled": False,
            }
        )
        return await self._ended

    async def wait(self, seconds: float) -> None:
        """Wait for the end, but not longer than this."""
        await asyncio.wait([self._ended], timeout=seconds)

    def stop(self, reason: Stop) -> None:
        """Begin to end the job. A later reason replaces an earlier one only if it is `FENCED`.

        What has ended already is left alone: its child may be running the next job.
        """
        if self._ended.done():
            return
        if self.stop_reason is not None and reason is not Stop.FENCED:
            return
        first = self.stop_reason is None
        self.stop_reason = reason
        if reason is Stop.FENCED:
            self._child.kill(signal.SIGKILL)
        elif first:
            self._child.send({"op": "cancel", "why": str(reason), "uuid": self.claim.record.uuid})
            # A job past its timeout had its time to look; it is told at once.
            patience = self._ask_seconds if reason is Stop.CANCEL else 0.0
            self._next_signal, self._next_signal_at = signal.SIGTERM, time.monotonic() + patience

    def tick(self) -> None:
        """Do what is due: the timeout, the next signal. Called several times a second."""
        now = time.monotonic()
        timeout = self.claim.record.limits.timeout_seconds
        if timeout is not None and self.stop_reason is None and now - self.started >= timeout:
            self.stop(Stop.TIMEOUT)
        if self._next_signal is None or now < self._next_signal_at or self._ended.done():
            return
        self._child.kill(self._next_signal)
        if self._next_signal == signal.SIGTERM:
            self._next_signal, self._next_signal_at = signal.SIGKILL, now + self._term_seconds
        else:
            self._next_signal = None

    def _take(self, frame: dict[str, Any]) -> None:
        op = frame.get("op")
        if op == "outcome":
            if not self._ended.done():
                self._ended.set_result(Outcome.from_frame(frame))
        elif op == "state":
            state = frame.get("state")
            if isinstance(state, dict):
                self.unsaved_state = state
        else:
            self.reports.take(frame, format_time(datetime.now(UTC)))

    def _died(self, exitcode: int, oom: bool | None) -> None:
        if not self._ended.done():
            self._ended.set_result(Death(exitcode, oom))
