"""The calls about jobs: from request to answer. What they do is in `zerog.ledger`."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from zerog.ledger import beside, keys
from zerog.ledger.dispatch import Dispatch
from zerog.ledger.jobs import Kept
from zerog.model import jsontext, life
from zerog.model.documents import LogLine, Remembered, idempotency_key, write
from zerog.model.errors import (
    DocumentExistsError,
    JobError,
    JobNotFoundError,
    JobStateError,
    ZeroGError,
)
from zerog.model.record import (
    FINISHED_STATES,
    UNFINISHED,
    JobId,
    JobRecord,
    State,
    is_job_id,
    new_job_id,
)
from zerog.store.filtering import matches
from zerog.store.port import Datastore, JobFilter
from zerog_api.auth.access import OPEN, restrict
from zerog_api.bodies import (
    Asked,
    Selection,
    asked_of,
    fingerprint,
    read_batch,
    read_object,
    read_selection,
)
from zerog_api.http import (
    STREAM_HEARTBEAT_SECONDS,
    Answer,
    Request,
    Response,
    StreamResponse,
    json_response,
)
from zerog_api.problems import Fault, Problem, unavailable, unprocessable
from zerog_api.types import RegisteredType, Types
from zerog_api.watch import Watch, wait_any

DEFAULT_PAGE = 50
MAX_KEY_CHARS = 255
#: Of what is wrong in a longer body only the first thing is told: the validator would look for
#: everything, some 40 µs a fault, while everybody else waits.
MANY_FAULTS_BYTES = 8192
_SUMMARY = (
    "uuid", "type", "queue", "priority", "state", "resultCode", "message", "createdTime",
    "changedTime", "startedTime", "finishedTime", "notBeforeTime", "cancelRequestedTime",
    "attempt", "crashes", "continuations", "replays",
)  # fmt: skip


class JobCalls:
    """Handlers of the calls about jobs. Each gets the request, parsed query values, and
    path segments."""

    def __init__(
        self,
        store: Datastore,
        dispatch: Dispatch,
        types: Types,
        watch: Watch,
        stopping: asyncio.Event,
        idempotency_seconds: float,
    ) -> None:
        self._store = store
        self._dispatch = dispatch
        self._jobs = dispatch.jobs
        self._types = types
        self._watch = watch
        self._stopping = stopping
        self._idempotency_seconds = idempotency_seconds

    async def submit(self, request: Request, query: dict[str, Any], name: str) -> Answer:
        """Accept a job."""
        job_type = await self._types.get(name, request.access)
        await request.access.require(job_type.queue)
        parameters = await read_object(request)
        if faults := job_type.faults(parameters, only_first=_is_long(request)):
            raise unprocessable(faults, f"the parameters do not fit the job type {name}")
        asked = asked_of(query, datetime.now(UTC))
        mark = fingerprint(name, parameters, query)
        key, uuids, known = await self._uuids(request, mark, [new_job_id()])
        request.access.note(*uuids)
        await self._accept(uuids[0], job_type, parameters, asked, known=known)
        self._note_accepted(key)
        return json_response({"uuid": uuids[0]}, 201, Location=f"/v1/jobs/{uuids[0]}")

    async def _uuids(
        self, request: Request, mark: str, fresh: list[JobId]
    ) -> tuple[str | None, list[JobId], Remembered | None]:
        """Return a request's key, the UUIDs for its jobs, and what the key stood for before."""
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return None, fresh, None
        if not 0 < len(key) <= MAX_KEY_CHARS:
            fault = Fault("Idempotency-Key", f"has to have 1 to {MAX_KEY_CHARS} characters")
            raise unprocessable([fault], "the Idempotency-Key does not fit")
        # One caller's keys say nothing to another.
        owner = request.access.owner
        place = idempotency_key(f"{owner}\0{key}" if owner else key)
        taken = Remembered(fresh, mark)
        known = await keys.remember(self._store, place, taken, self._idempotency_seconds)
        if known is None:
            return place, fresh, None
        if known.fingerprint != mark:
            raise Problem(
                409, "idempotency-key-reused", "this Idempotency-Key was used for another job"
            )
        return place, known.uuids, known

    def _note_accepted(self, key: str | None) -> None:
        if key is not None:
            self._jobs.leftovers.later(lambda: keys.note_accepted(self._store, key))

    async def _accept(
        self,
        uuid: JobId,
        job_type: RegisteredType,
        parameters: dict[str, Any],
        asked: Asked,
        *,
        known: Remembered | None,
    ) -> None:
        if known is not None and (await self._dispatch.ensure_queued(uuid) or known.accepted):
            return
        record = life.accept(
            uuid=uuid,
            job_type=job_type.type,
            parameters=parameters,
            now=datetime.now(UTC),
            priority=asked.priority,
            timeout_seconds=asked.timeout_seconds,
            not_before_time=asked.not_before_time,
        )
        try:
            await self._dispatch.accept(record)
        except DocumentExistsError:  # another request with this key was faster
            if not await self._dispatch.ensure_queued(uuid):
                raise unavailable("queue") from None

    async def submit_batch(self, request: Request, query: dict[str, Any]) -> Answer:
        """Accept several jobs, or none if one of them does not fit."""
        body = await read_object(request)
        items = read_batch(body)
        faults: list[Fault] = []
        types = []
        for number, item in enumerate(items):
            types.append(await self._types.get(item.type, request.access))
            await request.access.require(types[-1].queue)
            place = f"$.jobs[{number}].parameters"
            faults += types[-1].faults(item.parameters, place, only_first=_is_long(request))
        if faults:
            raise unprocessable(faults, "some jobs of the batch do not fit; none is taken")
        fresh = [new_job_id() for _ in items]
        mark = fingerprint("jobs:batch", body, {})
        key, uuids, known = await self._uuids(request, mark, fresh)
        request.access.note(*uuids)
        results = await asyncio.gather(
            *[
                self._accept(uuid, job_type, item.parameters, item.asked, known=known)
                for uuid, job_type, item in zip(uuids, types, items, strict=True)
            ],
            return_exceptions=True,
        )
        if failed := next((item for item in results if isinstance(item, BaseException)), None):
            # With a key the repeat takes the rest; without one it would take all of them again.
            if "Idempotency-Key" not in request.headers:
                await asyncio.gather(*[self._jobs.take_back(uuid) for uuid in uuids])
            raise failed
        self._note_accepted(key)
        return json_response({"uuids": uuids}, 201)

    async def progress(self, request: Request, query: dict[str, Any], uuid: str) -> Answer:
        """Tell a job's progress, at once or when it changes."""
        seconds = query.get("wait")
        if not seconds:
            return json_response(await self._progress(request, uuid))
        deadline = time.monotonic() + seconds
        # Watched before it is read, so that no change falls in between.
        async with self._watch.changes() as changed:
            first = now = await self._progress(request, uuid)
            if first["resultCode"] != UNFINISHED:
                return json_response(first)
            while now == first and (left := deadline - time.monotonic()) > 0:
                await wait_any(changed, request.closed, self._stopping, seconds=left)
                if request.closed.is_set() or self._stopping.is_set():
                    break
                changed.clear()
                now = await self._progress(request, uuid)
        return json_response(now)

    async def _progress(self, request: Request, uuid: str) -> dict[str, Any]:
        return await self._progress_of((await self._read(request, uuid)).record)

    async def _read(self, request: Request, uuid: str) -> Kept:
        """Return a job that the caller may do this to."""
        kept = await self._jobs.read(uuid)
        await request.access.require(kept.record.queue)
        return kept

    async def _may_change(self, request: Request, *uuids: str) -> None:
        """Return if the caller may do this to the jobs. A 404 `Problem` if there are none."""
        if request.access is OPEN:
            return
        request.access.note(*uuids)
        found = await self._store.get_many("jobs", [uuid for uuid in uuids if is_job_id(uuid)])
        if not found:
            raise JobNotFoundError(f"there is no job {uuids[0][:50]!r}; finished ones expire")
        for stored in found.values():
            await request.access.require(stored.document["queue"])

    async def _progress_of(self, record: JobRecord) -> dict[str, Any]:
        progress = {
            "uuid": record.uuid,
            "state": record.state,
            "completeness": await beside.read_completeness(self._store, record),
            "resultCode": record.result_code,
            "attempt": record.attempt,
        }
        if record.message:
            progress["message"] = record.message
        return progress

    async def info(self, request: Request, query: dict[str, Any], uuid: str) -> Answer:
        """Tell a job's progress, log and attempts."""
        kept = await self._read(request, uuid)
        lines = [
            _line(attempt, line)
            async for attempt, line in beside.read_log(self._store, kept.record)
        ]
        kinds = {"events": "info", "warnings": "warning", "errors": "error"}
        return json_response(
            {
                **_summary(kept.document),
                "completeness": await beside.read_completeness(self._store, kept.record),
                "limits": kept.document["limits"],
                **{
                    name: [line for line in lines if line["level"] == level]
                    for name, level in kinds.items()
                },
                "attempts": kept.document["attempts"],
            }
        )

    async def data(self, request: Request, query: dict[str, Any], uuid: str) -> Answer:
        """Return a finished job's output data."""
        record = (await self._read(request, uuid)).record
        if not record.is_finished:
            raise JobStateError(f"job {uuid} is {record.state}: its data is not there yet")
        return json_response(
            {
                "uuid": uuid,
                "resultCode": record.result_code,
                "data": await beside.read_output(self._store, record),
            }
        )

    async def document(self, request: Request, query: dict[str, Any], uuid: str) -> Answer:
        """Return everything that is known of a job but its log."""
        kept = await self._read(request, uuid)
        document = {
            **kept.document,
            "parameters": await beside.read_input(self._store, kept.record),
            "data": await beside.read_output(self._store, kept.record),
            "completeness": await beside.read_completeness(self._store, kept.record),
        }
        for inner in ("hasInputBlob", "outputBlobAttempt"):
            document.pop(inner, None)
        return json_response(document, ETag=f'"{kept.revision}"')

    async def stream(self, request: Request, query: dict[str, Any], uuid: str) -> Answer:
        """Send progress and log lines as they happen."""
        await self._read(request, uuid)
        return StreamResponse(
            self._events(request, uuid), "text/event-stream", {"Cache-Control": "no-store"}
        )

    async def _events(self, request: Request, uuid: str) -> AsyncGenerator[bytes, None]:
        """The id of a log line is its attempt and number: a client that comes back goes
        on there."""
        seen = _parse_event_id(request.headers.get("Last-Event-ID", ""))
        last: dict[str, Any] | None = None
        async with self._watch.changes() as changed:
            while True:
                changed.clear()
                try:
                    record = (await self._jobs.read(uuid)).record
                    progress = await self._progress_of(record)
                    async for attempt, line in beside.read_log(self._store, record, seen):
                        seen = (attempt, line.seq)
                        yield _event("log", _line(attempt, line), seen)
                except ZeroGError:
                    return  # gone, or the store is away: the client comes back
                if progress != last:
                    last = progress
                    yield _event("progress", progress, seen)
                if record.is_finished:
                    yield _event("end", progress, seen)
                    return
                await wait_any(
                    changed, request.closed, self._stopping, seconds=STREAM_HEARTBEAT_SECONDS
                )
                if request.closed.is_set() or self._stopping.is_set():
                    return
                if not await request.access.still(record.queue):
                    return  # the token has ended: the client comes back with another
                if not changed.is_set():
                    yield b": still here\n\n"

    async def cancel(self, request: Request, query: dict[str, Any], uuid: str) -> Answer:
        """Ask for a job's end."""
        await self._may_change(request, uuid)
        return await self._changed(await self._dispatch.cancel(uuid))

    async def retry(self, request: Request, query: dict[str, Any], uuid: str) -> Answer:
        """Let a finished job run again."""
        await self._may_change(request, uuid)
        return await self._changed(await self._dispatch.replay(uuid))

    async def _changed(self, record: JobRecord) -> Answer:
        return json_response(await self._progress_of(record), 202)

    async def delete(self, request: Request, query: dict[str, Any], uuid: str) -> Answer:
        """Forget a finished job."""
        await self._may_change(request, uuid)
        await self._jobs.delete(uuid)
        return Response(204)

    async def list(self, request: Request, query: dict[str, Any]) -> Answer:
        """List jobs, newest first."""
        queues = await self._queues(request, query.get("queue", ()))
        job_filter = JobFilter(query.get("type", ()), query.get("state", ()), queues)
        try:
            page = await self._store.list_jobs(
                job_filter, limit=query.get("limit", DEFAULT_PAGE), cursor=query.get("cursor")
            )
        except ValueError:
            fault = Fault("?cursor", "is not one that a listing has returned")
            raise unprocessable([fault], "the cursor does not fit") from None
        return json_response(
            {"jobs": [_summary(item.document) for item in page.jobs], "next": page.cursor}
        )

    async def cancel_many(self, request: Request, query: dict[str, Any]) -> Answer:
        """Ask for the end of all jobs that a filter selects."""
        chosen = read_selection(await read_object(request))
        states = [state for state in State if state not in FINISHED_STATES]
        return await self._change_many(request, chosen, states, self._dispatch.cancel)

    async def retry_many(self, request: Request, query: dict[str, Any]) -> Answer:
        """Let all finished jobs that a filter selects run again; failed ones unless it
        says else."""
        chosen = read_selection(await read_object(request))
        return await self._change_many(request, chosen, [State.FAILED], self._dispatch.replay)

    async def _queues(self, request: Request, asked: Sequence[str]) -> Sequence[str]:
        """Return the queues that a listing is narrowed to; none: all."""
        if request.access is OPEN:
            return asked
        return await restrict(request.access, asked, await self._types.queues())

    async def _select(
        self, request: Request, chosen: Selection, states: Sequence[State]
    ) -> tuple[Sequence[str], bool]:
        """Return the UUIDs of the jobs that a change is for, and whether there are more."""
        if chosen.uuids:
            await self._may_change(request, *chosen.uuids)
            found = await self._store.get_many("jobs", chosen.uuids)
            wanted = JobFilter(chosen.types, chosen.states, chosen.queues)
            uuids = [
                uuid
                for uuid in chosen.uuids
                if uuid in found and matches(found[uuid].document, wanted)
            ]
            return uuids[: chosen.limit], len(uuids) > chosen.limit
        queues = await self._queues(request, chosen.queues)
        job_filter = JobFilter(chosen.types, chosen.states or states, queues)
        page = await self._store.list_jobs(job_filter, limit=chosen.limit)
        uuids = [item.document["uuid"] for item in page.jobs]
        request.access.note(*uuids)
        return uuids, page.cursor is not None

    async def _change_many(
        self,
        request: Request,
        chosen: Selection,
        states: Sequence[State],
        change: Callable[[str], Awaitable[JobRecord]],
    ) -> Answer:
        uuids, more = await self._select(request, chosen, states)
        changed = 0
        for uuid in uuids:
            try:
                await change(uuid)
                changed += 1
            except JobError:
                continue  # finished, gone or changed meanwhile
        return json_response({"changed": changed, "more": more})


def _is_long(request: Request) -> bool:
    return len(request.body) > MANY_FAULTS_BYTES


def _summary(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: document[name] for name in _SUMMARY if name in document}


def _line(attempt: int, line: LogLine) -> dict[str, Any]:
    return {"attempt": attempt, **write(line)}


def _event(kind: str, document: Mapping[str, Any], seen: tuple[int, int]) -> bytes:
    body = jsontext.dumps(document).decode()
    return f"event: {kind}\nid: {seen[0]}-{seen[1]}\ndata: {body}\n\n".encode()


def _parse_event_id(text: str) -> tuple[int, int]:
    attempt, _, seq = text.partition("-")
    if attempt.isdecimal() and seq.isdecimal() and len(text) < 30:
        return int(attempt), int(seq)
    return 0, -1
