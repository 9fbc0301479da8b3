"""Repair puts back what has no entry, and lets no single thing stop it."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from tests.ledger.jobs import BEGIN, Ledger
from tests.queue.memory import MemoryQueue

from zerog.ledger.jobs import read_all
from zerog.ledger.repair import RepairReport, repair_once
from zerog.model import events
from zerog.model.documents import UNREADABLE
from zerog.model.errors import (
    DocumentTooLargeError,
    QueueUnavailableError,
    UnreadableDocumentError,
)
from zerog.model.record import JobId, State, WorkerIdentity, new_job_id
from zerog.queue.port import EntryRef
from zerog.store.port import Stored

FOREIGN = ["anybodys", "zerog-retire.pool", "zerog"]
NOT_DOCUMENTS = [b"", b"{", b"[]", b"5", b"\xff", b"[" * 5000]
#: What no job's entry holds.
ODD_BODIES = ["", "x" * 60_000, "\x00\ufffd", "select 1"]


class Repaired(Ledger):
    """A ledger and a queue that are compared."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = MemoryQueue()

    async def repair(self, *, full: bool = True) -> RepairReport:
        return await repair_once(self.jobs, self.queue, full=full)

    async def waiting(self, **changes: Any) -> JobId:
        """Store a job that has an entry."""
        uuid = await self.add(**changes)
        entry = self.queue.add(uuid)
        await self.happen(uuid, events.Queued(entry))
        return uuid


@pytest.fixture
def system() -> Repaired:
    return Repaired()


@pytest.mark.parametrize("full", [True, False])
async def test_a_job_that_was_never_queued_is_queued_once(system: Repaired, full: bool) -> None:
    uuid = await system.add(priority=3)

    report = await system.repair(full=full)

    assert report.requeued == [uuid]
    (place,) = system.queue.items.values()
    assert (place.body, place.tube, place.priority) == (uuid, "zerog.default", 3)
    assert (await system.read(uuid)).entry_id == 1
    assert (await system.repair(full=full)).requeued == []


async def test_a_job_whose_entry_is_gone_or_anothers_is_put_back(system: Repaired) -> None:
    lost, reused = await system.add(entry_id=50), await system.waiting()
    good = await system.waiting()
    system.queue.items[1].body = good

    report = await system.repair()

    assert sorted(report.requeued) == sorted([lost, reused])


async def test_a_job_that_is_not_due_is_put_back_with_its_delay(system: Repaired) -> None:
    uuid = await system.add(not_before_time=BEGIN + timedelta(days=36500))

    await system.repair()

    (place,) = system.queue.items.values()
    assert (place.body, place.state) == (uuid, "delayed")


async def test_running_and_waiting_jobs_have_entries_too(system: Repaired) -> None:
    running = (await system.running(WorkerIdentity("w"))).record.uuid
    waiting = (await system.running(WorkerIdentity("w"))).record.uuid
    await system.happen(waiting, events.Raised(1, "no"))

    assert sorted((await system.repair()).requeued) == sorted([running, waiting])
    assert (await system.read(running)).state is State.RUNNING
    assert (await system.repair()).requeued == []


async def test_a_job_that_is_cancelled_while_it_is_put_back_keeps_no_entry(
    system: Repaired, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = await system.add()
    put = system.queue.put

    async def put_and_cancel(*arguments: Any, **options: Any) -> EntryRef:
        ref = await put(*arguments, **options)
        await system.happen(uuid, events.CancelRequested())
        return ref

    monkeypatch.setattr(system.queue, "put", put_and_cancel)

    await system.repair()

    assert system.queue.bodies() == []


async def test_a_finished_job_needs_no_entry(system: Repaired) -> None:
    uuid = await system.waiting()
    system.queue.items.clear()
    await system.happen(uuid, events.CancelRequested())

    assert (await system.repair()).checked == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "queued", "attempts": "none"},
        {"queue": "not a tube's name"},
        {"limits": {"maxErrors": -1}},
        {"priority": 5e9},
    ],
)
async def test_a_record_that_cannot_be_read_stops_no_pass(
    system: Repaired, changes: dict[str, Any]
) -> None:
    first, bad, last = [await system.add() for _ in range(3)]
    document = (await system.jobs.read(bad)).document
    await system.store.upsert("jobs", bad, {**document, **changes})

    report = await system.repair()

    assert report.failed == [bad]
    assert sorted(report.requeued) == sorted([first, last])


async def test_a_record_that_becomes_unreadable_before_its_put_stops_no_pass(
    system: Repaired,
) -> None:
    first, bad, last = [await system.add() for _ in range(3)]
    document = (await system.jobs.read(bad)).document
    original = system.queue.peek_many

    async def peek_many(entry_ids: Iterable[int]) -> dict[int, str]:
        await system.store.upsert("jobs", bad, {**document, "state": "unheard of"})
        return await original(entry_ids)

    system.queue.peek_many = peek_many  # type: ignore[method-assign]

    report = await system.repair()

    assert sorted(report.requeued) == sorted([first, last])
    assert (await system.read(first)).entry_id is not None


