"""What the SDK raises when something goes wrong, and what has happened to the document then.

The adapter's table of what is definite, safe to repeat and ambiguous stands on these tests.
"""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from couchbase import subdocument as sd
from couchbase.durability import DurabilityLevel, ServerDurability
from couchbase.exceptions import (
    AmbiguousTimeoutException,
    DocumentExistsException,
    DocumentNotFoundException,
    DurabilityImpossibleException,
    DurabilitySyncWriteAmbiguousException,
    PathExistsException,
    RequestCanceledException,
    TemporaryFailException,
    UnAmbiguousTimeoutException,
)
from couchbase.options import GetOptions, InsertOptions
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.protocol import Status
from tests.integration.couchbase.conftest import AnyCollection

SHORT = timedelta(seconds=0.5)
#: Long enough for an answer on a busy machine, after which the SDK goes on asking.
ANSWERED = timedelta(seconds=3)
DEADLINE_SECONDS = 60.0
#: How late a reply is that nobody awaits any more.
LATE_SECONDS = 1.0
MAJORITY = ServerDurability(DurabilityLevel.MAJORITY)


async def there(jobs: AnyCollection, key: str) -> bool:
    return bool((await jobs.exists(key)).exists)


async def test_an_event_whose_reply_was_lost_is_not_stored_twice(
    jobs: AnyCollection, key: str, couchbase_server: CouchbaseServer
) -> None:
    await jobs.insert(key, {"e": {}})
    couchbase_server.add_fault("close", applied=True, opcode="MUTATE_IN")

    with pytest.raises(RequestCanceledException):
        await jobs.mutate_in(key, [sd.insert("e.1", "text")])
    with pytest.raises(PathExistsException):
        await jobs.mutate_in(key, [sd.insert("e.1", "text")])

    assert (await jobs.get(key)).content_as[dict] == {"e": {"1": "text"}}


@pytest.mark.parametrize("applied", [False, True])
async def test_a_write_on_a_cut_connection_is_ambiguous_at_once(
    jobs: AnyCollection, key: str, couchbase_server: CouchbaseServer, applied: bool
) -> None:
    couchbase_server.add_fault("close", applied=applied, opcode="INSERT")

    with pytest.raises(RequestCanceledException):
        await jobs.insert(key, {})

    assert await there(jobs, key) is applied


async def test_a_read_on_a_cut_connection_is_repeated(
    jobs: AnyCollection, key: str, couchbase_server: CouchbaseServer
) -> None:
    await jobs.insert(key, {"n": 1})
    couchbase_server.add_fault("close", opcode="GET")

    assert (await jobs.get(key)).content_as[dict] == {"n": 1}
    assert couchbase_server.count_faults() == 1


async def test_silence_to_a_read_is_safe_to_repeat(
    jobs: AnyCollection, key: str, couchbase_server: CouchbaseServer
) -> None:
    await jobs.insert(key, {})
    couchbase_server.add_fault("silence", opcode="GET", key_prefix=key)

    with pytest.raises(UnAmbiguousTimeoutException):
        await jobs.get(key, GetOptions(timeout=SHORT))

    await jobs.get(key)


@pytest.mark.parametrize("applied", [False, True])
async def test_silence_to_a_write_is_ambiguous(
    jobs: AnyCollection, key: str, couchbase_server: CouchbaseServer, applied: bool
) -> None:
    couchbase_server.add_fault("silence", applied=applied, opcode="INSERT", key_prefix=key)

    with pytest.raises(AmbiguousTimeoutException):
        await jobs.insert(key, {}, InsertOptions(timeout=SHORT))

    assert await there(jobs, key) is applied


async def test_a_late_reply_is_no_failure(
    jobs: AnyCollection, key: str, couchbase_server: CouchbaseServer
) -> None:
    couchbase_server.add_fault("delay", seconds=0.2, opcode="INSERT")
    started = time.monotonic()

    await jobs.insert(key, {})

    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize("status", [Status.TEMPORARY_FAILURE, Status.LOCKED, Status.NOT_MY_VBUCKET])
