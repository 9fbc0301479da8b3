"""What a job sees of its run: reports go out, cancel and deadline come in.

A context talks to a `Channel`: the pipe to the worker in production (`zerog.child.reporter`), a
list in tests (`zerog.testing`). It may be used from any thread of the job, but not from a process
that the job forked, and not after `run` has ended.
"""

import logging
import math
import os
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sized
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, NoReturn, Protocol, TypeVar, overload

from zerog.model import jsontext
from zerog.model.documents import LogLine
from zerog.model.limits import MAX_LINE_DATA_BYTES, MAX_STATE_BYTES
from zerog.model.record import JobState
from zerog.sdk.log import LogBudget
from zerog.sdk.signals import Cancelled
from zerog.sdk.text import to_text
from zerog.sdk.values import NoJsonFormError, json_text

T = TypeVar("T")

#: A traceback is data of a line, with a few bytes around it.
_TRACE_BYTES = MAX_LINE_DATA_BYTES - 100


class Channel(Protocol):
    """Where reports go and where a cancel comes from. No method waits."""

    @property
    def lock(self) -> AbstractContextManager[object]:
        """What a thread may hold several times while it reports: a finalizer may report wherever
        memory is allocated."""

    def progress(self, completeness: float) -> None: ...

    def line(self, line: LogLine) -> None:
        """Report a log line; its data is JSON text."""

    def save_state(self, state: JobState) -> None:
        """Report the job's state, as JSON text."""

    def cancelled(self) -> bool: ...


class Context:
    """A job's view of its run."""

    def __init__(
        self,
        channel: Channel,
        *,
        uuid: str,
        attempt: int = 1,
        state: dict[str, Any] | None = None,
        deadline: datetime | None = None,
        trace_parent: str | None = None,
    ) -> None:
        self._channel = channel
        self._process = os.getpid()
        self._is_over = False
        self._log_budget = LogBudget()
        #: The job's UUID.
        self.uuid = uuid
        #: Which run of the job this is, from 1.
        self.attempt = attempt
        self._state: dict[str, Any] = state or {}
        #: What the record holds; None once that is uncertain, because the state was saved.
        self._known_state: bytes | None = json_text(state, "ctx.state") if state else b"{}"
        #: When the attempt will be ended, None without a timeout.
        self.deadline = deadline
        #: The span that this run is part of, as W3C's header `traceparent` names it: for calls to
        #: other services. None without one.
        self.trace_parent = trace_parent
        self._completeness = 0.0
        self._ticks = 0
        self._total_ticks = 0

    def __reduce__(self) -> NoReturn:
        raise TypeError("ctx cannot be pickled: only the job's own process reports")

    def _check_usable(self) -> None:
        if os.getpid() != self._process:
            raise RuntimeError(
                "ctx cannot be used in a forked process: return what it found to the job's own "
                "process, and report there"
            )
        if self._is_over:
            raise RuntimeError("ctx cannot be used after run has ended")

    @property
    def logger(self) -> logging.Logger:
        """A standard logger. As those of all loggers, its records go into the job's log."""
        return logging.getLogger("zerog.job")

    # Progress.

    @property
    def completeness(self) -> float:
        """What was reported last, 0..1."""
        return self._completeness

    def set_completeness(self, value: float) -> None:
        """Report how much is done, 0..1; values outside are cut off. `ValueError` for NaN."""
        if math.isnan(value):
            raise ValueError("completeness is not a number")
        self._check_usable()
        self._completeness = min(1.0, max(0.0, float(value)))
        self._channel.progress(self._completeness)

    def add_to_completeness(self, delta: float) -> None:
        """Report that this much more is done."""
        self.set_completeness(self._completeness + delta)

    def set_ticks(self, total: int) -> None:
        """Say how many ticks the whole work has."""
        if total < 1:
            raise ValueError(f"{total} ticks: at least 1 is needed")
        self._total_ticks, self._ticks = total, 0

    def tick(self, count: int = 1) -> None:
        """Report that `count` of the ticks are done. `ValueError` before `set_ticks`."""
        if not self._total_ticks:
            raise ValueError("call set_ticks(total) before tick()")
        self._ticks += count
        self.set_completeness(self._ticks / self._total_ticks)

    @overload
    def track(self, items: Iterable[T], total: int | None = None) -> Iterator[T]: ...

    @overload
    def track(self, items: AsyncIterable[T], total: int | None = None) -> AsyncIterator[T]: ...

    def track(
        self, items: Iterable[T] | AsyncIterable[T], total: int | None = None
    ) -> Iterator[T] | AsyncIterator[T]:
        """Go through items and let completeness follow. Ends the job between items on a cancel.

        `total` is needed for items without a length; without one, completeness stays as it is.
        """
        count = len(items) if total is None and isinstance(items, Sized) else total
        if isinstance(items, AsyncIterable):
            return self._track_async(items, count)
        return self._track(items, count)

    def _track(self, items: Iterable[T], total: int | None) -> Iterator[T]:
        for done, item in enumerate(items):
            self._passed(done, total)
            yield item
        if total:
            self.set_completeness(1.0)

    async def _track_async(self, items: AsyncIterable[T], total: int | None) -> AsyncIterator[T]:
        done = 0
        async for item in items:
            self._passed(done, total)
            yield item
            done += 1
        if total:
            self.set_completeness(1.0)

    def _passed(self, done: int, total: int | None) -> None:
        self.check()
        if total:
            self.set_completeness(done / total)

    # The job's log.

    def info(self, message: object, /, **data: Any) -> None:
        """Write a line into the job's log, with JSON values if wanted."""
        self._log("info", message, data)

    def warning(self, message: object, /, **data: Any) -> None:
        """Write a warning into the job's log."""
        self._log("warning", message, data)

    def error(self, message: object, /, **data: Any) -> None:
        """Write an error into the job's log. The job continues."""
        self._log("error", message, data)

    def _log(
        self,
        level: str,
        message: object,
        data: dict[str, Any],
        logger: str | None = None,
        *,
        is_extra: bool = False,
    ) -> None:
        self._check_usable()
        # The job's author gets the error here, where it can be mended.
        values = json_text(data, "data") if data else None
        text = to_text(message)  # which may wait for other threads of the job
        with self._channel.lock:
            for line in self._log_budget.lines(level, text, values, logger, is_extra=is_extra):
                self._channel.line(line)

    # State, cancel, time.

    @property
    def state(self) -> dict[str, Any]:
        """JSON values that the job keeps between its attempts, at most 64 KiB."""
        return self._state

    @state.setter
    def state(self, value: dict[str, Any]) -> None:
        if not isinstance(value, Mapping):
            raise TypeError(f"ctx.state is a dict, not {type(value).__name__}")
        self._state = value

    @state.deleter
    def state(self) -> None:
        self._state = {}

    def save_state(self) -> None:
        """Write `state` now, so that even a crash does not lose it. `ValueError` if too large."""
        self._check_usable()
        text = state_text(self._state)
        self._known_state = None
        self._channel.save_state(text.decode())

    @property
    def cancelled(self) -> bool:
        """Whether somebody has asked the job to end. Look at it often and return early."""
        self._check_usable()
        return self._channel.cancelled()

    def check(self) -> None:
        """Raise `zerog.Cancelled` if somebody has asked the job to end."""
        if self.cancelled:
            raise Cancelled("the job was asked to end")

    @property
    def seconds_left(self) -> float | None:
        """Time until the deadline, None without one."""
        if self.deadline is None:
            return None
        return (self.deadline - datetime.now(UTC)).total_seconds()


