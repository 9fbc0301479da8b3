"""Record a trace from a live queue, from beanstalkd's own counters: nobody's jobs are touched.

What comes is counted and how long jobs take follows from Little's law, both with the code that
the operator scales by. So a recorded trace knows the mean length of the jobs of the time, not
that of each job.

A job that is tried again counts again when it becomes ready again, for it takes a slot again.

The invariant: nothing is put, reserved or deleted; only counters are read.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from zerog.model.errors import QueueUnavailableError
from zerog_simulate.engine import (
    ENOUGH_JOBS,
    QueueHistory,
    QueueReading,
    Tubes,
    Unknown,
    follow,
    measure_job_time,
)
from zerog_simulate.trace import Arrivals, Trace

INTERVAL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Recording:
    """What was seen so far. `Recording()` has seen nothing."""

    history: QueueHistory = field(default_factory=QueueHistory)
    began: float | None = None
    #: Arrivals: when, how many, how long; too few had ended yet to know where that is None.
    seen: tuple[tuple[float, int, float | None], ...] = ()


def note(recording: Recording, reading: QueueReading) -> Recording:
    """Return a recording with a reading added. Pure."""
    before = recording.history.newest
    history = follow(recording.history, reading, slots=None)
    newest = history.newest
    assert newest is not None, "there is a newest sample after every reading"
    began = recording.began if recording.began is not None else reading.time
    # A series that began anew (another server, a gap) counts from zero again.
    continued = before is not None and newest.entered >= before.entered
    came = newest.entered - before.entered if before is not None and continued else 0
    if not came:
        return replace(recording, history=history, began=began)
    measured = measure_job_time(history, None)
    length = measured.seconds if measured.jobs >= ENOUGH_JOBS else None
    seen = (*recording.seen, (reading.time - began, came, length))
    return Recording(history, began, seen)


def to_trace(recording: Recording, name: str, believed_seconds: float) -> Trace:
    """Return what was recorded; `believed_seconds` is the jobs' length if none has ended."""
    known = [length for _, _, length in recording.seen if length is not None]
    # What came before enough had ended gets what was measured first, or at the very end.
    final = measure_job_time(recording.history, None)
    first = known[0] if known else final.seconds if final.jobs else believed_seconds
    arrivals = [
        Arrivals(when, count, first if length is None else length)
        for when, count, length in recording.seen
    ]
    last, began = recording.history.last, recording.began
    end = last.time - began if last is not None and began is not None else 0.0
    return Trace(name, (*arrivals, Arrivals(end, 0, 0.0)))


async def record(
    address: str,
    queue: str,
    seconds: float,
    *,
    progress: Callable[[float, Recording], None] = lambda *_: None,
) -> Recording:
    """Watch a queue for so long. What cannot be read for a while is a gap, not a failure.

    Raises:
        QueueUnavailableError: beanstalkd could not be reached at the beginning.
    """
    tubes = Tubes(address)
    recording = Recording()
    begin = time.monotonic()
    try:
        while True:
            reading = await tubes.read(queue, queue)
            if isinstance(reading, QueueReading):
                recording = note(recording, reading)
            elif recording.began is None:
                raise QueueUnavailableError(_unreachable(address, reading))
            passed = time.monotonic() - begin
            progress(min(1.0, passed / seconds), recording)
            if passed >= seconds:
                return recording
            await asyncio.sleep(min(INTERVAL_SECONDS, seconds - passed))
    finally:
        await tubes.close()


def _unreachable(address: str, unknown: Unknown) -> str:
    return f"beanstalkd at {address} cannot be reached: {unknown.message}"
