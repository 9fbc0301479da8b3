"""Learn of changes from those who make them, at a store without a version.

This process writes to the datastore which jobs somebody here waits for, and hears on a tube of its
own which of them have changed: `zerog.ledger.waiters` has the protocol. What is heard is a hint. It
wakes those who wait for this one job; they read it, and decide.

A hint can get lost. So each job that somebody waits for is also looked at every few seconds: many
together, and only those are woken whose documents have changed. The looks are spread over the time.

Nothing runs while nobody waits.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from zerog.ledger.waiters import EXPIRE_SECONDS, register, renew
from zerog.model.errors import DatastoreError
from zerog.model.names import mailbox_tube_name
from zerog.model.record import State
from zerog.queue.mailbox import Mailbox
from zerog.queue.port import QueueConnection
from zerog.store.port import Datastore, Stored

log = logging.getLogger(__name__)

#: What was not heard is seen within this time.
LOOK_SECONDS = 5.0
#: Looks come up to this share earlier, at random, so that they do not all come at once.
SPREAD = 0.2
#: How often is looked which jobs are due.
TICK_SECONDS = 0.25
#: Jobs that are looked at together.
TOGETHER = 100
#: After this time the process says again that it waits, and for this time it relies on being
#: listed. Both are shorter than `EXPIRE_SECONDS`, by what a slow datastore may take.
RENEW_SECONDS, LISTED_SECONDS = EXPIRE_SECONDS / 2, EXPIRE_SECONDS - 10

Connect = Callable[[], Awaitable[QueueConnection]]
#: What the revisions of a job's documents were: of its record, and of its progress while it runs.
Seen = tuple[str | None, str | None]


@dataclass(slots=True, eq=False)
class _Waited:
    """A job that somebody here waits for, or did so a moment ago."""

    #: When the next look is due, by the loop's clock.
    next_look: float = 0.0
    #: When to say again that this process waits, and how long it is listed.
    next_renewal: float = float("-inf")
    listed_until: float = float("-inf")
    events: set[asyncio.Event] = field(default_factory=set)
    #: As of the last look; None: whoever waits may have read something else.
    seen: Seen | None = None
    #: The first registration, which all who wait must wait for.
    registering: asyncio.Task[None] | None = None

    def wake(self) -> None:
        for event in self.events:
            event.set()


class Messages:
    """Wakes those who wait for a job when somebody has changed it."""

    def __init__(self, store: Datastore, process: str, connect: Connect) -> None:
        self._store = store
        self._process = process
        self._connect = connect
        self._waited: dict[str, _Waited] = {}
        self._loop: asyncio.Task[None] | None = None
        #: When everything was last looked at because something may have been missed.
        self._missed = float("-inf")

    @contextlib.asynccontextmanager
    async def changes(self, uuid: str) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set when this job may have changed."""
        event = asyncio.Event()
        waited = self._waited.get(uuid)
        if waited is None:
            waited = self._waited[uuid] = _Waited()
        if not waited.events:
            waited.next_look = _next_look()
        waited.events.add(event)
        if self._loop is None:
            self._loop = asyncio.create_task(self._run(), name="waiters")
        try:
            await self._registered(uuid, waited)
            yield event
        finally:
            waited.events.discard(event)

    def wake(self, uuid: str) -> None:
        """Wake those who wait here for a job, if it is one: strangers put messages, too."""
        if (waited := self._waited.get(uuid)) is not None:
            waited.next_look = _next_look()  # they look now
            waited.wake()

    def missed(self) -> None:
        """Look at all jobs soon: messages may have been lost.

        What is lost just after such a look is seen by the regular ones, so a connection that comes
        and goes does not cost more.
        """
        if _now() - self._missed >= LOOK_SECONDS:
            self._missed = _now()
            for waited in self._waited.values():
                waited.next_look = float("-inf")

    async def close(self) -> None:
        """End what runs in the background. Idempotent."""
        if (loop := self._loop) is not None:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)

    async def _registered(self, uuid: str, waited: _Waited) -> None:
        """Return when the datastore says that this process waits, or cannot be made to say it."""
        if _now() < waited.listed_until:
            return
        if waited.registering is None:
            waited.registering = asyncio.create_task(self._register(uuid, waited), name="register")
        await asyncio.shield(waited.registering)  # whoever leaves takes nothing from the others

    async def _register(self, uuid: str, waited: _Waited) -> None:
        """Say that this process waits, or that it still does."""
        began = _now()
        waited.next_renewal = began + LOOK_SECONDS  # if this fails
        say = renew if began < waited.listed_until else register
        try:
            await say(self._store, uuid, self._process)
            waited.next_renewal, waited.listed_until = began + RENEW_SECONDS, began + LISTED_SECONDS
        except DatastoreError as error:
            log.debug("job %s is only looked at now and then: %s", uuid, error)
        finally:
            waited.registering = None

    async def _run(self) -> None:
        """Listen and look, until nobody waits any more."""
        tube = mailbox_tube_name(self._process)
        mailbox = Mailbox(tube, self._connect, self.wake, self.missed)
        hearing = asyncio.create_task(mailbox.run(), name="mailbox")
        try:
            while self._waited:
                try:
                    is_done = await self._look_at_due()
                except Exception:  # those who wait for other jobs must be woken
                    log.exception("those who wait for jobs")
                    is_done = True
                if is_done:
                    await asyncio.sleep(TICK_SECONDS)
        finally:
            self._loop = None
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def _look_at_due(self) -> bool:
        """Do for some jobs what is due; whether that were all."""
        now, waited = _now(), self._waited
        looks = [uuid for uuid, it in waited.items() if it.events and it.next_look <= now]
        await self._look(looks[:TOGETHER])
        renewals = [
            uuid for uuid, it in waited.items() if it.next_renewal <= now and it.registering is None
        ]
        for uuid in renewals:
            if not waited[uuid].events:
                del waited[uuid]
        renewals = [uuid for uuid in renewals if uuid in waited]
        await asyncio.gather(*[self._register(u, waited[u]) for u in renewals[:TOGETHER]])
        return max(len(looks), len(renewals)) <= TOGETHER

    async def _look(self, uuids: Sequence[str]) -> None:
        """Look at some jobs, and wake those who wait for what has changed."""
        if not uuids:
            return
        for uuid in uuids:
            self._waited[uuid].next_look = _next_look()
        try:
            jobs = await self._store.get_many("jobs", uuids)
            running = [uuid for uuid, stored in jobs.items() if _runs(stored)]
            progress = await self._store.get_many("progress", running)
        except DatastoreError:
            for uuid in uuids:  # they look for themselves, and report what is wrong
                self._waited[uuid].wake()
            return
        for uuid in uuids:
            waited, seen = self._waited[uuid], (_revision(jobs, uuid), _revision(progress, uuid))
            if seen != waited.seen:
                waited.seen = seen
                waited.wake()


def _next_look() -> float:
    return _now() + LOOK_SECONDS * (1 - SPREAD * random.random()) - TICK_SECONDS


def _runs(stored: Stored) -> bool:
    return stored.document.get("state") == State.RUNNING


def _revision(found: dict[str, Stored], uuid: str) -> str | None:
    stored = found.get(uuid)
    return None if stored is None else stored.revision


def _now() -> float:
    return asyncio.get_running_loop().time()
