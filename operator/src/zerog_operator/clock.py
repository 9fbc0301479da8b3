"""A wall clock that jumps, and a memory that does not mind. Pure.

Decisions stand on wall-clock times, because pods carry those of the cluster. When the clock of
this machine is set, or the machine slept, what is remembered would be too old or in the future:
delays would be over at once, or last for hours. So a jump moves all remembered times along.

The invariant: ages of what is remembered never jump.
"""

from dataclasses import dataclass, replace

from zerog_operator.creation import Creation
from zerog_operator.history import QueueHistory, Sample
from zerog_operator.retirement import Retirement
from zerog_operator.scaling import History

#: Less than this between two looks is a clock that is slewed, or a slow machine.
JUMP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment by two clocks."""

    #: Seconds since 1970: this one jumps.
    wall: float
    #: Seconds since whenever: `time.monotonic()`.
    steady: float


def jump_between(before: Moment, now: Moment) -> float:
    """Return by how much the wall clock has jumped; 0.0 if it has not."""
    jump = (now.wall - before.wall) - (now.steady - before.steady)
    return jump if abs(jump) >= JUMP_SECONDS else 0.0


def move(history: History, seconds: float) -> History:
    """Return a history as if its times had been read from a clock that is so much ahead."""
    return replace(
        history,
        queue=_move_queue(history.queue, seconds),
        creation=_move_creation(history.creation, seconds),
        retirement=_move_retirement(history.retirement, seconds),
        needed=tuple((when + seconds, count) for when, count in history.needed),
    )


def _move_queue(history: QueueHistory, seconds: float) -> QueueHistory:
    def move_sample(sample: Sample) -> Sample:
        return replace(sample, time=sample.time + seconds)

    last, newest = history.last, history.newest
    return QueueHistory(
        last=last and replace(last, time=last.time + seconds),
        newest=newest and move_sample(newest),
        fine=tuple(map(move_sample, history.fine)),
        coarse=tuple(map(move_sample, history.coarse)),
    )


def _move_creation(creation: Creation, seconds: float) -> Creation:
    return replace(
        creation,
        time=None if creation.time is None else creation.time + seconds,
        unseen=tuple((when + seconds, count) for when, count in creation.unseen),
        retry_time=creation.retry_time + seconds,
    )


def _move_retirement(retirement: Retirement, seconds: float) -> Retirement:
    return replace(
        retirement,
        exits=tuple(when + seconds for when in retirement.exits),
        told=tuple((uid, when + seconds) for uid, when in retirement.told),
    )
