"""The record of what is held: it counts, and beanstalkd's pause follows it."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.queue.memory import MemoryQueue
from tests.store.faltering import FalteringStore

from zerog.ledger import controls
from zerog.ledger.controls import DRAIN_SECONDS, HOLD_SECONDS, KEEP_SECONDS, RENEW_SECONDS, Keeper
from zerog.model.documents import ControlDocument, control_key
from zerog.model.errors import DatastoreUnavailableError, QueueRefusedError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
MEDIA = ControlDocument("queue", "media", NOW, "ada", "the disk is full")
ONE = ControlDocument("worker", "one", NOW)


class Clock:
    """The keeper's time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def test_a_queue_is_paused_once_and_the_first_to_do_so_is_named() -> None:
    store = FalteringStore()

    assert await controls.hold(store, MEDIA) == MEDIA
    assert await controls.hold(store, ControlDocument("queue", "media", NOW, "eve")) == MEDIA

    assert await controls.read_queues(store, ["media", "mail"]) == {"media": MEDIA}
    assert store.seconds_left("controls", MEDIA.key) is None


async def test_what_is_lifted_twice_is_lifted() -> None:
    store = FalteringStore()
    await controls.hold(store, MEDIA)

    assert await controls.lift(store, "queue", "media")
    assert not await controls.lift(store, "queue", "media")

    assert (await controls.read_all(store)).queues == {}


async def test_records_are_written_and_removed_durably() -> None:
    store = FalteringStore()

    await controls.hold(store, MEDIA)
    await controls.lift(store, "queue", "media")

    assert [options.get("durable") for _, _, options in store.writes] == [True, True]


@pytest.mark.parametrize(
    "document",
    [{}, {"kind": "queue", "name": "mail"}, {"kind": 5}, {"$unreadable": "bytes"},
     {"kind": "queue", "name": "media", "reason": "x" * 1000}],
)  # fmt: skip
async def test_a_record_that_cannot_be_read_still_counts(document: dict[str, Any]) -> None:
    store = FalteringStore()
    await store.insert("controls", MEDIA.key, document)

    unknown = ControlDocument("queue", "media")
    assert (await controls.read_all(store)).queues == {"media": unknown}
    assert await controls.hold(store, MEDIA) == unknown
    assert await controls.lift(store, "queue", "media")


async def test_a_worker_is_told_of_itself_and_of_its_queues_only() -> None:
    store = FalteringStore()
    for control in (MEDIA, ONE, ControlDocument("queue", "mail"), ControlDocument("worker", "two")):
        await controls.hold(store, control)

    found = await controls.read_for_worker(store, "one", ["media", "numbers"])

    assert (found.queues, found.workers) == ({"media": MEDIA}, {"one": ONE})


async def test_a_tube_follows_the_record() -> None:
    store, queue = FalteringStore(), MemoryQueue()
    await controls.hold(store, MEDIA)

    await controls.settle_tube(store, queue, "media")
    assert queue.paused == {"zerog.media": HOLD_SECONDS}

    await controls.lift(store, "queue", "media")
    await controls.settle_tube(store, queue, "media")
    assert queue.paused == {"zerog.media": 0}


async def test_a_tube_is_not_left_paused_by_who_read_the_record_before_it_was_lifted() -> None:
    store = FalteringStore()
    await controls.hold(store, MEDIA)

    class Lifted(MemoryQueue):
        """Somebody resumes the queue while its pause is renewed."""

        async def pause_tube(self, tube: str, seconds: int) -> bool:
            if seconds:
                await controls.lift(store, "queue", "media")
                await super().pause_tube(tube, 0)
            return await super().pause_tube(tube, seconds)

    queue = Lifted()
    await controls.settle_tube(store, queue, "media")

    assert queue.paused == {"zerog.media": 0}


async def test_the_keeper_renews_pauses_now_and_then_and_at_once_on_another_server(
    clock: Clock,
) -> None:
    store, queue, keeper = FalteringStore(), MemoryQueue(), Keeper()
    await controls.hold(store, MEDIA)
    await controls.hold(store, ControlDocument("queue", "No Queue"))
    await keeper.look(store, queue)
    assert queue.paused == {"zerog.media": HOLD_SECONDS}

    queue.paused.clear()
    await keeper.look(store, queue)
    assert queue.paused == {}

    queue.server = "restarted"
    await keeper.look(store, queue)
    assert queue.paused == {"zerog.media": HOLD_SECONDS}

    queue.paused.clear()
    clock.now += KEEP_SECONDS
    await keeper.look(store, queue)
    assert queue.paused == {"zerog.media": HOLD_SECONDS}


async def test_a_tube_that_cannot_be_paused_keeps_no_other_from_it(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store, keeper = FalteringStore(), Keeper()
    for name in ("mail", "media", "numbers"):
        await controls.hold(store, ControlDocument("queue", name, NOW))

    class Odd(MemoryQueue):
        """Does not pause one tube."""

        refuses = True

        async def pause_tube(self, tube: str, seconds: int) -> bool:
            if self.refuses and tube == "zerog.mail":
                raise QueueRefusedError
            return await super().pause_tube(tube, seconds)

    queue = Odd()
    await keeper.look(store, queue)
    assert set(queue.paused) == {"zerog.media", "zerog.numbers"}
    assert "the queue mail" in caplog.text

    queue.refuses = False
    await keeper.look(store, queue)
    assert "zerog.mail" in queue.paused


async def test_a_keeper_that_could_not_look_looks_again_soon(clock: Clock) -> None:
    store, queue, keeper = FalteringStore(), MemoryQueue(), Keeper()
    await controls.hold(store, MEDIA)
    store.away["controls"] = 1

    with pytest.raises(DatastoreUnavailableError):
        await keeper.look(store, queue)
    await keeper.look(store, queue)

    assert queue.paused == {"zerog.media": HOLD_SECONDS}


async def test_a_workers_control_lasts_as_long_as_the_worker_and_then_expires(clock: Clock) -> None:
    store, queue, keeper = FalteringStore(), MemoryQueue(), Keeper()
    await store.insert("workers", "one", {})
    for name in ("one", "gone"):
        await controls.hold(store, ControlDocument("worker", name))

    for _ in range(int(2 * DRAIN_SECONDS // RENEW_SECONDS)):
        store.now += RENEW_SECONDS
        clock.now += RENEW_SECONDS
        await keeper.look(store, queue)

    assert store.keys("controls") == [control_key("worker", "gone"), control_key("worker", "one")]
    assert list((await controls.read_all(store)).workers) == ["one"]
    await store.remove("workers", "one")
    store.now += DRAIN_SECONDS + RENEW_SECONDS
    assert (await controls.read_all(store)).workers == {}
