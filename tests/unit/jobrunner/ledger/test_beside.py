"""What is read of the documents beside a record."""

from typing import Any

import pytest
from tests.ledger.jobs import BEGIN, ME, Ledger

from zerog.ledger import beside
from zerog.ledger.reports import Backlog, Reports
from zerog.model import events, jsontext
from zerog.model.documents import log_key
from zerog.model.errors import UnreadableDocumentError
from zerog.model.limits import INLINE_BYTES, LINES_PER_CHUNK
from zerog.model.record import JobId

COUNT = LINES_PER_CHUNK + 5


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


async def say(ledger: Ledger, uuid: JobId, attempt: int, count: int) -> None:
    reports = Reports(ledger.store, uuid, attempt, Backlog())
    for number in range(count):
        reports.take_line(BEGIN, "info", f"{attempt}/{number}")
    await reports.flush()


async def read_log(ledger: Ledger, uuid: JobId, *after: Any) -> list[str]:
    record = await ledger.read(uuid)
    return [line.message async for _, line in beside.read_log(ledger.store, record, *after)]


async def two_attempts(ledger: Ledger) -> JobId:
    uuid = (await ledger.running()).record.uuid
    await say(ledger, uuid, 1, COUNT)
    await ledger.happen(uuid, events.Interrupted(1, "drained"), events.Claimed(ME, 2))
    await say(ledger, uuid, 2, 3)
    return uuid


async def test_a_log_is_read_in_the_order_of_writing(ledger: Ledger) -> None:
    uuid = await two_attempts(ledger)

    wanted = [f"1/{number}" for number in range(COUNT)] + [f"2/{number}" for number in range(3)]
    assert await read_log(ledger, uuid) == wanted


async def test_a_long_log_of_many_attempts_is_read_in_few_steps(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = await two_attempts(ledger)
    for attempt in range(2, 20):
        await ledger.happen(uuid, events.Interrupted(attempt, "drained"))
        await ledger.happen(uuid, events.Claimed(ME, attempt + 1))
    await say(ledger, uuid, 20, 5 * LINES_PER_CHUNK)
    reads = []
    get_many = ledger.store.get_many

    async def counted(*arguments: Any) -> Any:
        reads.append(arguments)
        return await get_many(*arguments)

    monkeypatch.setattr(ledger.store, "get_many", counted)

    assert len(await read_log(ledger, uuid)) == COUNT + 3 + 5 * LINES_PER_CHUNK
    assert len(reads) <= 8


@pytest.mark.parametrize("seq", [0, LINES_PER_CHUNK - 1, LINES_PER_CHUNK, COUNT - 1])
async def test_a_log_is_read_from_where_its_reader_was(ledger: Ledger, seq: int) -> None:
    uuid = await two_attempts(ledger)

    lines = await read_log(ledger, uuid, (1, seq))

    assert len(lines) == COUNT - 1 - seq + 3
    assert await read_log(ledger, uuid, (2, 1)) == ["2/2"]
    assert await read_log(ledger, uuid, (2, 2)) == []
    assert await read_log(ledger, uuid, (9, 0)) == []


@pytest.mark.parametrize("data", [None, 0, {"a": [1]}, "x" * (INLINE_BYTES + 1)])
async def test_output_is_read_wherever_it_is(ledger: Ledger, data: Any) -> None:
    kept = await ledger.running()

    ended = await ledger.happen(kept.record.uuid, events.Returned(1, data=data))

    text = await beside.read_output_text(ledger.store, ended.record)
    assert jsontext.loads(bytes(text)) == data


async def test_output_that_has_expired_is_none(ledger: Ledger) -> None:
    kept = await ledger.running()
    data = "x" * (INLINE_BYTES + 1)
    ended = await ledger.happen(kept.record.uuid, events.Returned(1, data=data))
    for key in ledger.store.keys("blobs"):
        await ledger.store.remove("blobs", key)

    assert bytes(await beside.read_output_text(ledger.store, ended.record)) == b"null"


async def test_output_that_cannot_be_read_says_so(ledger: Ledger) -> None:
    kept = await ledger.running()
    data = "x" * (INLINE_BYTES + 1)
    ended = await ledger.happen(kept.record.uuid, events.Returned(1, data=data))
    for key in ledger.store.keys("blobs"):
        await ledger.store.upsert("blobs", key, {"other": data})

    with pytest.raises(UnreadableDocumentError, match="cannot be read"):
        await beside.read_output_text(ledger.store, ended.record)


async def test_a_job_is_as_complete_as_it_last_said(ledger: Ledger) -> None:
    uuid = await ledger.add()
    assert await beside.read_completeness(ledger.store, await ledger.read(uuid)) == 0.0
    await ledger.happen(uuid, events.Claimed(ME, 1))
    assert await beside.read_completeness(ledger.store, await ledger.read(uuid)) == 0.0
    await ledger.happen(uuid, events.Returned(1))
    assert await beside.read_completeness(ledger.store, await ledger.read(uuid)) == 1.0


async def test_progress_that_cannot_be_read_does_not_hide_where_the_job_stands(
    ledger: Ledger,
) -> None:
    uuid = (await ledger.running()).record.uuid
    await ledger.store.upsert("progress", uuid, {"attempt": 1, "completeness": 7})

    assert await beside.read_completeness(ledger.store, await ledger.read(uuid)) == 0.0


async def test_a_part_of_a_log_that_cannot_be_read_says_so_and_hides_no_other(
    ledger: Ledger,
) -> None:
    uuid = await two_attempts(ledger)
    await ledger.store.upsert("events", log_key(uuid, 1, 0), {"lines": [{"seq": "x"}]})

    first, *rest = await read_log(ledger, uuid)

    assert first.startswith("lines of this log cannot be read: ")
    assert rest == [f"1/{number}" for number in range(LINES_PER_CHUNK, COUNT)] + [
        f"2/{number}" for number in range(3)
    ]
