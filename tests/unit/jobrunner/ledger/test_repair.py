"""What repair makes of entries and documents that are none of ours."""

import pytest

from zerog.ledger.repair import repair_once
from zerog.model.record import new_job_id
from zerog.queue.beanstalk.producer import BeanstalkProducer
from zerog.queue.port import Entry
from zerog.store.memory import MemoryDatastore


class BuriedQueue(BeanstalkProducer):
    """A queue with one buried entry."""

    def __init__(self, body: str) -> None:
        self.body = body
        self.kicked = False

    async def tubes(self) -> list[str]:
        return ["anybodys"]

    async def peek_buried(self, tube: str) -> Entry | None:
        return None if self.kicked else Entry(1, self.body)

    async def kick(self, entry_id: int) -> bool:
        self.kicked = True
        return True


@pytest.mark.parametrize("body", ["", "x" * 60_000, "\x00\ufffd", "select 1"])
async def test_a_foreign_entry_is_left_where_it_is(body: str) -> None:
    report = await repair_once(MemoryDatastore(), BuriedQueue(body))

    assert report.unknown == [body]


async def test_an_entry_whose_document_cannot_be_read_stays_buried() -> None:
    store, uuid = MemoryDatastore(), new_job_id()
    await store.insert("jobs", uuid, {"uuid": uuid, "state": "unheard of"})
    queue = BuriedQueue(uuid)

    report = await repair_once(store, queue)

    assert report.unknown == [uuid]
    assert not queue.kicked
