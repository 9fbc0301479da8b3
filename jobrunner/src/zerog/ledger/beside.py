"""The documents beside a job's record: progress, log, large parameters and outputs.

They live as long as the record. While the job is unfinished they have an expiry far ahead
(`UNFINISHED_SECONDS`), so that nothing stays for ever whatever goes wrong; the job's end sets their
time to the record's. `each` is the one walker: expiring, removing and copying use it. Writing for
a running attempt is in `zerog.ledger.reports`.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from zerog.model import due, jsontext
from zerog.model.documents import (
    Input,
    LogChunk,
    LogLine,
    Output,
    Progress,
    chunk_of,
    input_key,
    log_key,
    output_key,
    read,
    write,
)
from zerog.model.errors import DocumentExistsError, UnreadableDocumentError
from zerog.model.limits import (
    INLINE_BYTES,
    INLINE_CONTAINERS,
    LINES_PER_CHUNK,
    UNFINISHED_SECONDS,
    one_line,
)
from zerog.model.record import Cause, JobRecord, State
from zerog.store.port import Collection, Datastore, Stored

#: A job's parameters are given a new expiry when a claim is this much later than the last one.
_REFRESH = timedelta(days=180)

#: This many chunks of a log are read together, but one alone after one of this length.
CHUNKS_AT_ONCE, LONG_CHUNK_CHARS = 4, 256 * 1024

#: Does something with one document, e.g. removes it; whether there was one.
Visit = Callable[[Collection, str], Awaitable[bool]]


async def each(record: JobRecord, visit: Visit) -> None:
    """Visit every document beside a record."""
    await visit("progress", record.uuid)
    if record.has_input_blob:
        await visit("blobs", input_key(record.uuid))
    if record.output_blob_attempt is not None:
        await visit("blobs", output_key(record.uuid, record.output_blob_attempt))
    # An attempt's chunks end where one is missing, so they have turns; attempts need none.
    await asyncio.gather(
        *[each_of_log(record, attempt.number, visit) for attempt in record.attempts]
    )


async def each_of_log(record: JobRecord, attempt: int, visit: Visit) -> None:
    """Visit the chunks of one attempt's log."""
    chunk = 0
    while await visit("events", log_key(record.uuid, attempt, chunk)):
        chunk += 1


async def expire(store: Datastore, record: JobRecord) -> None:
    """Let what belongs to a finished job vanish when its record does."""
    seconds = due.retention_seconds(record)
    await each(record, lambda collection, key: store.expire(collection, key, seconds))


async def remove(store: Datastore, record: JobRecord) -> None:
    """Remove what belongs to a job whose record is gone, but for its parameters: see
    `zerog.ledger.jobs`."""
    await each(replace(record, has_input_blob=False), store.remove)


async def remove_log(store: Datastore, record: JobRecord, attempt: int) -> None:
    """Remove the log of an attempt that the record no longer lists."""
    await each_of_log(record, attempt, store.remove)


def fits_record(text: bytes) -> bool:
    """Whether parameters or an output go into their job's record: they are small, also as
    objects. Pure."""
    return len(text) <= INLINE_BYTES and text.count(b"[") + text.count(b"{") <= INLINE_CONTAINERS


async def write_input(store: Datastore, record: JobRecord, parameters: dict[str, Any]) -> bool:
    """Store parameters that are too large for the record, as safely as the record itself.

    False if they are there already: of an earlier request with the same Idempotency-Key.
    """
    document = write(Input(parameters))
    key = input_key(record.uuid)
    try:
        await store.insert("blobs", key, document, durable=True, expire_seconds=UNFINISHED_SECONDS)
    except DocumentExistsError:
        return False
    return True


async def keep_input(store: Datastore, record: JobRecord) -> None:
    """Keep the parameters of a job that is to run again."""
    await store.expire("blobs", input_key(record.uuid), UNFINISHED_SECONDS)


