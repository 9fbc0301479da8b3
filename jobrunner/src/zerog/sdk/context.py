"""What a job sees of its run: reports go out, cancel and deadline come in.

A context talks to a `Channel`: the pipe to the worker in production
(`zerog.child.reporter`), a list in tests (`zerog.testing`). It may be used from any
thread of the job.
"""

import logging
import math
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sized
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, overload

from zerog.model import jsontext
from zerog.model.record import format_time
from zerog.sdk.signals import Cancelled

T = TypeVar("T")

#: Bounds of what one attempt may log and keep.
MAX_MESSAGE_CHARS = 4096
MAX_LOG_LINES = 10_000
MAX_STATE_BYTES = 64 * 1024


class Channel(Protocol):
    """Where reports go and where a cancel comes from. No method waits."""

    def progress(self, completeness: float) -> None: ...

    def event(self, frame: dict[str, Any]) -> None: ...

    def save_state(self, state: dict[str, Any]) -> None: ...

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
    ) -> None:
        self._channel = channel
        #: The job's UUID.
        self.uuid = uuid
        #: Which run of the job this is, from 1.
        self.attempt = attempt
        #: JSON values that the job keeps between its attempts, at most 64 KiB.
        self.state: dict[str, Any] = state or {}
        #: When the attempt will be ended, None without a timeout.
        self.deadline = deadline
        #: A standard logger for this job; its records go to the worker's log, not to the job's.
        self.logger = logging.getLogger(f"zerog.job.{uuid}")
        self._completeness = 0.0
        self._ticks = 0
        self._total_ticks = 0
        self._lines = 0

    # Progress.

    @property
    def completeness(self) -> float:
        """What was reported last, 0..1."""
        return self._completeness

    def set_completeness(self, value: float) -> None:
        """Report how much is done, 0..1; values outside are cut off. `ValueError` for NaN."""
        if math.isnan(value):
            raise ValueError("completeness is not a number")
        self._completeness = min(1.0, max(0.0, float(value)))
        self._channel.progress(self._completeness)

    def add_to_completeness(self, delta: float) -> None:
        """Report that so much more is done."""
        self.set_completeness(self._completeness + delta)

    def set_ticks(self, total: int) -> None:
        """Say how many ticks the whole work has."""
        if total < 1:
            raise ValueError(f"{total} ticks: at least 1 is needed")
        self._total_ticks, self._ticks = total, 0

    def tick(self, count: int = 1) -> None:
        """Report that so many of the ticks are done. `ValueError` before `set_ticks`."""
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

    def info(self, message: str, **data: Any) -> None:
        """Write a line into the job's log, with JSON values if wanted."""
        self._log("info", message, data)

    def warning(self, message: str, **data: Any) -> None:
        """Write a warning into the job's log."""
        self._log("warning", message, data)

    def error(self, message: str, **data: Any) -> None:
        """Write an error into the job's log. The job goes on."""
        self._log("error", message, data)

    def _log(self, level: str, message: str, data: dict[str, Any]) -> None:
        if self._lines > MAX_LOG_LINES:
            return
        if self._lines == MAX_LOG_LINES:
            level, message, data = "warning", f"more than {MAX_LOG_LINES} lines: no more kept", {}
        text = str(message)
        if len(text) > MAX_MESSAGE_CHARS:
            text = text[:MAX_MESSAGE_CHARS] + f"… ({len(text)} characters)"
        frame: dict[str, Any] = {
            "op": "event",
            "level": level,
            "time": format_time(datetime.now(UTC)),
            "seq": self._lines,
            "message": text.encode("utf-8", "replace").decode(),
        }
        if data:
            jsontext.dumps_embeddable(
                data
            )  # the job's author gets the error here, where it can be mended
            frame["data"] = data
        self._lines += 1
        self._channel.event(frame)

    # State, cancel, time.

    def save_state(self) -> None:
        """Write `state` now, so that even a crash does not lose it. `ValueError` if too large."""
        self._channel.save_state(checked_state(self.state))

    @property
    def cancelled(self) -> bool:
        """Whether somebody has asked the job to end. Look at it often and return early."""
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


def checked_state(state: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of the state as JSON has it. `ValueError` if it has none or is too large."""
    text = jsontext.dumps_embeddable(state)
    if len(text) > MAX_STATE_BYTES:
        raise ValueError(f"ctx.state has {len(text)} bytes, at most {MAX_STATE_BYTES} are kept")
    copy = jsontext.loads(text)
    if not isinstance(copy, dict):
        raise ValueError("ctx.state is no dict")
    return copy


#: Names that a job's field cannot have: they would read like the context's.
CONTEXT_NAMES = frozenset(
    [name for name in vars(Context) if not name.startswith("_")]
    + ["uuid", "attempt", "state", "deadline", "logger", "ctx", "run"]
)