def state_text(state: Any) -> bytes:
    """Return a state's JSON text. `ValueError` if it has none or is too large."""
    if not isinstance(state, Mapping):
        raise NoJsonFormError(f"ctx.state is a dict, not {type(state).__name__}")
    text = json_text(state, "ctx.state") if state else b"{}"
    if len(text) > MAX_STATE_BYTES:
        raise NoJsonFormError(
            f"ctx.state has {len(text)} bytes, at most {MAX_STATE_BYTES} are kept"
        )
    return text


def checked_state(state: Any) -> dict[str, Any]:
    """Return a copy of a state as JSON has it. `ValueError` if it has no JSON form."""
    copy: dict[str, Any] = jsontext.loads(state_text(state))
    return copy


# For those who run a job.


def log_end(context: Context, message: str, trace: str | None) -> None:
    """Write why the job failed into its log, also if that is full."""
    context._log("error", message, _with_trace(trace), is_extra=True)


def _with_trace(trace: str | None) -> dict[str, Any]:
    if not trace:
        return {}
    if len(jsontext.dumps(trace)) > _TRACE_BYTES:
        trace = trace[-_TRACE_BYTES // 6 :]  # no character takes more than six bytes in JSON
    return {"traceback": trace}


def close(context: Context) -> None:
    """Report how many lines were dropped; nothing can be reported after that."""
    with context._channel.lock:
        for line in context._log_budget.last_lines():
            context._channel.line(line)
    context._is_over = True


def log_printed(context: Context, level: str, logger: str, message: str, trace: str | None) -> None:
    """Write what came from elsewhere than `ctx`. For `zerog.child.output`."""
    if not context._is_over:
        context._log(level, message, _with_trace(trace), logger)


def final_state(context: Context) -> JobState | None:
    """Return the state to keep as JSON text, None if the record holds it already.

    Raises:
        ValueError: It cannot be kept.
    """
    text = state_text(context._state)
    return None if text == context._known_state else text.decode()
