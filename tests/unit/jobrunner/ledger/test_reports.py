"""What an attempt reports is written whole, once, within bounds, and never over another's."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.ledger.jobs import BEGIN, OTHER, Ledger

from zerog.ledger.reports import MAX_BACKLOG_BYTES, MAX_RACES, Backlog, Reports
from zerog.model import events
from zerog.model.documents import LogChunk, LogLine, Progress, log_key, read
from zerog.model.errors import (
    AmbiguousWriteError,
    DatastoreUnavailableError,
    DocumentTooLargeError,
    StaleAttemptError,
)
from zerog.model.limits import (
    LINES_PER_CHUNK,
    MAX_LINE_CHARS,
    MAX_LOG_BYTES,
    MAX_LOG_LINES,
    UNFINISHED_SECONDS,
)
from zerog.model.record import JobId, Limits

BESIDE = ("progress", "events")


class ReportedLedger(Ledger):
    """A job that runs, and what it reports."""

    async def begin(self) -> JobId:
        return (await self.running(limits=Limits(retain_ok_seconds=60))).record.uuid

    async def lines(self, uuid: JobId, attempt: int = 1) -> list[LogLine]:
        """Return all lines that are stored."""
        found: list[LogLine] = []
        while stored := await self.store.get(
            "events", log_key(uuid, attempt, len(found) // LINES_PER_CHUNK)
        ):
            lines = read(stored.document, LogChunk).lines
            found += lines
            if len(lines) < LINES_PER_CHUNK:
                break
        return found

    async def completeness(self, uuid: JobId) -> tuple[int, float]:
        stored = await self.store.get("progress", uuid)
        assert stored is not None
        progress = read(stored.document, Progress)
        return progress.attempt, progress.completeness

    def bodies(self) -> dict[tuple[str, str], bytes]:
        """Return all that is stored."""
        return {place: row.body for place, row in self.store._rows.items()}

    def writes_beside(self) -> int:
        return len([place for _, place, _ in self.store.writes if place in BESIDE])


@pytest.fixture
def ledger() -> ReportedLedger:
    return ReportedLedger()


def speak(reports: Reports, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        reports.take_line(BEGIN + timedelta(seconds=number), "info", f"line {number}")


def hold_first_write(ledger: ReportedLedger) -> tuple[asyncio.Event, asyncio.Event]:
    """Let the next insert wait; return what says that it waits, and what lets it go on."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    insert = ledger.store.insert

    async def slow(*arguments: Any, **options: Any) -> str:
        if not begun.is_set():
            begun.set()
            await go_on.wait()
        return await insert(*arguments, **options)

    ledger.store.insert = slow  # type: ignore[method-assign]
    return begun, go_on


async def test_a_slow_flush_does_not_drop_what_came_after_a_faster_one(
    ledger: ReportedLedger,
) -> None:
    uuid = await ledger.begin()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    begun, go_on = hold_first_write(ledger)
    speak(reports, 16)
    slow = asyncio.create_task(reports.flush())
    await begun.wait()
    fast = asyncio.create_task(reports.flush())
    for _ in range(10):  # as far as it gets
        await asyncio.sleep(0)
    speak(reports, 4, first=16)

    go_on.set()
    await asyncio.gather(slow, fast)
    await reports.flush()

    assert [line.message for line in await ledger.lines(uuid)] == [f"line {n}" for n in range(20)]


async def test_lines_keep_their_order_numbers_and_times_over_chunks(
    ledger: ReportedLedger,
) -> None:
    uuid = await ledger.begin()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    said = 0
    for part in (1, LINES_PER_CHUNK - 2, 3, 2 * LINES_PER_CHUNK + 7):
        speak(reports, part, first=said)
        said += part
        await reports.flush()

    lines = await ledger.lines(uuid)

    assert [line.seq for line in lines] == list(range(said))
    assert [line.time for line in lines] == [BEGIN + timedelta(seconds=n) for n in range(said)]
    assert not reports.pending


async def test_a_flush_writes_each_chunk_once_and_whole(ledger: ReportedLedger) -> None:
    uuid = await ledger.begin()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    speak(reports, 2 * LINES_PER_CHUNK + 1)
    for part in range(10):
        reports.take_completeness(part / 10, BEGIN)

    await reports.flush()
    assert ledger.writes_beside() == 4  # the last completeness, and three chunks
    assert await ledger.completeness(uuid) == (1, 0.9)

    await reports.flush()
    assert ledger.writes_beside() == 4


async def test_reports_live_until_the_job_ends_and_then_as_long_as_it(
    ledger: ReportedLedger,
) -> None:
    uuid = await ledger.begin()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    for count in (1, 2):
        speak(reports, count)
        reports.take_completeness(0.5, BEGIN)
        await reports.flush()
        assert ledger.store.seconds_left("progress", uuid) == UNFINISHED_SECONDS
        assert ledger.store.seconds_left("events", log_key(uuid, 1, 0)) == UNFINISHED_SECONDS

    await ledger.jobs.apply(uuid, events.Returned(1))
    await ledger.jobs.leftovers.flush()

    assert ledger.store.seconds_left("progress", uuid) == 60
    assert ledger.store.seconds_left("events", log_key(uuid, 1, 0)) == 60