async def test_a_record_that_becomes_unreadable_before_its_note_stops_no_pass(
    system: Repaired,
) -> None:
    first, bad, last = [await system.add() for _ in range(3)]
    document = (await system.jobs.read(bad)).document

    async def break_record() -> None:
        await system.store.upsert("jobs", bad, {**document, "state": "unheard of"})

    # Newest first: the note of the last one is written at the second try, and by then …
    system.store.fail_next("conflict", break_record)

    report = await system.repair()

    assert {first, last} <= set(report.requeued)
    assert (await system.read(first)).entry_id is not None
    assert (await system.read(last)).entry_id is not None


async def test_a_job_that_moves_on_while_it_is_looked_at_gets_no_entry(system: Repaired) -> None:
    uuid = await system.add(entry_id=50)
    original = system.queue.peek_many

    async def peek_many(entry_ids: Iterable[int]) -> dict[int, str]:
        await system.happen(uuid, events.CancelRequested())
        return await original(entry_ids)

    system.queue.peek_many = peek_many  # type: ignore[method-assign]

    report = await system.repair()

    assert report.requeued == []
    assert system.queue.items == {}


async def test_a_job_that_ends_while_it_is_put_back_keeps_no_entry(system: Repaired) -> None:
    uuid = await system.add(entry_id=50)
    original = system.queue.put

    async def put(*args: Any, **options: Any) -> EntryRef:
        await system.happen(uuid, events.CancelRequested())
        return await original(*args, **options)

    system.queue.put = put  # type: ignore[method-assign]

    await system.repair()

    assert system.queue.items == {}


# Buried entries


@pytest.mark.parametrize("body", ODD_BODIES)
@pytest.mark.parametrize("tube", FOREIGN)
async def test_foreign_tubes_are_not_touched(system: Repaired, tube: str, body: str) -> None:
    system.queue.add(body, tube, state="buried")

    report = await system.repair()

    assert report == RepairReport()
    assert [(place.state, place.reserves) for place in system.queue.items.values()] == [
        ("buried", 0)
    ]


async def test_an_unknown_entry_hides_none_behind_it(system: Repaired) -> None:
    for body in ODD_BODIES:
        system.queue.add(body, state="buried")
    live, finished = await system.waiting(), await system.waiting()
    await system.happen(finished, events.CancelRequested())
    for uuid in (live, finished):
        (entry,) = [n for n, place in system.queue.items.items() if place.body == uuid]
        await system.queue.reserve_entry(entry)
        await system.queue.bury(entry, priority=5)
        system.queue.add(new_job_id(), state="buried")

    report = await system.repair()

    assert (report.kicked, report.dropped) == ([live], [finished])
    assert len(report.unknown) == len(ODD_BODIES) + 2
    left = {place.body: place.state for place in system.queue.items.values()}
    assert left.pop(live) == "ready"
    assert finished not in left
    assert set(left.values()) == {"buried"}


async def test_an_entry_whose_document_cannot_be_read_stays_buried(system: Repaired) -> None:
    uuid = new_job_id()
    await system.store.insert("jobs", uuid, {"uuid": uuid, "state": "unheard of"})
    system.queue.add(uuid, state="buried")

    report = await system.repair()

    assert report.unknown == [uuid]
    assert [place.state for place in system.queue.items.values()] == ["buried"]


async def test_a_job_that_is_buried_is_not_put_back_but_kicked(system: Repaired) -> None:
    uuid = await system.waiting()
    system.queue.items[1].state = "buried"

    report = await system.repair()

    assert (report.requeued, report.kicked) == ([], [uuid])
    assert system.queue.bodies() == [uuid]


@pytest.mark.parametrize("surprise", [ValueError("a bug"), DocumentTooLargeError()])
async def test_a_job_that_cannot_be_put_back_stops_no_pass(
    system: Repaired, surprise: Exception
) -> None:
    first, bad, last = [await system.add() for _ in range(3)]
    original = system.queue.put

    async def put(tube: str, body: str, **options: Any) -> EntryRef:
        if body == bad:
            raise surprise
        return await original(tube, body, **options)

    system.queue.put = put  # type: ignore[method-assign]

    report = await system.repair()

    assert report.failed == [bad]
    assert sorted(report.requeued) == sorted([first, last])


async def test_a_queue_that_goes_away_ends_the_pass(system: Repaired) -> None:
    await system.add()
    system.queue.away = True

    with pytest.raises(QueueUnavailableError):
        await system.repair()


@pytest.mark.parametrize("body", NOT_DOCUMENTS)
async def test_what_is_no_document_stops_no_pass(system: Repaired, body: bytes) -> None:
    system.store.damage("jobs", bad := new_job_id(), body)
    good = await system.add()

    listed = read_all([Stored({UNREADABLE: "it is not JSON"}, "1", bad)])
    report = await system.repair()

    assert report.requeued == [good]
    assert isinstance(listed[bad], UnreadableDocumentError)
