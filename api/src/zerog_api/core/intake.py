"""How jobs come in: by themselves or in batches, once for each Idempotency-Key."""

import asyncio
import hashlib
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from zerog.ledger import keys
from zerog.ledger.dispatch import Dispatch
from zerog.model import jsontext, life
from zerog.model.documents import Remembered, idempotency_key
from zerog.model.errors import DocumentExistsError
from zerog.model.origin import NOWHERE, Origin
from zerog.model.record import JobId, new_job_id
from zerog.store.port import Datastore
from zerog_api.core.errors import Fault, KeyReusedError, TakenBackError
from zerog_api.core.examiner import Examiner
from zerog_api.core.types import RegisteredType


@dataclass(frozen=True, slots=True)
class Asked:
    """How a job is to run; the type says what nobody asks for."""

    priority: int | None = None
    timeout_seconds: float | None = None
    not_before_time: datetime | None = None
    expires_time: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Order:
    """A job that is asked for."""

    type: RegisteredType
    parameters: dict[str, Any]
    asked: Asked
    #: Where its parameters are in the body that it came in.
    root: str = "$"


@dataclass(frozen=True, slots=True)
class Key:
    """An Idempotency-Key, and what all calls with it have to share."""

    text: str
    #: Whose it is: one caller's keys say nothing to another.
    owner: str
    fingerprint: str

    @property
    def place(self) -> str:
        """Where the key is remembered."""
        return idempotency_key(f"{self.owner}\0{self.text}" if self.owner else self.text)


@dataclass(frozen=True, slots=True)
class Named:
    """The UUIDs of jobs that are to be taken in."""

    uuids: list[JobId]
    key: Key | None
    #: What the key stood for before; None: nothing.
    known: Remembered | None = None


def fingerprint(call: str, body: Any, options: Mapping[str, Any]) -> str:
    """Return what two calls with one Idempotency-Key have to share. Pure."""
    text = jsontext.dumps([call, body, {name: str(options[name]) for name in sorted(options)}])
    return hashlib.sha256(text).hexdigest()