# Fenced


async def taken_over(ledger: ReportedLedger, uuid: JobId) -> None:
    await ledger.happen(uuid, events.Crashed(1, "died"), events.Claimed(OTHER, 2))
    successor = Reports(ledger.store, uuid, 2, Backlog())
    successor.take_completeness(0.2, BEGIN)
    successor.take_line(BEGIN, "info", "the successor's")
    await successor.flush()


async def finished(ledger: ReportedLedger, uuid: JobId) -> None:
    await ledger.jobs.apply(uuid, events.Returned(1))
    await ledger.jobs.leftovers.flush()


async def expired(ledger: ReportedLedger, uuid: JobId) -> None:
    await finished(ledger, uuid)
    ledger.store.now += 61


async def deleted(ledger: ReportedLedger, uuid: JobId) -> None:
    await ledger.jobs.apply(uuid, events.Returned(1))
    await ledger.jobs.delete(uuid)
    await ledger.jobs.leftovers.flush()


@pytest.mark.parametrize("before", [False, True], ids=["first report", "later report"])
@pytest.mark.parametrize("over", [taken_over, finished, expired, deleted])
async def test_an_attempt_that_is_over_writes_nothing_more(
    ledger: ReportedLedger, over: Callable[[Any, Any], Awaitable[None]], before: bool
) -> None:
    uuid = await ledger.begin()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    if before:
        reports.take_completeness(0.5, BEGIN)
        speak(reports, 1)
        await reports.flush()
    await over(ledger, uuid)
    documents = ledger.bodies()

    reports.take_completeness(0.9, BEGIN)
    with pytest.raises(StaleAttemptError):
        await reports.flush()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    speak(reports, 1)
    with pytest.raises(StaleAttemptError):
        await reports.flush()

    assert ledger.bodies() == documents


async def test_what_a_stale_attempt_still_writes_does_not_count(ledger: ReportedLedger) -> None:
    """It was taken over, and its successor has not reported yet."""
    uuid = await ledger.begin()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    reports.take_completeness(0.5, BEGIN)
    await reports.flush()
    await ledger.happen(uuid, events.Crashed(1, "died"), events.Claimed(OTHER, 2))
    reports.take_completeness(0.9, BEGIN)
    await reports.flush()

    successor = Reports(ledger.store, uuid, 2, Backlog())
    successor.take_completeness(0.2, BEGIN)
    await successor.flush()
    reports.take_completeness(1.0, BEGIN)
    with pytest.raises(StaleAttemptError):
        await reports.flush()

    assert await ledger.completeness(uuid) == (2, 0.2)


async def test_a_successor_that_comes_while_a_report_is_written_keeps_its_own(
    ledger: ReportedLedger,
) -> None:
    uuid = await ledger.begin()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    reports.take_completeness(0.5, BEGIN)
    begun, go_on = hold_first_write(ledger)
    flush = asyncio.create_task(reports.flush())
    await begun.wait()
    await taken_over(ledger, uuid)

    go_on.set()
    with pytest.raises(StaleAttemptError):
        await flush

    assert await ledger.completeness(uuid) == (2, 0.2)


async def test_a_finish_that_comes_while_a_report_is_written_leaves_nothing_for_ever(
    ledger: ReportedLedger,
) -> None:
    uuid = await ledger.begin()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    reports.take_completeness(0.5, BEGIN)
    begun, go_on = hold_first_write(ledger)
    flush = asyncio.create_task(reports.flush())
    await begun.wait()
    await finished(ledger, uuid)

    go_on.set()
    await asyncio.gather(flush, return_exceptions=True)

    assert all(row.expires is not None for row in ledger.store._rows.values())


# Stores that fail


@pytest.mark.parametrize("written", [True, False])
async def test_a_write_that_is_unknown_is_looked_up(ledger: ReportedLedger, written: bool) -> None:
    uuid = await ledger.begin()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    for method in ("insert", "replace"):
        fail_once(ledger, method, AmbiguousWriteError(), written=written)
        speak(reports, 2)
        await reports.flush()

    assert [line.seq for line in await ledger.lines(uuid)] == [0, 1, 2, 3]


def fail_once(
    ledger: ReportedLedger, method: str, error: Exception, *, written: bool = False
) -> None:
    """Let the next write beside a record fail, after it was done or instead of it."""
    original = getattr(ledger.store, method)

    async def failing(*arguments: Any, **options: Any) -> str:
        setattr(ledger.store, method, original)
        if written:
            await original(*arguments, **options)
        raise error

    setattr(ledger.store, method, failing)