async def test_passing_refusals_are_repeated_by_the_sdk(
    jobs: AnyCollection, key: str, couchbase_server: CouchbaseServer, status: Status
) -> None:
    couchbase_server.add_fault("status", status=status, count=3, key_prefix=key)

    await jobs.insert(key, {})

    assert couchbase_server.count_faults() == 3


async def test_a_busy_server_is_a_temporary_failure_at_once(
    jobs: AnyCollection, key: str, couchbase_server: CouchbaseServer
) -> None:
    couchbase_server.add_fault("status", status=Status.BUSY, key_prefix=key)

    with pytest.raises(TemporaryFailException):
        await jobs.insert(key, {})


async def test_a_lasting_temporary_failure_has_not_happened(
    jobs: AnyCollection, key: str, couchbase_server: CouchbaseServer
) -> None:
    couchbase_server.add_fault(
        "status", status=Status.TEMPORARY_FAILURE, count=None, key_prefix=key
    )

    with pytest.raises(TemporaryFailException):
        await jobs.insert(key, {}, InsertOptions(timeout=ANSWERED))

    couchbase_server.clear_faults()
    assert not await there(jobs, key)


async def test_a_sync_write_that_stays_in_progress_is_ambiguous(
    jobs: AnyCollection, key: str, couchbase_server: CouchbaseServer
) -> None:
    couchbase_server.add_fault(
        "status", status=Status.SYNC_WRITE_IN_PROGRESS, count=None, key_prefix=key
    )

    with pytest.raises(AmbiguousTimeoutException):
        await jobs.insert(key, {}, InsertOptions(timeout=SHORT))


async def test_a_durable_write_whose_outcome_is_unknown_says_so(
    jobs: AnyCollection, key: str, couchbase_server: CouchbaseServer
) -> None:
    couchbase_server.add_fault("status", status=Status.SYNC_WRITE_AMBIGUOUS, applied=True)

    with pytest.raises(DurabilitySyncWriteAmbiguousException):
        await jobs.insert(key, {}, InsertOptions(durability=MAJORITY))
    with pytest.raises(DocumentExistsException):
        await jobs.insert(key, {}, InsertOptions(durability=MAJORITY))


async def test_durability_that_is_impossible_writes_nothing(
    jobs: AnyCollection, key: str, couchbase_server: CouchbaseServer
) -> None:
    couchbase_server.make_durability_possible(False)

    with pytest.raises(DurabilityImpossibleException):
        await jobs.insert(key, {}, InsertOptions(durability=MAJORITY))

    assert not await there(jobs, key)


@pytest.mark.parametrize("level", list(DurabilityLevel)[1:])
async def test_each_level_of_durability_is_understood(
    jobs: AnyCollection, key: str, level: DurabilityLevel
) -> None:
    await jobs.insert(key, {}, InsertOptions(durability=ServerDurability(level)))

    assert await there(jobs, key)


async def test_a_write_that_is_no_longer_awaited_happens_all_the_same(
    jobs: AnyCollection, key: str, couchbase_server: CouchbaseServer
) -> None:
    seen: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context))
    couchbase_server.add_fault("delay", applied=True, seconds=LATE_SECONDS, opcode="UPSERT")
    task = asyncio.ensure_future(jobs.upsert(key, {"n": 1}))
    async with asyncio.timeout(DEADLINE_SECONDS):
        while couchbase_server.count_faults() == 0:
            await asyncio.sleep(0.01)
    met = time.monotonic()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    while time.monotonic() < met + LATE_SECONDS + 0.2 and not seen:
        await asyncio.sleep(0.01)

    assert (await jobs.get(key)).content_as[dict] == {"n": 1}
    # The SDK answers a future that is done: that must be all that comes of it.
    kinds = {type(context.get("exception")).__name__ for context in seen}
    assert kinds <= {"InvalidStateError"}


async def test_cutting_all_connections_is_survived(
    jobs: AnyCollection, key: str, couchbase_server: CouchbaseServer
) -> None:
    await jobs.insert(key, {"n": 1})

    assert couchbase_server.cut_connections() >= 1

    assert (await jobs.get(key)).content_as[dict] == {"n": 1}


async def test_what_never_was_is_told_from_what_is_gone(jobs: AnyCollection, key: str) -> None:
    with pytest.raises(DocumentNotFoundException):
        await jobs.get(key)