class Intake:
    """Takes jobs in."""

    def __init__(
        self, store: Datastore, dispatch: Dispatch, examiner: Examiner, key_seconds: float
    ) -> None:
        """`key_seconds` is how long an Idempotency-Key is remembered."""
        self._store = store
        self._dispatch = dispatch
        self._examiner = examiner
        self._key_seconds = key_seconds

    async def check(
        self, orders: Sequence[Order], key: Key | None, *, only_first: bool
    ) -> tuple[list[Order], list[Fault]]:
        """Return the jobs, each with the version of its type that takes its parameters, and what is
        wrong with parameters that none takes: by the schemas of their types, and by their classes
        where this API has them. Faults are those that the current version finds.

        A repeat of a call that was accepted is not refused: versions come and go, and what a class
        checks may depend on the time. `only_first` is for bodies so
        long that looking for everything takes long.
        """
        faults: list[Fault] = []
        chosen: list[Order] = []
        for order in orders:
            fitting = [each for each in order.type.versions if each.accepts(order.parameters)]
            if not fitting:
                faults += order.type.faults(order.parameters, order.root, only_first=only_first)
            chosen.append(_of_version(order, fitting) if fitting else order)
        if faults:
            # Jobs that are not accepted yet must fit: whoever takes them in writes them.
            return [*orders], [] if await self._was_accepted(key) else faults
        examined = [n for n, order in enumerate(chosen) if self._is_known(order)]
        if not examined:
            return chosen, []
        ends = await asyncio.gather(*[self._examine(chosen[n]) for n in examined])
        for number, (order, found) in zip(examined, ends, strict=True):
            chosen[number] = order
            faults += found
        return chosen, [] if faults and await self._known(key) else faults

    def _is_known(self, order: Order) -> bool:
        return any(self._examiner.knows(each.type) for each in order.type.versions)

    async def _examine(self, order: Order) -> tuple[Order, list[Fault]]:
        """Ask the classes of the versions whose schemas take a job's parameters."""
        first: list[Fault] | None = None
        for version in order.type.versions:
            found = await self._examiner.faults(version.type, order.parameters)
            if not found:
                return _of_version(order, [version]), []
            if first is None:
                first = [Fault(order.root + fault.path, fault.message) for fault in found]
        return order, first or []

    async def _known(self, key: Key | None) -> Remembered | None:
        """Return what a key stands for, if this call repeats the one that took it."""
        known = None if key is None else await keys.look_up(self._store, key.place)
        return known if key and known and known.fingerprint == key.fingerprint else None

    async def _was_accepted(self, key: Key | None) -> bool:
        """Whether this repeats a call whose jobs are all accepted; nothing takes them back then."""
        known = await self._known(key)
        if known is None:
            return False
        kept = await asyncio.gather(*[self._is_kept(uuid, key) for uuid in known.uuids])
        return all(kept)

    async def _is_kept(self, uuid: JobId, key: Key | None) -> bool:
        """Whether a job is queued, or ran to its end and is gone, perhaps just now."""
        if await self._dispatch.ensure_queued(uuid):
            return True
        known = await self._known(key)
        return known is not None and uuid in known.ended

    async def name(self, count: int, key: Key | None) -> Named:
        """Return UUIDs for so many jobs: those that the key stands for already, or new ones.

        Raises:
            KeyReusedError: The key stands for other jobs.
            DatastoreError: Nobody knows what it stands for.
        """
        fresh = [new_job_id() for _ in range(count)]
        if key is None:
            return Named(fresh, key)
        taken = Remembered(fresh, key.fingerprint)
        known = await keys.remember(self._store, key.place, taken, self._key_seconds)
        if known is None:
            return Named(fresh, key)
        if known.fingerprint != key.fingerprint:
            raise KeyReusedError("this Idempotency-Key was used for another job")
        return Named(known.uuids, key, known)

    async def take(self, orders: Sequence[Order], named: Named, origin: Origin = NOWHERE) -> None:
        """Accept all of the jobs, or none.

        Raises:
            TakenBackError: A call with the same key has just failed: a repeat takes them.
            DatastoreError, QueueError: None is accepted; with a key a repeat takes the rest.
        """
        pairs = zip(named.uuids, orders, strict=True)
        takes = [self._take(uuid, order, named, origin) for uuid, order in pairs]
        if len(takes) == 1:
            await takes[0]
        else:
            await self._take_all(takes, named)

    async def _take_all(self, takes: list[Coroutine[Any, Any, None]], named: Named) -> None:
        ends = await asyncio.gather(*takes, return_exceptions=True)
        failed = next((end for end in ends if isinstance(end, BaseException)), None)
        if failed is None:
            return
        # With a key the repeat takes the rest; without one it would take all of them again.
        if named.key is None:
            taking_back = [self._dispatch.jobs.take_back(uuid) for uuid in named.uuids]
            await asyncio.gather(*taking_back)
        raise failed

    async def _take(self, uuid: JobId, order: Order, named: Named, origin: Origin) -> None:
        if named.known is not None and await self._is_kept(uuid, named.key):
            return
        record = life.accept(
            uuid=uuid,
            job_type=order.type.type,
            parameters=order.parameters,
            now=datetime.now(UTC),
            priority=order.asked.priority,
            timeout_seconds=order.asked.timeout_seconds,
            not_before_time=order.asked.not_before_time,
            origin=origin,
            expires_time=order.asked.expires_time,
            labels=order.asked.labels,
            idempotency_key=None if named.key is None else named.key.place,
        )
        try:
            await self._dispatch.accept(record)
        except DocumentExistsError:  # another call with this key was faster
            if not await self._dispatch.ensure_queued(uuid):
                raise TakenBackError from None


def _of_version(order: Order, fitting: Sequence[RegisteredType]) -> Order:
    """Return an order of the first of the versions that fit; the others are left to try."""
    first, *others = fitting
    if first is order.type and len(others) == len(order.type.others):
        return order
    return replace(order, type=replace(first, others=tuple(others)))
