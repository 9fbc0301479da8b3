"""The calls about one job, and those that take jobs in.

What they do is in `zerog_api.core` and `zerog.ledger`.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from msgspec import structs
from tornado.web import RequestHandler

from zerog.ledger import beside
from zerog.ledger.jobs import Kept
from zerog.model.errors import JobStateError, ZeroGError
from zerog.model.names import MAX_IDEMPOTENCY_KEY_BYTES
from zerog.model.record import JobRecord, State
from zerog_api import models, problems
from zerog_api.auth.access import Verb
from zerog_api.calls.base import CallHandler
from zerog_api.calls.large import LargeHandler
from zerog_api.core import views
from zerog_api.core.errors import Fault, InvalidCallError
from zerog_api.core.intake import Key, Order, fingerprint
from zerog_api.core.types import RegisteredType
from zerog_api.edge.handler import operation
from zerog_api.edge.operations import EVENTS, Operation
from zerog_api.edge.reading import asked_of, asked_of_batch, read_model
from zerog_api.edge.sse import ALIVE_SECONDS, Streaming, event
from zerog_api.problems import unprocessable

#: Who waits for one change, and who follows a job, looks again at most this often.
WAIT_PAUSE_SECONDS, STREAM_PAUSE_SECONDS = 0.02, 0.1
#: Who follows a job looks by itself when nothing has changed for this long, also at its log.
STREAM_IDLE_SECONDS = ALIVE_SECONDS
_ABOUT_A_JOB = (404, 422)
_CHANGES_A_JOB = (404, 409, 422)


class _Submitting(CallHandler):
    """A call that takes jobs in."""

    def key(self, call: str, body: Any, options: Mapping[str, Any]) -> Key | None:
        """Return the Idempotency-Key; None if there is none. A 422 `Problem` if it does not fit."""
        text = self.request.headers.get("Idempotency-Key")
        if text is None:
            return None
        if not 0 < len(text) <= MAX_IDEMPOTENCY_KEY_BYTES:
            fault = Fault(
                "Idempotency-Key", f"must have 1 to {MAX_IDEMPOTENCY_KEY_BYTES} characters"
            )
            raise unprocessable([fault], "the Idempotency-Key is invalid")
        return Key(text, self.access.owner, fingerprint(call, body, options))

    async def take(self, orders: Sequence[Order], key: Key | None, refusal: str) -> list[str]:
        """Accept jobs whose parameters fit, and return their UUIDs."""
        intake = self.parts.intake
        orders, faults = await intake.check(orders, key, only_first=self.is_long)
        if faults and (renewed := await self._renewed(orders)) is not None:
            orders, faults = await intake.check(renewed, key, only_first=self.is_long)
        if faults:
            raise InvalidCallError(faults[: models.MAX_BATCH], refusal)
        for queue in {order.type.queue for order in orders}:  # of an older version perhaps
            await self.access.require(queue)
        named = await intake.name(len(orders), key)
        self.access.note(*named.uuids)  # also of those that cannot be taken in
        self.made = named.uuids
        origin = self.footprint.origin
        if len(orders) > 1 and origin.trace_parent is not None:
            origin = structs.replace(origin, own_trace=True)
        await intake.take(orders, named, origin)
        return list(named.uuids)

    async def _renewed(self, orders: Sequence[Order]) -> list[Order] | None:
        """Return orders with the versions that workers serve now; None if those are the same."""
        before = {order.type.type.name: order.type for order in orders}
        now = {name: await self.parts.types.get(name, fresh=True) for name in before}
        if all(now[name].hashes == before[name].hashes for name in before):
            return None
        return [replace(order, type=now[order.type.type.name]) for order in orders]

    async def warning(self, orders: Sequence[Order]) -> dict[str, str]:
        """Return what the client is told of jobs that were accepted, and that nobody will run."""
        types = {(order.type.type.name, order.type.queue) for order in orders}
        text = await self.parts.types.served.warning(*types)
        return {} if text is None else {"warning": text}


class JobHandler(_Submitting, LargeHandler):
    """A job by its UUID; or, to run one, a job type by its name."""

    path = "/v1/jobs/{name}"
    _kept: Kept
    _type: RegisteredType

    async def authorize(self, name: str) -> None:
        """See `Handler`."""
        match self.request.method:
            case "POST":
                self._type = await self.type_of(name)
            case "DELETE":
                await self.may_change(name)
            case _:
                self._kept = await self.job(name)

    def compute_etag(self) -> str | None:
        """Mark a document by its text, which also has what lies beside the job's record."""
        return RequestHandler.compute_etag(self)

    @operation(
        Operation(
            id="runJob", tag="jobs", summary="Run a job", verb=Verb.CREATE, status=201,
            answer=models.Accepted, parameters=True, query=models.RunQuery, problems=(404, 409),
            idempotency_key=True,
        )
    )  # fmt: skip
    async def post(self, name: str) -> None:
        """Accept a job."""
        options = self.query(models.RunQuery)
        parameters = self.read_object()
        order = Order(self._type, parameters, asked_of(options, self.now()))
        given = options.model_dump(exclude_none=True) if self.request.query else {}
        refusal = f"the parameters do not fit the job type {name}"
        (uuid,) = await self.take([order], self.key(name, parameters, given), refusal)
        location = f"{self.parts.prefix}/v1/jobs/{uuid}"
        self.reply({"uuid": uuid, **await self.warning([order])}, 201, Location=location)

    @operation(
        Operation(
            id="getJob", tag="jobs", summary="Get the whole document of a job", verb=Verb.GET,
            answer=models.Job, problems=_ABOUT_A_JOB,
        )
    )  # fmt: skip
    async def get(self, name: str) -> None:
        """Return everything that is known of a job but its log."""
        store, kept = self.parts.store, self._kept
        look = partial(beside.size, store, kept.record)
        await self.reply_whole(look, partial(views.document, store, kept))

    @operation(
        Operation(
            id="deleteJob", tag="jobs", summary="Forget a finished job", verb=Verb.DELETE,
            status=204, problems=_CHANGES_A_JOB,
        )
    )  # fmt: skip
    async def delete(self, name: str) -> None:
        """Forget a finished job."""
        await self.parts.dispatch.jobs.delete(name)
        self.set_status(204)


