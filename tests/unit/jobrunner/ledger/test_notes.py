"""Entries that are noted late: while store or queue falter, and by an API that was frozen while the
queue's server was restarted, so that it notes entries of the one before."""

import pytest
from tests.ledger.jobs import ME
from tests.ledger.queued import System
from tests.queue.memory import Item

from zerog.model import events


@pytest.fixture
def system() -> System:
    return System()


async def test_an_entry_that_a_restarted_server_still_has_is_noted(system: System) -> None:
    """A server that has its binlog has another id all the same."""
    uuid = await system.accept()
    system.queue.server = "another"

    await system.dispatch.flush()

    assert (await system.read(uuid)).entry_id == 1
    assert system.queue.bodies() == [uuid]


async def test_a_job_whose_entry_was_lost_before_it_was_noted_is_put_back(system: System) -> None:
    lost, other = await system.accept(), await system.accept()
    system.queue.server = "another"
    system.queue.items = {2: Item("another job")}

    await system.dispatch.flush()

    assert sorted(system.queue.bodies()) == sorted(["another job", lost, other])
    noted = {(await system.read(uuid)).entry_id: uuid for uuid in (lost, other)}
    assert {number: system.queue.items[number].body for number in noted if number} == noted


@pytest.mark.parametrize("ends", [False, True])
async def test_a_job_that_has_moved_on_gets_no_entry_for_a_lost_one(
    system: System, ends: bool
) -> None:
    uuid = await system.accept()
    system.queue.server = "another"
    system.queue.items.clear()
    peek_many = system.queue.peek_many

    async def peek_and_move_on(entry_ids: list[int]) -> dict[int, str]:
        number = system.queue.add(uuid)
        if ends:
            await system.dispatch.cancel(uuid)
        else:  # a worker had it from another process
            await system.happen(uuid, events.Claimed(ME, number))
        return await peek_many(entry_ids)

    system.queue.peek_many = peek_and_move_on  # type: ignore[assignment, method-assign]

    await system.dispatch.flush()

    assert system.queue.bodies() == [uuid]


async def test_a_job_that_repair_has_put_back_needs_no_late_entry(system: System) -> None:
    uuid = await system.accept()
    await system.happen(uuid, events.Queued(system.queue.add(uuid)))

    await system.dispatch.flush()
    await system.jobs.leftovers.flush()

    assert (await system.read(uuid)).entry_id == 2
    assert list(system.queue.items) == [2]


async def test_what_is_lost_while_the_queue_is_away_is_put_back_when_it_answers(
    system: System,
) -> None:
    uuid = await system.accept()
    system.queue.away = True
    await system.dispatch.flush()
    system.queue.away = False
    system.queue.server = "another"
    system.queue.items.clear()

    await system.dispatch.flush()

    assert system.queue.bodies() == [uuid]


async def test_notes_wait_for_the_store_and_the_queue(system: System) -> None:
    waiting, cancelled = await system.accept(), await system.accept()
    await system.happen(cancelled, events.CancelRequested())
    system.store.away["jobs"] = 1
    await system.dispatch.flush()
    assert (await system.read(waiting)).entry_id is None
    system.queue.away = True

    await system.dispatch.flush()
    await system.jobs.leftovers.flush()
    system.queue.away = False
    await system.dispatch.flush()
    await system.jobs.leftovers.flush()

    assert (await system.read(waiting)).entry_id == 1
    assert system.queue.bodies() == [waiting]