async def test_reports_wait_for_a_store_that_is_away(ledger: ReportedLedger) -> None:
    uuid = await ledger.begin()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    reports.take_completeness(0.5, BEGIN)
    speak(reports, 3)

    for collection in ("jobs", "progress", "events"):
        ledger.store.away[collection] = 1
        await reports.try_flush()
        assert reports.pending
    await reports.try_flush()

    assert not reports.pending
    assert await ledger.completeness(uuid) == (1, 0.5)
    assert len(await ledger.lines(uuid)) == 3


async def test_a_document_that_always_changes_is_left_for_later(ledger: ReportedLedger) -> None:
    uuid = await ledger.begin()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    speak(reports, 1)

    async def ambiguous(*_: Any, **__: Any) -> str:
        tries.append(1)
        raise AmbiguousWriteError

    tries: list[int] = []
    ledger.store.insert = ambiguous  # type: ignore[method-assign]
    with pytest.raises(DatastoreUnavailableError):
        await reports.flush()

    assert len(tries) == MAX_RACES
    assert reports.pending


async def test_reports_that_are_refused_for_ever_do_not_hold_the_job_up(
    ledger: ReportedLedger,
) -> None:
    uuid = await ledger.begin()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    speak(reports, 1)
    fail_once(ledger, "insert", DocumentTooLargeError())

    await reports.try_flush()

    assert not reports.pending


# Bounds


async def test_a_log_has_a_last_line_that_says_how_many_were_dropped(
    ledger: ReportedLedger,
) -> None:
    uuid = await ledger.begin()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    speak(reports, MAX_LOG_LINES + 25)
    reports.close()
    await reports.flush()

    lines = await ledger.lines(uuid)

    assert len(lines) == MAX_LOG_LINES + 1
    assert (lines[-1].level, lines[-1].message) == (
        "warning",
        "the log is full: 25 more lines were not kept",
    )


async def test_why_a_job_failed_finds_room_in_a_log_that_its_programs_have_filled(
    ledger: ReportedLedger,
) -> None:
    uuid = await ledger.begin()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    for _ in range(MAX_LOG_LINES + 50):
        reports.take_line(BEGIN, "info", "x", None, "output")

    assert reports.take_line(BEGIN, "error", "ValueError: y")
    assert not reports.take_line(BEGIN, "info", "x", None, "output")
    await reports.flush()
    assert (await ledger.lines(uuid))[-1].message == "ValueError: y"


@pytest.mark.parametrize(
    "data", [None, '{"rows":"%s"}' % ("x" * 9000), f'{{"rows":{[[]] * 3000}}}']
)
async def test_a_log_has_a_bound_in_bytes(ledger: ReportedLedger, data: str | None) -> None:
    uuid = await ledger.begin()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    for _ in range(MAX_LOG_LINES):
        reports.take_line(BEGIN, "info", "x" * MAX_LINE_CHARS, data)
    reports.close()
    await reports.flush()

    bodies = [row.body for (place, _), row in ledger.store._rows.items() if place == "events"]
    assert sum(map(len, bodies)) < 1.5 * MAX_LOG_BYTES
    assert "more lines were not kept" in (await ledger.lines(uuid))[-1].message


async def test_what_waits_for_the_store_is_bounded_and_the_gap_is_in_the_log(
    ledger: ReportedLedger,
) -> None:
    uuid = await ledger.begin()
    backlog = Backlog(MAX_BACKLOG_BYTES - 1000)  # other attempts of the slot wait, too
    reports = Reports(ledger.store, uuid, 1, backlog)
    speak(reports, 100)
    taken = len(reports._lines)
    assert backlog.bytes <= MAX_BACKLOG_BYTES

    await reports.flush()
    speak(reports, 1, first=100)
    reports.close()
    await reports.flush()

    assert [line.message for line in await ledger.lines(uuid)] == [
        *(f"line {number}" for number in range(taken)),
        f"{100 - taken} lines were not kept: the datastore was unavailable",
        "line 100",
    ]
    assert backlog.bytes == MAX_BACKLOG_BYTES - 1000


async def test_what_nobody_will_write_is_no_longer_waited_for(ledger: ReportedLedger) -> None:
    backlog = Backlog()
    reports = Reports(ledger.store, await ledger.begin(), 1, backlog)
    speak(reports, 10)

    reports.forget()

    assert (backlog.bytes, reports.pending) == (0, False)


async def test_a_log_that_is_not_full_says_nothing(ledger: ReportedLedger) -> None:
    uuid = await ledger.begin()
    reports = Reports(ledger.store, uuid, 1, Backlog())
    assert not reports.wrote
    speak(reports, 1)
    reports.close()
    await reports.flush()

    assert [line.message for line in await ledger.lines(uuid)] == ["line 0"]
    assert reports.wrote
