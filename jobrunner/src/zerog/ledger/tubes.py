"""Which queues there are: those of the registered types, and those whose tubes beanstalkd holds.

Anybody who reaches beanstalkd can make a tube. A name that no queue may have is skipped, and the
number of queues that are looked at is bounded, so that tubes cost everybody little. The types' own
queues come first: no tube takes their place.
"""

import logging
from collections.abc import Iterable

from msgspec import Struct

from zerog.model.names import queue_of_tube
from zerog.queue.port import Producer

log = logging.getLogger(__name__)

#: Far more than anybody runs. Each costs a command and a line of an answer.
MAX_QUEUES = 1000
#: Whether the log knows that there are more.
_named = False


class Queues(Struct, frozen=True):
    """The queues that are looked at."""

    #: In order.
    names: list[str]
    #: How many there are besides, as far as the tubes were listed.
    left_out: int = 0


async def find_queues(producer: Producer, of_types: Iterable[str]) -> Queues:
    """Return the queues of types and those with a tube. Raises what the queue raises.

    The log says once that there are too many.
    """
    found = choose_queues(of_types, await producer.tubes())
    global _named
    if found.left_out and not _named:
        log.error(
            "beanstalkd has tubes of %d more queues than the %d that are looked at",
            found.left_out,
            MAX_QUEUES,
        )
    _named = bool(found.left_out)
    return found


def choose_queues(of_types: Iterable[str], tubes: Iterable[str]) -> Queues:
    """Return which queues to look at. Pure."""
    first = set(of_types)
    others = {name for tube in tubes if (name := queue_of_tube(tube))} - first
    names = [*sorted(first), *sorted(others)]
    return Queues(sorted(names[:MAX_QUEUES]), max(0, len(names) - MAX_QUEUES))
