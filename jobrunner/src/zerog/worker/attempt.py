"""One attempt of a job in a child process: start it, end it in time, learn how it ended.

The child is asked first (a frame that `ctx.cancelled` shows), gets SIGTERM next, which raises in
`run`, and is killed last. Nobody waits for the child without a deadline but for the job's own run,
which may be endless by design.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property

from msgspec.structs import replace

from zerog.child.handle import ChildDeath, ChildHandle
from zerog.child.protocol import (
    CancelFrame,
    EndFrame,
    FromChild,
    LineFrame,
    ProgressFrame,
    RunFrame,
    SpanFrame,
    StateFrame,
    run_name,
)
from zerog.ledger.claims import Claim
from zerog.ledger.jobs import Jobs
from zerog.ledger.reports import Backlog, Reports
from zerog.model import events
from zerog.model.errors import JobError, StaleAttemptError
from zerog.model.record import Cost, JobState
from zerog.tracing import Tracing
from zerog.worker.joblog import JobLog
from zerog.worker.spans import AttemptSpan
from zerog.worker.verdict import Stop

log = logging.getLogger(__name__)


class RunningAttempt:
    """An attempt that runs in a child. `end` is set when it is over."""

    def __init__(
        self,
        claim: Claim,
        child: ChildHandle,
        jobs: Jobs,
        *,
        ask_seconds: float,
        term_seconds: float,
        backlog: Backlog,
        keeps_output: Callable[[str], bool] = lambda _type: True,
        traces: Tracing | None = None,
    ) -> None:
        record = claim.record
        self.claim = claim
        self.reports = Reports(jobs.store, record.uuid, record.attempt, backlog)
        self._span = None if traces is None else AttemptSpan(traces, record)
        self._keeps_output = keeps_output
        self.stop_reason: Stop | None = None
        self.end: events.RunEnd | ChildDeath | None = None
        #: Why the child cannot run another job; its memory after this one.
        self.spoiled: str | None = None
        self.rss_bytes = 0
        self.cost: Cost | None = None
        self._jobs = jobs
        self._run = run_name(record.uuid, record.attempt)
        self._started = time.monotonic()
        self._child = child
        self._ask_seconds = ask_seconds
        self._term_seconds = term_seconds
        self._unsaved_state: JobState | None = None
        self._over = asyncio.Event()
        self._next_signal: int | None = None
        self._next_signal_at = 0.0

    async def run(self) -> None:
        """Run the job to its end."""
        record = self.claim.record
        self._child.on_frame = self._take
        self._child.on_death = self._died
        self._child.on_printed = self._take_printed
        timeout = record.limits.timeout_seconds
        deadline = None if timeout is None else datetime.now(UTC) + timedelta(seconds=timeout)
        frame = RunFrame(
            self._run,
            record.uuid,
            record.attempt,
            record.type,
            self.claim.parameters,
            record.job_state,
            deadline,
            record.trace_parent if self._span is None else self._span.trace_parent,
        )
        try:
            self._child.send(frame)
        except ValueError as error:
            self._ended(events.Invalid(record.attempt, f"the parameters cannot be sent: {error}"))
        except Exception as error:  # without an end nobody would write one, nor free the entry
            log.exception("job %s cannot be sent to its process", record.uuid)
            self._ended(events.Raised(record.attempt, f"it cannot be sent: {error!r}"))
        await self._over.wait()

    def stop(self, reason: Stop) -> None:
        """Begin to end the job. A later reason replaces an earlier one only if it is `FENCED`.

        What is over already is left alone: its child may be running the next job.
        """
        if self._over.is_set():
            return
        if self.stop_reason is not None and reason is not Stop.FENCED:
            return
        first = self.stop_reason is None
        self.stop_reason = reason
        if reason is Stop.FENCED:
            self._child.kill(signal.SIGKILL)
        elif first:
            self._child.send(CancelFrame(self._run, str(reason)))
            # A job past its timeout had its time to look; it gets the signal at once.
            patience = self._ask_seconds if reason is Stop.CANCEL else 0.0
            self._next_signal, self._next_signal_at = signal.SIGTERM, time.monotonic() + patience

    def tick(self) -> None:
        """Do what is due: the timeout, the next signal. Called several times a second."""
        now = time.monotonic()
        timeout = self.claim.record.limits.timeout_seconds
        if timeout is not None and self.stop_reason is None and now - self._started >= timeout:
            self.stop(Stop.TIMEOUT)
        if self._next_signal is None or now < self._next_signal_at or self._over.is_set():
            return
        self._child.kill(self._next_signal)
        if self._next_signal == signal.SIGTERM:
            self._next_signal, self._next_signal_at = signal.SIGKILL, now + self._term_seconds
        else:
            self._next_signal = None

    async def write_reports(self) -> None:
        """Write what the job has reported since the last time, and the state it saved."""
        try:
            if self.reports.pending:
                await self.reports.try_flush()
                self._jobs.wakes.changed(self.claim.uuid, at_once=False)
            await self.save_state()
        except StaleAttemptError:
            self.stop(Stop.FENCED)

    async def save_state(self) -> None:
        """Write the state that the job saved last. A later one may come meanwhile."""
        state = self._unsaved_state
        if state is None:
            return
        try:
            event = events.Reported(self.claim.record.attempt, state)
            applied = await self._jobs.apply(self.claim.uuid, event, self.claim.kept)
            self.claim.kept = applied.kept
        except JobError as error:
            if not error.transient:
                raise
            return  # it is written the next time
        if self._unsaved_state is state:
            self._unsaved_state = None

    def _take(self, frame: FromChild) -> None:
        if frame.run != self._run or self._over.is_set():
            return  # of a process that an earlier job left behind
        match frame:
            case ProgressFrame():
                self.reports.take_completeness(frame.completeness, datetime.now(UTC))
            case LineFrame():
                self._log.take(frame)
            case SpanFrame():
                if self._span is not None:
                    self._span.take(frame)
            case StateFrame():
                self._unsaved_state = frame.state
            case EndFrame():
                self.spoiled, self.rss_bytes = frame.spoiled, frame.rss_bytes
                self.cost = self._child.meter.of_end(frame)
                # The attempt's number is the worker's to say.
                self._ended(_of_attempt(frame.end, self.claim.record.attempt))

    @cached_property
    def _log(self) -> JobLog:
        """What takes lines; most jobs write none."""
        record = self.claim.record
        return JobLog(record, self.reports, keeps_output=self._keeps_output(record.type))

    def _take_printed(self, data: bytes) -> None:
        if not self._over.is_set():
            self._log.take_printed(data)

    def _died(self, death: ChildDeath) -> None:
        if self._over.is_set():  # the child died idle, after the attempt
            return
        self.cost = self._child.meter.of_death(death.max_rss_bytes, death.cpu_seconds)
        self._ended(replace(death, place=self._log.place_of_crash()))

    def _ended(self, end: events.RunEnd | ChildDeath) -> None:
        if not self._over.is_set():
            self.end = end
            if "_log" in self.__dict__:
                self._log.close()
            if self._span is not None:
                self._span.end(end, self.stop_reason)
            self.reports.close()
            self._over.set()


def _of_attempt(end: events.RunEnd, attempt: int) -> events.RunEnd:
    if end.attempt == attempt:
        return end
    return events.Raised(attempt, f"its process reported the end of attempt {end.attempt}")
