"""What the calls have in common: their parts, their bodies, and what their callers may do."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from zerog.ledger.dispatch import Dispatch
from zerog.ledger.jobs import Kept
from zerog.model import jsontext
from zerog.model.errors import JobNotFoundError
from zerog.model.record import JobRecord
from zerog.queue.port import Producer
from zerog.store.port import Datastore
from zerog_api.auth.access import OPEN, restrict
from zerog_api.core.errors import Fault, UnknownTypeError
from zerog_api.core.intake import Intake
from zerog_api.core.overview import Overview
from zerog_api.core.readiness import Readiness
from zerog_api.core.turns import Turns
from zerog_api.core.types import RegisteredType, Types
from zerog_api.core.watch import Watch
from zerog_api.edge.clients import network_of
from zerog_api.edge.handler import Edge, Handler
from zerog_api.edge.operations import JSON, Call
from zerog_api.edge.reading import read_query
from zerog_api.models import Request
from zerog_api.problems import Problem, unprocessable

T = TypeVar("T", bound=Request)
SHOWN_NEAR = 3
#: Of what is wrong in a longer body only the first thing is told: the validator would look for
#: everything, some 40 µs a fault, while everybody else waits.
MANY_FAULTS_BYTES = 8192
#: Answers with large parameters or outputs at once. One may take 64 MiB until its client has it.
LARGE_AT_ONCE = 3
#: Looks at the size of an answer: in SQLite one may take 10 ms, among documents of 16 MiB.
LOOKS_AT_ONCE = 10
#: Pages of logs that are made at once. One reads some MiB, and takes some 10 ms of the loop.
PAGES_AT_ONCE = 3
#: Large bodies that are worked on at once, from reading their JSON to storing their jobs.
BODIES_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Parts:
    """What the calls work with."""

    edge: Edge
    store: Datastore
    producer: Producer
    dispatch: Dispatch
    types: Types
    intake: Intake
    watch: Watch
    overview: Overview
    readiness: Readiness
    #: What the specification describes.
    calls: Sequence[Call]
    #: Where the paths of the API begin in the application that it is part of.
    prefix: str = ""
    #: Turns for looking how large an answer is, for those that are large until they are taken, and
    #: for making pages of logs.
    looks: Turns = field(default_factory=lambda: Turns(LOOKS_AT_ONCE))
    large: Turns = field(default_factory=lambda: Turns(LARGE_AT_ONCE))
    pages: Turns = field(default_factory=lambda: Turns(PAGES_AT_ONCE))
    #: Turns for working on large bodies.
    bodies: Turns = field(default_factory=lambda: Turns(BODIES_AT_ONCE))


class CallHandler(Handler):
    """A call of the API."""

    def initialize(self, parts: Parts) -> None:  # type: ignore[override]
        """Take a request. Called by Tornado."""
        super().initialize(parts.edge)
        self.parts = parts

    @property
    def caller(self) -> str:
        """Who takes turns: the owner of the request or, where nobody is known, its network."""
        return self.access.owner or network_of(self.address)

    @property
    def is_long(self) -> bool:
        """Whether only the first thing is told that is wrong in the body."""
        return len(self.body) > MANY_FAULTS_BYTES

    async def in_turn(self, work: Callable[[], Awaitable[None]]) -> None:
        """See `Handler`. Nothing is done for a client that has left while it waited."""
        async with self.parts.bodies.turn(self.caller, self.closed) as begins:
            if begins:
                await work()

    def query(self, model: type[T]) -> T:
        """Return the parameters of the query. A 422 `Problem` if they do not fit."""
        return read_query(model, self.request.query)

    def read_object(self) -> dict[str, Any]:
        """Return the body as a JSON object; an empty body is an empty one."""
        body = self.body
        if not body:
            return {}
        kind = self.request.headers.get("Content-Type", JSON)
        media = kind.partition(";")[0].strip().lower()
        if media != JSON and not media.endswith("+json"):  # a page's form can send others
            raise Problem(415, "not-json", f"the body is {kind[:100]!r}: send application/json")
        try:
            value = jsontext.loads_embeddable(body)
        except ValueError as error:
            raise Problem(400, "not-json", f"the body is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise unprocessable([Fault("$", "is not an object")], "the body must be a JSON object")
        return value

    async def type_of(self, name: str) -> RegisteredType:
        """Return a job type that the caller may do this with.

        A 404 `Problem` tells of a name that nobody has registered those which are near, and which
        the caller may see.
        """
        try:
            found = await self.parts.types.get(name)
        except UnknownTypeError:
            if queues := await self.parts.types.queues():
                await restrict(self.access, (), queues)  # who may do this nowhere learns no name
            near = await self.parts.types.near(name)
            seen = set(await self.access.among({other.queue for other in near}))
            names = [other.type.name for other in near if other.queue in seen]
            raise UnknownTypeError(name, names[:SHOWN_NEAR]) from None
        await self.access.require(found.queue)
        return found

    async def job(self, uuid: str) -> Kept:
        """Return a job that the caller may do this to."""
        kept = await self.parts.dispatch.jobs.read(uuid)
        await self.access.require(await self.queue_of(kept.record))
        return kept

    async def queue_of(self, record: JobRecord) -> str:
        """Return the queue whose rights hold for a job. One that has moved is still of the queue
        that it left, for who has no rights in its new one."""
        if record.moved_from is None or self.access is OPEN:
            return record.queue
        seen = await self.access.among([record.queue, record.moved_from])
        return seen[0] if seen else record.queue

    async def may_change(self, *uuids: str) -> None:
        """Return if the caller may do this to the jobs. `JobNotFoundError` if there are none."""
        if self.access is OPEN:
            return
        self.access.note(*uuids)
        # One that cannot be read cannot be changed either.
        read = self.parts.dispatch.jobs.read_some(uuids)
        found = [kept.record async for kept in read if isinstance(kept, Kept)]
        queues = {await self.queue_of(record) for record in found}
        if not queues:
            raise JobNotFoundError(f"there is no job {uuids[0][:50]!r}; finished ones expire")
        for queue in sorted(queues):
            await self.access.require(queue)

    async def queues_of(self, asked: Sequence[str]) -> Sequence[str]:
        """Return the queues that a listing is narrowed to; none: all."""
        if self.access is OPEN:
            return asked
        return await restrict(self.access, asked, await self.parts.types.queues())

    @staticmethod
    def now() -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)
