"""Whether a worker lives: its counter says so, and unknown is not dead."""

import asyncio

import pytest
from msgspec.structs import replace
from tests.ledger.jobs import BEGIN
from tests.store.faltering import FalteringStore

from zerog.ledger import alertness, workers
from zerog.ledger.mailboxes import Nudge
from zerog.ledger.workers import (
    EXPIRE_SECONDS,
    FRESH_BEATS,
    GONE_SECONDS,
    SILENCE_BEATS,
    Beat,
    Observer,
    vouches,
)
from zerog.model.documents import RunningJob, WorkerDocument, read, write
from zerog.model.errors import DatastoreUnavailableError
from zerog.model.record import new_job_id
from zerog.queue.mailbox import LATE_SECONDS, LOOK_SECONDS

UUID = new_job_id()
HELD = RunningJob(UUID, "T", 0, 1, BEGIN)
DOCUMENT = WorkerDocument("w", [], [], 1, [], "running", BEGIN, BEGIN, 0)


class Watched:
    """A store, an observer that beats, and a worker that it watches."""

    def __init__(self) -> None:
        self.store = FalteringStore()
        self.own = Beat(self.store, replace(DOCUMENT, name="me"))
        self.other = Beat(self.store, replace(DOCUMENT, name="other"))

    def watch(self, put: Nudge | None = None) -> "asyncio.Task[bool]":
        put = put or Nudge("server")
        return asyncio.create_task(vouches(self.store, "other", UUID, self.own, put))


