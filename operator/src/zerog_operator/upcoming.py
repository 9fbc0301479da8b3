"""When delayed jobs fall due: read from the datastore, for pools whose queues have delayed entries.

beanstalkd only counts delayed entries. A pool's loop asks for a queue's times and gets what was
read last; `bookkeeping` does the reading. The times are points in time, so they stay right when
the datastore cannot be read: what has passed drops out, and nothing new is known. Without a
datastore nothing is ever known.
"""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from zerog.model.record import format_time, parse_time
from zerog.store.port import Datastore
from zerog_operator.ahead import EARLY_SECONDS, ROUNDING_SECONDS
from zerog_operator.scaling import MAX_NODE_WAIT_SECONDS, MAX_POD_START_SECONDS

#: The times are read this often.
LOOK_SECONDS = 3.0
#: No pod takes longer, as far as anybody believes. A look later is time enough for the rest.
HORIZON_SECONDS = MAX_NODE_WAIT_SECONDS + MAX_POD_START_SECONDS + EARLY_SECONDS + 2 * LOOK_SECONDS
#: The next jobs of a queue; more than these get their pods when they are due.
MAX_DUE = 1000
#: Queues in one statement.
MAX_QUEUES = 50
#: A queue that nobody has asked for so long is not read any more.
ASKED_SECONDS = 30.0


class Upcoming:
    """Due times by queue, as last read."""

    def __init__(self) -> None:
        #: Queues that were asked for, and when, by `time.monotonic()`.
        self._asked: dict[str, float] = {}
        self._found: dict[str, tuple[float, ...]] = {}
        #: What the last reading was about, whether it succeeded or not.
        self._tried: set[str] = set()
        self._next = float("-inf")

    def times(self, queue: str, delayed: int) -> tuple[float, ...] | None:
        """Return when the next jobs of a queue fall due, as Unix times; None: unknown."""
        if not delayed:
            return ()
        self._asked[queue] = time.monotonic()
        return self._found.get(queue)

    async def work(self, store: Datastore, now: float) -> None:
        """Read what was asked for, every few seconds. Raises what the store raises."""
        self._asked = {key: at for key, at in self._asked.items() if now - at < ASKED_SECONDS}
        self._found = {key: self._found[key] for key in self._found.keys() & self._asked.keys()}
        new = self._asked.keys() - self._tried
        if not self._asked or (now < self._next and not new):
            return
        self._next, self._tried = now + LOOK_SECONDS, set(self._asked)
        queues = sorted(self._asked)
        wall = datetime.now(UTC)
        for start in range(0, len(queues), MAX_QUEUES):
            found = await store.due_times(
                queues[start : start + MAX_QUEUES],
                after=format_time(wall - timedelta(seconds=ROUNDING_SECONDS)),
                until=format_time(wall + timedelta(seconds=HORIZON_SECONDS)),
                limit=MAX_DUE,
            )
            self._found |= {queue: tuple(sorted(_unix(times))) for queue, times in found.items()}


def _unix(texts: Iterable[str]) -> Iterator[float]:
    for text in texts:
        try:
            yield parse_time(text).timestamp()
        except ValueError:  # somebody else wrote the record
            continue
