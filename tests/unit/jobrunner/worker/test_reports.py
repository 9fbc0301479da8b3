"""What an attempt reports is written whole, also when two want to write it at once."""

import asyncio
from collections.abc import Sequence

from zerog.model.documents import events_key
from zerog.model.record import new_job_id
from zerog.store.memory import MemoryDatastore
from zerog.store.port import MAX_PATCH_OPS, Collection, PatchOp
from zerog.worker.reports import Reports


class SlowStore(MemoryDatastore):
    """A store whose first write takes much longer than the others."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def patch(
        self,
        collection: Collection,
        key: str,
        ops: Sequence[PatchOp],
        *,
        revision: str | None = None,
        create: bool = False,
    ) -> str:
        if not self.begun.is_set():
            self.begun.set()
            await self.go_on.wait()
        return await super().patch(collection, key, ops, revision=revision, create=create)


def report(reports: Reports, numbers: range) -> None:
    for number in numbers:
        frame = {"op": "event", "seq": number, "level": "info", "message": "m"}
        reports.take(frame, "now")


async def test_a_slow_flush_does_not_drop_what_came_after_a_faster_one() -> None:
    uuid, store = new_job_id(), SlowStore()
    reports = Reports(uuid, 1)
    report(reports, range(MAX_PATCH_OPS))
    slow = asyncio.create_task(reports.flush(store))
    await store.begun.wait()
    fast = asyncio.create_task(reports.flush(store))
    for _ in range(10):  # as far as it gets
        await asyncio.sleep(0)
    report(reports, range(MAX_PATCH_OPS, 20))

    store.go_on.set()
    await asyncio.gather(slow, fast)
    await reports.flush(store)

    stored = await store.get("events", events_key(uuid, 1, 0))
    assert stored is not None
    assert sorted(stored.document["e"], key=int) == [str(number) for number in range(20)]
