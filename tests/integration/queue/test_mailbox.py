"""A process hears its own tube, against a real beanstalkd."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.beanstalkd import Beanstalkd

from zerog.ledger.mailboxes import NUDGE, RETIRE, nudge, sweep, take_back
from zerog.model.names import mailbox_tube_name
from zerog.queue import connect_queue
from zerog.queue.mailbox import Mailbox, SharedTube
from zerog.queue.port import QueueConnection

#: For what happens at once, on a busy machine.
DEADLINE_SECONDS = 60
TUBE = mailbox_tube_name("worker-1")
SHARED = "zerog-retire.pool"
#: That something may have been missed, among what was heard.
MISSED = "(missed)"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Beanstalkd]:
    made = Beanstalkd(binlog=tmp_path / "binlog")
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def queue(server: Beanstalkd) -> AsyncIterator[QueueConnection]:
    made = await connect_queue(server.address)
    yield made
    await made.close()


class Ear:
    """A mailbox, and what it has heard."""

    def __init__(self, server: Beanstalkd, shared: SharedTube | None = None) -> None:
        self.heard: list[str] = []
        self.mailbox = Mailbox(
            TUBE, lambda: connect_queue(server.address), self.hear, self.missed, shared=shared
        )

    def missed(self) -> None:
        self.heard.append(MISSED)

    def hear(self, body: str) -> None:
        self.heard.append(body)
        if body == "a bug":
            raise ValueError(body)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.mailbox.run())
        try:
            yield
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)


async def test_what_is_put_is_handed_on_and_deleted(
    server: Beanstalkd, queue: QueueConnection
) -> None:
    ear = Ear(server)
    await queue.put(TUBE, "before")
    assert not ear.mailbox.connected

    async with ear.listening():
        await until(lambda: "before" in ear.heard)
        assert ear.mailbox.connected
        await queue.put(TUBE, "after")
        await until(lambda: ear.heard == [MISSED, "before", "after"])

        async def emptied() -> bool:
            return (await queue.tube_stats(TUBE)).entries == 0

        await until(emptied)
        assert (await queue.tube_stats(TUBE)).watching == 1
    assert not ear.mailbox.connected


async def test_a_body_that_cannot_be_dealt_with_is_not_heard_again(
    server: Beanstalkd, queue: QueueConnection
) -> None:
    ear = Ear(server)
    async with ear.listening():
        for body in ("a bug", "", "\0\r\n put", "next"):
            await queue.put(TUBE, body)
        await until(lambda: "next" in ear.heard)

    assert ear.heard == [MISSED, "a bug", "\0\r\n put", "next"]


async def test_after_a_restart_of_the_server_it_hears_again_and_knows_that_it_missed_something(
    server: Beanstalkd,
) -> None:
    ear = Ear(server)
    async with ear.listening():
        await until(lambda: ear.heard == [MISSED])
        server.stop()
        await until(lambda: not ear.mailbox.connected)
        server.start()
        await until(lambda: ear.heard == [MISSED, MISSED])

        queue = await connect_queue(server.address)
        await queue.put(TUBE, "after")
        await queue.close()
        await until(lambda: "after" in ear.heard)


async def test_a_server_that_is_silent_is_doubted_before_the_connection_is_given_up(
    server: Beanstalkd,
) -> None:
    """As on a connection whose other end is gone without a word."""
    ear = Ear(server)
    async with ear.listening():
        await until(lambda: ear.mailbox.connected)
        server.signal(signal.SIGSTOP)
        try:
            await until(lambda: not ear.mailbox.connected)
            assert ear.heard == [MISSED]
        finally:
            server.signal(signal.SIGCONT)
        await until(lambda: ear.mailbox.connected)
        assert ear.heard == [MISSED, MISSED]


async def test_a_shared_tube_is_heard_only_by_who_wants_it_and_keeps_what_is_not_used(
    server: Beanstalkd, queue: QueueConnection
) -> None:
    wants, uses, asked = False, False, 0

    def take() -> bool:
        nonlocal asked
        asked += 1
        return uses

    ear = Ear(server, SharedTube(SHARED, lambda: wants, take))
    await queue.put(SHARED, "token")
    async with ear.listening():
        await queue.put(TUBE, "own")
        await until(lambda: "own" in ear.heard)
        assert asked == 0
        wants = True
        await until(lambda: asked > 1)
        assert (await queue.tube_stats(SHARED)).entries == 1
        await queue.put(TUBE, "still heard")
        await until(lambda: "still heard" in ear.heard)
        uses = True

        async def taken() -> bool:
            return (await queue.tube_stats(SHARED)).entries == 0

        await until(taken)

    assert ear.heard == [MISSED, "own", "still heard"]


# Nudges and what is left of them


async def test_what_lies_on_tubes_that_nobody_hears_is_swept(
    server: Beanstalkd, queue: QueueConnection
) -> None:
    """Their processes ended between the last look and the put."""
    gone = [f"gone-{n}" for n in range(3)]
    for worker in gone:
        for body in (NUDGE, RETIRE):
            await queue.put(mailbox_tube_name(worker), body)
    await queue.put("zerog.default", "a job's")
    ear = Ear(server)
    async with ear.listening():
        await until(lambda: ear.mailbox.connected)

        assert await sweep(queue) == 6

        await nudge(queue, "worker-1")
        assert await sweep(queue) == 0
        await until(lambda: NUDGE in ear.heard)
    left = await queue.tube_stats_many([*map(mailbox_tube_name, gone), "zerog.default"])
    assert [tube.entries for tube in left] == [0, 0, 0, 1]
    assert (await queue.tube_stats("zerog.default")).watching == 0


@pytest.mark.parametrize("watched", [False, True], ids=["gone", "frozen"])
async def test_nudges_do_not_pile_up_on_a_tube_from_which_nobody_takes(
    queue: QueueConnection, watched: bool
) -> None:
    tube = mailbox_tube_name("silent")
    await queue.watch([tube] if watched else ["default"])

    nudges = [await nudge(queue, "silent") for _ in range(100)]

    assert (await queue.tube_stats(tube)).entries == watched
    assert {put.server for put in nudges} == {await queue.server_id()}
    assert {put.watched for put in nudges} == {watched}
    for put in nudges:
        await take_back(queue, put)
    assert (await queue.tube_stats(tube)).entries == 0


async def test_a_mailbox_names_the_server_that_it_listens_to(
    server: Beanstalkd, queue: QueueConnection
) -> None:
    ear = Ear(server)
    async with ear.listening():
        await until(lambda: ear.mailbox.connected)
        assert ear.mailbox.server == await queue.server_id()
        server.stop()
        await until(lambda: ear.mailbox.server == "")