class RunBatchHandler(_Submitting):
    """Several jobs at once."""

    path = "/v1/jobs:batch"

    async def authorize(self) -> None:
        """The body names the types: `post` asks for each of them before it takes any job."""

    @operation(
        Operation(
            id="runJobs", tag="jobs", summary="Run up to 1,000 jobs, or none", verb=Verb.CREATE,
            status=201, answer=models.BatchAccepted, body=models.Batch, problems=(404, 409),
            idempotency_key=True,
        )
    )  # fmt: skip
    async def post(self) -> None:
        """Accept several jobs, or none if one of them does not fit."""
        body = self.read_object()
        batch = read_model(models.Batch, body, only_first=self.is_long)
        orders = [
            Order(await self.type_of(item.type), item.parameters, asked, f"$.jobs[{n}].parameters")
            for n, (item, asked) in enumerate(
                zip(batch.jobs, asked_of_batch(batch, self.now()), strict=True)
            )
        ]
        refusal = "some jobs of the batch do not fit; none is taken"
        uuids = await self.take(orders, self.key("jobs:batch", body, {}), refusal)
        self.reply({"uuids": uuids, **await self.warning(orders)}, 201)


#: A job in these states waits for a worker.
_WAITING = frozenset({State.QUEUED, State.WAITING})


class _Reading(CallHandler):
    """A call that reads one job."""

    kept: Kept

    async def pause_of(self, record: JobRecord) -> dict[str, Any] | None:
        """Tell who has paused the queue in which a job waits; None if nobody has, or nothing is
        known."""
        if record.state not in _WAITING:
            return None
        with contextlib.suppress(ZeroGError):
            return await self.parts.overview.pause_of(record.queue)
        return None

    async def authorize(self, uuid: str) -> None:
        """See `Handler`."""
        self.kept = await self.job(uuid)


class ProgressHandler(_Reading):
    """Where a job stands."""

    path = "/v1/jobs/{uuid}/progress"

    @operation(
        Operation(
            id="getProgress", tag="jobs", summary="Get state, completeness and result code",
            verb=Verb.GET, answer=models.Progress, query=models.WaitQuery, problems=_ABOUT_A_JOB,
        )
    )  # fmt: skip
    async def get(self, uuid: str) -> None:
        """Tell a job's progress, at once or when it changes."""
        query = self.query(models.WaitQuery)
        if not query.wait or self.kept.record.is_finished:
            self.reply(await views.progress(self.parts.store, self.kept.record))
            return
        until = asyncio.get_running_loop().time() + query.wait
        ends = (self.closed, self.edge.stopping)
        looks = self.parts.watch.looks(uuid, *ends, pause_seconds=WAIT_PAUSE_SECONDS, until=until)
        first: dict[str, Any] | None = None
        now: dict[str, Any] = {}
        async for _ in looks:
            record = (await self.job(uuid)).record
            now = await views.progress(self.parts.store, record)
            if record.is_finished or first not in (None, now):
                break
            first = now
        if not await self.access.still(await self.queue_of(self.kept.record)):
            raise problems.forbidden("the right to wait for this job has been revoked")
        self.reply(now)


