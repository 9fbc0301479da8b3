"""A ledger with a queue, both in memory."""

from typing import Any

from tests.ledger.jobs import BEGIN, FAILED_SECONDS, Ledger
from tests.queue.memory import MemoryQueue

from zerog.ledger.dispatch import Dispatch
from zerog.model import life
from zerog.model.documents import TypeDocument
from zerog.model.record import JobId, JobRecord, new_job_id

TYPE = TypeDocument("T", "default", {}, retain_failed_seconds=FAILED_SECONDS)


class System(Ledger):
    """A ledger with a queue."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = MemoryQueue()
        self.dispatch = Dispatch(self.jobs, self.queue)

    def record(self, parameters: dict[str, Any] | None = None) -> JobRecord:
        """Make the record of a new job."""
        return life.accept(uuid=new_job_id(), job_type=TYPE, parameters=parameters or {}, now=BEGIN)

    async def accept(self, parameters: dict[str, Any] | None = None) -> JobId:
        record = self.record(parameters)
        await self.dispatch.accept(record)
        return record.uuid

    def nothing_is_left(self) -> bool:
        return not self.store.keys("jobs") and not self.store.keys("blobs")