async def turn() -> None:
    """Let a watch look a few times."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """A watch that does not wait: beats alone decide."""
    monkeypatch.setattr(workers, "_LOOK_SECONDS", 0)
    monkeypatch.setattr(workers, "SILENCE_SECONDS", 0)
    monkeypatch.setattr(workers, "UNHEARD_SECONDS", 0)
    return Watched()


@pytest.mark.parametrize("holds", [True, False])
async def test_a_worker_that_beats_vouches_for_what_it_holds(watched: Watched, holds: bool) -> None:
    await watched.other.send()
    watch = watched.watch()
    await turn()
    assert not watch.done()

    # The next beat may be older than the claim that was read: it proves nothing.
    await watched.other.send(running=[] if holds else [HELD])
    await turn()
    assert not watch.done()
    await watched.other.send(running=[HELD] if holds else [])

    assert await watch is holds


@pytest.mark.parametrize("ever", [True, False], ids=["silent", "gone"])
async def test_a_worker_is_dead_after_some_beats_of_the_observers_own(
    watched: Watched, ever: bool
) -> None:
    if ever:
        await watched.other.send(running=[HELD])
    watch = watched.watch()
    for _ in range(SILENCE_BEATS):
        await turn()
        assert not watch.done()
        await watched.own.send()

    assert not await watch


@pytest.mark.parametrize("ever", [True, False], ids=["silent", "gone"])
async def test_nobody_is_dead_while_the_observers_own_beats_do_not_get_through(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, ever: bool
) -> None:
    """The document of a living worker expires, too, while the store takes no writes."""
    monkeypatch.setattr(workers, "WATCH_SECONDS", 0.05)
    if ever:
        await watched.other.send(running=[HELD])

    assert await watched.watch()


async def test_a_worker_that_comes_back_after_an_outage_keeps_its_job(watched: Watched) -> None:
    await watched.other.send(running=[HELD])
    watched.store.now = EXPIRE_SECONDS + 1
    watch = watched.watch()
    for _ in range(SILENCE_BEATS - 1):
        await turn()
        await watched.own.send()
    for _ in range(1 + FRESH_BEATS):
        assert not watch.done()
        await watched.other.send(running=[HELD])
        await turn()

    assert await watch


async def test_a_store_that_cannot_be_read_gives_no_verdict(watched: Watched) -> None:
    await watched.other.send()
    watched.store.away["workers"] = 1

    with pytest.raises(DatastoreUnavailableError):
        await watched.watch()


async def test_a_beat_that_failed_does_not_count(watched: Watched) -> None:
    await watched.own.send()

    async def fail(*_: object, **__: object) -> str:
        raise DatastoreUnavailableError

    watched.store.upsert = fail  # type: ignore[method-assign]
    with pytest.raises(DatastoreUnavailableError):
        await watched.own.send()

    assert watched.own.sent == 1


async def test_a_beat_carries_what_changed_and_expires(watched: Watched) -> None:
    await watched.own.send()
    await watched.own.send(state="draining")

    stored = await watched.store.get("workers", "me")
    assert stored is not None
    document = read(stored.document, WorkerDocument)
    assert (document.beat, document.state) == (2, "draining")
    assert watched.store.seconds_left("workers", "me") == EXPIRE_SECONDS
    await watched.own.remove()
    assert await watched.store.get("workers", "me") is None


async def test_a_worker_that_has_beaten_once_is_given_the_whole_time_again(
    watched: Watched,
) -> None:
    await watched.other.send(running=[HELD])
    watch = watched.watch()
    for _ in range(SILENCE_BEATS - 1):
        await turn()
        await watched.own.send()
    await watched.other.send(running=[HELD])
    await turn()
    for _ in range(SILENCE_BEATS):
        assert not watch.done()
        await watched.own.send()
        await turn()

    assert await watch is False


@pytest.mark.parametrize(
    ("server", "on_tube", "is_dead"),
    [
        ("server", False, True),
        ("server", True, False),
        ("another", False, False),
        ("", False, False),
        (None, False, False),
    ],
)
async def test_a_short_silence_proves_only_one_dead_that_has_lost_its_connection(
    watched: Watched,
    monkeypatch: pytest.MonkeyPatch,
    server: str | None,
    on_tube: bool,
    is_dead: bool,
) -> None:
    """One that takes itself for one that hears beats unasked, seldom: its tube may be paused."""
    monkeypatch.setattr(workers, "UNHEARD_SECONDS", 3600.0)
    if server is not None:
        await watched.other.send(running=[HELD], queue_server=server)
    watch = watched.watch(Nudge("server", watched=on_tube))
    await turn()
    for _ in range(SILENCE_BEATS):
        await watched.own.send()
    await turn()

    assert watch.done() is is_dead
    watch.cancel()


async def test_a_deaf_worker_has_time_to_notice_that_it_is_before_it_counts_as_dead() -> None:
    notices = LOOK_SECONDS + LATE_SECONDS + alertness.BEAT_SECONDS

    assert notices + alertness.BEAT_SECONDS < workers.SILENCE_SECONDS
    assert alertness.IDLE_SECONDS + alertness.BEAT_SECONDS < workers.UNHEARD_SECONDS
    assert workers.UNHEARD_SECONDS < workers.WATCH_SECONDS
    assert 2 * alertness.IDLE_SECONDS < GONE_SECONDS


async def test_who_asks_stays_alert_meanwhile(watched: Watched) -> None:
    watched.own.alertness.hears = lambda: True
    assert not watched.own.alertness.is_alert
    await watched.other.send()
    watch = watched.watch()
    await turn()

    assert watched.own.alertness.is_alert
    watch.cancel()


# The list of those that live


async def names(observer: Observer, store: FalteringStore, now: float) -> list[str]:
    return [worker.name for worker in await observer.living(store, now)]


async def test_a_worker_is_listed_while_its_counter_moves_whatever_clocks_say() -> None:
    store, observer = FalteringStore(), Observer()
    beat = Beat(store, DOCUMENT)
    await beat.send()

    assert await names(observer, store, 0.0) == ["w"]
    await beat.send()
    assert await names(observer, store, GONE_SECONDS) == ["w"]
    assert await names(observer, store, 2 * GONE_SECONDS) == []
    await beat.send()
    assert await names(observer, store, 3 * GONE_SECONDS) == ["w"]


async def test_a_clock_that_is_minutes_wrong_hides_no_worker() -> None:
    store = FalteringStore()
    await Beat(store, DOCUMENT).send()

    store.now += 300.0  # as the reader's clock has it

    assert await names(Observer(), store, 0.0) == ["w"]


@pytest.mark.parametrize("beat", [-1, 2**64, "nan", None])
async def test_a_worker_whose_document_cannot_be_read_is_silent(
    watched: Watched, beat: object
) -> None:
    document = {**write(replace(DOCUMENT, name="other")), "beat": beat}
    await watched.store.upsert("workers", "other", document)
    watch = watched.watch()
    await turn()

    for _ in range(SILENCE_BEATS):
        await watched.own.send()
    assert await watch is False


async def test_a_forged_counter_does_not_hide_a_worker_that_lives(watched: Watched) -> None:
    forged = replace(DOCUMENT, name="other", beat=10**15)
    await watched.store.upsert("workers", "other", write(forged))
    watch = watched.watch()
    await turn()

    for _ in range(FRESH_BEATS + 1):
        await watched.other.send(running=[HELD])
        await turn()
    assert await watch is True


async def test_a_document_of_another_worker_does_not_hide_the_living() -> None:
    store = FalteringStore()
    await store.upsert("workers", "w", write(DOCUMENT))
    await store.upsert("workers", "forged", write(DOCUMENT))
    observer = Observer()

    assert [worker.name for worker in await observer.living(store, 0.0)] == ["w"]
    assert observer.has_seen_beating("w") is False