class InfoHandler(_Reading):
    """What a job has told."""

    path = "/v1/jobs/{uuid}/info"

    @operation(
        Operation(
            id="getInfo", tag="jobs", summary="Get progress, attempts and a page of the log",
            verb=Verb.GET, answer=models.Info, query=models.InfoQuery, problems=_ABOUT_A_JOB,
        )
    )  # fmt: skip
    async def get(self, uuid: str) -> None:
        """Show a job's progress, attempts and a page of its log."""
        query = self.query(models.InfoQuery)
        after = views.BEGINNING if query.cursor is None else views.place(query.cursor)
        if after is None:
            fault = Fault("?cursor", "is not the `next` of a page, nor <attempt>-<line>")
            raise unprocessable([fault], "the cursor is invalid")
        async with self.parts.pages.turn(self.caller, self.closed) as begins:
            if begins:
                document = await views.info(self.parts.store, self.kept, after, query.limit)
                if paused := await self.pause_of(self.kept.record):
                    document["paused"] = paused
                self.write(views.to_json(document) + b"\n")


class DataHandler(_Reading, LargeHandler):
    """What a job has returned."""

    path = "/v1/jobs/{uuid}/data"

    @operation(
        Operation(
            id="getData", tag="jobs", summary="Get the output data of a finished job",
            verb=Verb.GET, answer=models.Data, problems=_CHANGES_A_JOB,
        )
    )  # fmt: skip
    async def get(self, uuid: str) -> None:
        """Return a finished job's output data."""
        record = self.kept.record
        if not record.is_finished:
            raise JobStateError(f"job {uuid} is {record.state}: its data is not there yet")
        look = partial(beside.output_size, self.parts.store, record)
        await self.reply_whole(look, partial(views.data, self.parts.store, record))


class FollowHandler(_Reading, Streaming):
    """What happens to a job, as it happens."""

    path = "/v1/jobs/{uuid}/stream"

    @operation(
        Operation(
            id="streamJob", tag="jobs", summary="Follow a job: log, progress, end, alive",
            verb=Verb.GET, media=EVENTS, problems=_ABOUT_A_JOB,
        )
    )  # fmt: skip
    async def get(self, uuid: str) -> None:
        """Send progress and log lines as they happen."""
        await self.send(self._events(uuid))

    async def _events(self, uuid: str) -> AsyncGenerator[bytes | None, None]:
        """The id of an event is its place in the log: a client that comes back goes on there."""
        looks = self.parts.watch.looks(
            uuid, self.closed, self.edge.stopping,
            pause_seconds=STREAM_PAUSE_SECONDS, idle_seconds=STREAM_IDLE_SECONDS,
        )  # fmt: skip
        seen = views.place(self.request.headers.get("Last-Event-ID", "")) or views.BEGINNING
        try:
            async for news in views.news(self.parts.dispatch.jobs, uuid, looks, seen):
                if not await self.access.still(await self.queue_of(self.kept.record)):
                    return  # the token has ended: the client comes back with another
                if news is None:
                    yield None
                else:
                    kind, document, (attempt, line) = news
                    yield event(kind, views.to_json(document), f"{attempt}-{line}")
        except ZeroGError:
            return  # gone, or the store is away: the client comes back


class _Changing(CallHandler):
    """A call that changes one job."""

    async def authorize(self, uuid: str) -> None:
        """See `Handler`."""
        await self.may_change(uuid)

    async def tell(self, record: JobRecord) -> None:
        """Answer with what the job has become."""
        self.reply(await views.progress(self.parts.store, record), 202)


class CancelHandler(_Changing):
    """The end of a job."""

    path = "/v1/jobs/{uuid}/cancel"

    @operation(
        Operation(
            id="cancelJob", tag="jobs", summary="Cancel a job", verb=Verb.UPDATE, status=202,
            answer=models.Progress, problems=_CHANGES_A_JOB,
        )
    )  # fmt: skip
    async def post(self, uuid: str) -> None:
        """Ask for a job's end."""
        await self.tell(await self.parts.dispatch.cancel(uuid))


class RetryHandler(_Changing):
    """A new run of a finished job."""

    path = "/v1/jobs/{uuid}/retry"

    @operation(
        Operation(
            id="retryJob", tag="jobs", summary="Replay a finished job", verb=Verb.UPDATE,
            status=202, answer=models.Progress, problems=_CHANGES_A_JOB,
        )
    )  # fmt: skip
    async def post(self, uuid: str) -> None:
        """Let a finished job run again."""
        await self.tell(await self.parts.dispatch.replay(uuid))
