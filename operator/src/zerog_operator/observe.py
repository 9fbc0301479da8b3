"""One look at a pool: everything that is read, as one value that does not change any more.

Decisions stand on ages, and ages must not jump. So every time of a look is of `Clock`, which
follows no correction of the machine's clock; what the cluster or a job's record has stamped is
moved to it here, and nowhere else. What was remembered stays right when the wall clock is set.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from zerog_operator import names
from zerog_operator.describe import Check, check_image
from zerog_operator.inventory import Inventory
from zerog_operator.model import Observation, QueueReading, Refusal, Unknown, Workers
from zerog_operator.pods import PodFacts
from zerog_operator.pool import PoolSpec
from zerog_operator.queuefacts import QueueFacts
from zerog_operator.resources import PoolIdentity
from zerog_operator.scaling import History
from zerog_operator.tubes import Tubes
from zerog_operator.upcoming import Upcoming

#: A wall clock that is less than this ahead or behind is slewed, not set.
JUMP_SECONDS = 1.0


class Clock:
    """Unix time as it was when this was made, going on evenly whatever the wall clock does."""

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall, self._steady = wall, steady
        self._zero = wall() - steady()

    def now(self) -> float:
        """Return the time."""
        return self._zero + self._steady()

    def ahead(self) -> float:
        """Return by how much this clock is ahead of the wall clock; 0.0 if hardly at all."""
        seconds = self.now() - self._wall()
        return seconds if abs(seconds) >= JUMP_SECONDS else 0.0


@dataclass(frozen=True, slots=True)
class Sources:
    """What a look reads."""

    inventory: Inventory
    tubes: Tubes
    facts: QueueFacts
    upcoming: Upcoming
    clock: Clock
    check_images: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a pool."""

    #: When, by `Clock`: what `decide` gets as now.
    time: float
    observation: Observation
    #: Whether the image may be used, and what to do about that.
    check: Check
    #: All pods that are there, in whatever role; none while they are unknown.
    pods: tuple[PodFacts, ...] = ()
    #: Pods that went since the last look.
    departed: tuple[PodFacts, ...] = ()


async def observe(sources: Sources, pool: PoolIdentity, spec: PoolSpec, history: History) -> Look:
    """Look at a pool."""
    queue = await sources.tubes.read(spec.queue, names.retire_key(pool.namespace, pool.name))
    # No await from here: the pods and the clock are of one moment.
    now, ahead = sources.clock.now(), sources.clock.ahead()
    found = sources.inventory.of(pool.uid)
    workers: Workers | Unknown
    pods: tuple[PodFacts, ...] = ()
    check = Check(None)
    refusal = history.refusal if history.refused == spec.template_hash else None
    if isinstance(found, Unknown):
        workers = found
    else:
        pods = tuple(facts.moved(ahead) for facts in found) if ahead else found
        ours = (facts for facts in pods if facts.role == names.ROLE_WORKER)
        wait = spec.scaling.node_wait_seconds
        workers = Workers(tuple(facts.worker_at(now, wait) for facts in ours))
        if sources.check_images:
            check = check_image(pods, spec.template_hash, now)
        refusal = _refusal(check, refusal)
    due = None
    if isinstance(queue, QueueReading):
        due = sources.upcoming.times(spec.queue, queue.delayed)
    if due and ahead:
        due = tuple(time + ahead for time in due)
    facts = sources.facts.of(spec.queue)
    observation = Observation(queue, workers, refusal, due, ahead, facts)
    return Look(now, observation, check, pods, sources.inventory.take_departed(pool.uid))


def _refusal(check: Check, before: Refusal | None) -> Refusal | None:
    """Return why no worker can be created now: the image's check, or what was refused before."""
    stays = before is not None and before.final
    if check.refusal is None:
        return None if stays else before
    # The pod that would check the image was refused, or the last one failed.
    return before if check.start and stays else check.refusal