def needs_keeping(before: JobRecord, after: JobRecord) -> bool:
    """Whether a change makes a job need its parameters, which are beside its record, for longer: a
    replay, or the first claim in a long time. Pure."""
    if after.is_finished:
        return False
    last = before.attempts[-1].started_time if before.attempts else before.created_time
    periods = [(time - before.created_time) // _REFRESH for time in (last, after.changed_time)]
    return after.replays > before.replays or periods[0] != periods[1]


async def read_input(store: Datastore, record: JobRecord) -> dict[str, Any] | None:
    """Return a job's parameters, wherever they are; None if they are missing."""
    if not record.has_input_blob:
        return record.parameters or {}
    blob = await store.get("blobs", input_key(record.uuid))
    return read(blob.document, Input, record.uuid).parameters if blob is not None else None


async def write_output(store: Datastore, record: JobRecord, data: Any) -> None:
    """Store output that is too large for the record of a job that ends now."""
    key = output_key(record.uuid, record.attempt)
    try:
        await store.insert(
            "blobs",
            key,
            write(Output(data)),
            durable=True,
            expire_seconds=due.retention_seconds(record),
        )
    except DocumentExistsError:
        pass  # written by an earlier try whose answer was lost


async def read_input_text(store: Datastore, record: JobRecord) -> msgspec.Raw:
    """Return a job's parameters as JSON text; `null` if they are missing."""
    if not record.has_input_blob:
        return msgspec.Raw(jsontext.dumps(record.parameters or {}))
    return await _read_text(store, input_key(record.uuid), _InputText, "parameters")


async def read_output_text(store: Datastore, record: JobRecord) -> msgspec.Raw:
    """Return a job's output data as JSON text; `null` if there is none."""
    if record.output_blob_attempt is None:
        return msgspec.Raw(jsontext.dumps(record.data))
    key = output_key(record.uuid, record.output_blob_attempt)
    return await _read_text(store, key, _OutputText, "data")


async def size(store: Datastore, record: JobRecord) -> int:
    """Return how many bytes of parameters and output are stored beside a record."""
    parameters = 0
    if record.has_input_blob:
        parameters = await store.size("blobs", input_key(record.uuid))
    return parameters + await output_size(store, record)


async def output_size(store: Datastore, record: JobRecord) -> int:
    """Return how many bytes of output are stored beside a record."""
    if record.output_blob_attempt is None:
        return 0
    return await store.size("blobs", output_key(record.uuid, record.output_blob_attempt))


class _InputText(Struct):
    parameters: msgspec.Raw


class _OutputText(Struct):
    data: msgspec.Raw


async def _read_text(
    store: Datastore, key: str, kind: type[_InputText | _OutputText], field: str
) -> msgspec.Raw:
    """Read a blob's only value. As objects it may take 30 times as much memory."""
    text = await store.get_text("blobs", key)
    await asyncio.sleep(0)  # both steps take long if the text is long
    if text is None:
        return msgspec.Raw(b"null")
    try:
        return cast(msgspec.Raw, getattr(msgspec.json.decode(text, type=kind), field))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UnreadableDocumentError(f"the document {key} cannot be read: {error}") from error


async def read_completeness(store: Datastore, record: JobRecord) -> float:
    """Return how much of a job is done, as it last reported.

    A report that cannot be read is none: the record says where the job stands.
    """
    if record.state is State.SUCCEEDED:
        return 1.0
    if record.state is State.QUEUED or record.attempt == 0:
        return 0.0  # it begins: for the first time, again, or where its own state says
    stored = await store.get("progress", record.uuid)
    if stored is None:
        return 0.0
    try:
        progress = read(stored.document, Progress, record.uuid)
    except UnreadableDocumentError:
        return 0.0
    return progress.completeness if still_holds(record, progress.attempt) else 0.0


def still_holds(record: JobRecord, attempt: int) -> bool:
    """Whether what an attempt reported of a job's completeness holds now: it is the last one, or
    each since then has continued what was there. Pure."""
    since = [item for item in record.attempts if item.number >= attempt]
    return all(item.cause is Cause.CONTINUED for item in since[:-1])


def _lines_of(stored: Stored, record: JobRecord, chunk: int) -> list[LogLine]:
    """Return the lines of a chunk; one that cannot be read is a line that says so."""
    try:
        return read(stored.document, LogChunk, record.uuid).lines
    except UnreadableDocumentError as error:
        message = one_line(f"lines of this log cannot be read: {error}") or ""
        last = (chunk + 1) * LINES_PER_CHUNK - 1  # so that the next chunk is looked for
        return [LogLine(last, record.changed_time, "error", message)]


def _is_long(lines: list[LogLine]) -> bool:
    """Whether a chunk is so long that reading several like it would hold others up."""
    return sum(len(line.data) for line in lines if isinstance(line.data, str)) > LONG_CHUNK_CHARS


async def read_log(
    store: Datastore, record: JobRecord, after: tuple[int, int] = (0, -1)
) -> AsyncGenerator[tuple[int, LogLine], None]:
    """Give a job's log in the order of writing, each line with its attempt.

    `after` is an attempt and the number of the last line that is known of it; chunks before that
    are not read.
    """
    known = {item.number: -1 for item in record.attempts if item.number >= after[0]}
    if after[0] in known:
        known[after[0]] = after[1]
    first = [log_key(record.uuid, number, chunk_of(max(seq, 0))) for number, seq in known.items()]
    found: dict[str, Stored] = {}
    for place, (number, seq) in enumerate(known.items()):
        if place % CHUNKS_AT_ONCE == 0:  # most attempts have no other
            found = await store.get_many("events", first[place : place + CHUNKS_AT_ONCE])
        chunk = chunk_of(max(seq, 0))
        unread = chunk + 1
        while stored := found.pop(log_key(record.uuid, number, chunk), None):
            lines = _lines_of(stored, record, chunk)
            for line in lines:
                if line.seq > seq:
                    yield number, line
            await asyncio.sleep(0)  # others have their turn: a log may be long
            chunk += 1
            if not lines or chunk_of(lines[-1].seq + 1) < chunk:
                break  # it is not full: none comes after it
            if chunk == unread:
                unread += 1 if _is_long(lines) else CHUNKS_AT_ONCE
                keys = [log_key(record.uuid, number, each) for each in range(chunk, unread)]
                found |= await store.get_many("events", keys)
