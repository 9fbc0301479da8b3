"""Controls: queues that are paused, and workers that drain. Their documents are the record.

A control holds while its document exists, whatever is in it: what cannot be read still holds, and
its details are unknown. Workers read the documents themselves (`zerog.worker.controls`).

beanstalkd's own pause of a tube is a means: from that moment nobody reserves, even before a worker
has looked. It ends by itself after `HOLD_SECONDS`, and `Keeper` renews it as long as the record
says so, also on a server that was restarted and has forgotten it. So a tube that nobody could
release is free again soon, and no pause outlives its record.

A worker's control expires once the worker is gone for `DRAIN_SECONDS`. `Keeper` renews it until
then, so that workers need no right to write controls.
"""

import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from zerog.model.documents import ControlDocument, ControlKind, control_key, read, write
from zerog.model.errors import DocumentExistsError, UnreadableDocumentError, ZeroGError
from zerog.model.names import is_queue_name, tube_name
from zerog.queue.port import Producer
from zerog.store.port import Datastore, Stored

log = logging.getLogger(__name__)

#: How long a tube stays paused unless that is renewed.
HOLD_SECONDS = 60
#: How often the tubes of paused queues are looked after.
KEEP_SECONDS = 5.0
#: The control of a worker that is gone is kept this long: it may come back under its name.
DRAIN_SECONDS = 86400.0
#: How often the expiry of a living worker's control is put off.
RENEW_SECONDS = 3600.0
#: Who pauses and resumes in turns is not followed for ever: the keeper comes by.
_SETTLE_TRIES = 5


@dataclass(frozen=True, slots=True)
class Controls:
    """What is held, by name."""

    queues: dict[str, ControlDocument]
    workers: dict[str, ControlDocument]


async def read_all(store: Datastore) -> Controls:
    """Return everything that is held. A control of the last moment may be missing."""
    return _sorted(await store.scan("controls"))


def explained_pause(control: ControlDocument) -> str:
    """Say to people that a queue is paused, and what that means for their jobs."""
    by = f" by {control.by}" if control.by else ""
    why = f" ({control.reason})" if control.reason else ""
    return (
        f"the queue {control.name} is paused{by}{why}: its jobs wait until somebody resumes it, "
        f"`zerog resume {control.name}`"
    )


async def read_queues(store: Datastore, queues: Iterable[str]) -> dict[str, ControlDocument]:
    """Return the controls of those queues that are paused now. Raises what the store raises: then
    nothing is known, and what was known before still counts."""
    return (await _read_keys(store, [control_key("queue", name) for name in queues])).queues


async def read_for_worker(store: Datastore, worker: str, queues: Iterable[str]) -> Controls:
    """Return what holds a worker: its own control, and those of its queues. One read."""
    keys = [control_key("queue", name) for name in queues]
    return await _read_keys(store, [*keys, control_key("worker", worker)])


async def hold(store: Datastore, control: ControlDocument) -> ControlDocument:
    """Pause a queue, or let a worker drain, durably. Return the control that holds now.

    A repeat changes nothing: who came first, when and why stays.
    """
    seconds = DRAIN_SECONDS if control.kind == "worker" else None
    try:
        await store.insert(
            "controls", control.key, write(control), durable=True, expire_seconds=seconds
        )
    except DocumentExistsError:
        stored = await store.get("controls", control.key)
        # None: it was lifted just now, after this call had found it in place.
        return control if stored is None else _read(control.key, stored)
    return control


async def lift(store: Datastore, kind: ControlKind, name: str) -> bool:
    """Resume a queue, or let a worker take jobs again, durably; whether it was held."""
    return await store.remove("controls", control_key(kind, name), durable=True)


async def settle_tube(store: Datastore, producer: Producer, queue: str) -> None:
    """Make the queue's tube what the record says. Raises what store and queue raise.

    The record may change meanwhile, so it is read again afterwards: of several callers the last
    one sees the last record.
    """
    paused = await _is_paused(store, queue)
    for _ in range(_SETTLE_TRIES):
        await producer.pause_tube(tube_name(queue), HOLD_SECONDS if paused else 0)
        before, paused = paused, await _is_paused(store, queue)
        if paused == before:
            break


class Keeper:
    """Keeps tubes paused and controls alive, in the one process that repairs."""

    def __init__(self) -> None:
        self._next_look = float("-inf")
        self._server = ""
        #: When each worker's control was renewed.
        self._renewed: dict[str, float] = {}

    async def look(self, store: Datastore, producer: Producer) -> None:
        """Look after everything that is held, if it is time to.

        Raises what both raise, but for a single tube: that one keeps nothing else waiting, and
        makes the next look due at once.
        """
        server, now = await producer.server_id(), time.monotonic()
        if now < self._next_look and server == self._server:
            return
        held = await read_all(store)
        queues = filter(is_queue_name, held.queues)
        settled = [await self._settle(store, producer, queue) for queue in queues]
        await self._renew(store, held.workers, now)
        if all(settled):
            self._server, self._next_look = server, now + KEEP_SECONDS

    async def _settle(self, store: Datastore, producer: Producer, queue: str) -> bool:
        """Make one queue's tube what the record says; whether that worked."""
        try:
            await settle_tube(store, producer, queue)
        except ZeroGError as error:
            log.warning("the tube of the queue %s does not follow its record: %s", queue, error)
            return False
        return True

    async def _renew(self, store: Datastore, workers: Collection[str], now: float) -> None:
        self._renewed = {name: at for name, at in self._renewed.items() if name in workers}
        due = [
            name
            for name in workers
            if now - self._renewed.get(name, float("-inf")) >= RENEW_SECONDS
        ]
        for name in await store.get_many("workers", due):
            await store.expire("controls", control_key("worker", name), DRAIN_SECONDS)
            self._renewed[name] = now


async def _is_paused(store: Datastore, queue: str) -> bool:
    return await store.get("controls", control_key("queue", queue)) is not None


async def _read_keys(store: Datastore, keys: Sequence[str]) -> Controls:
    return _sorted(await store.get_many("controls", keys))


def _sorted(found: Mapping[str, Stored]) -> Controls:
    controls = [_read(key, found[key]) for key in sorted(found)]
    return Controls(
        {control.name: control for control in controls if control.kind == "queue"},
        {control.name: control for control in controls if control.kind == "worker"},
    )


def _read(key: str, stored: Stored) -> ControlDocument:
    """Return a control. Of one that cannot be read only its key counts."""
    try:
        control = read(stored.document, ControlDocument, key)
        if control.key == key:
            return control
    except UnreadableDocumentError:
        pass
    kind, _, name = key.partition("::")
    return ControlDocument("worker" if kind == "worker" else "queue", name)
