"""A worker that claims jobs, over a ledger and a queue in memory."""

from typing import Any

from tests.ledger.jobs import BEGIN, ME, Ledger
from tests.queue.memory import MemoryQueue

from zerog.ledger.claims import Claimer
from zerog.ledger.workers import Beat
from zerog.model.documents import WorkerDocument
from zerog.model.record import JobRecord, WorkerIdentity
from zerog.queue.port import Entry

#: The version of the type T that the worker has. Jobs are made with it.
VERSIONS = {"T": ""}


class Worker(Ledger):
    """A worker that claims jobs of type T."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = MemoryQueue()
        self.beat = Beat(self.store, document_of(ME))
        self.claimer = Claimer(self.jobs, ME, VERSIONS, {"default"}, self.beat, self.misfit)
        #: What a type's class says of parameters that it is asked for; and how often it is.
        self.fault, self.asked = "", 0
        #: UUIDs of the jobs that it vouched for, each with whether its claim was written by then.
        self.vouched: dict[str, bool] = {}

    async def misfit(self, name: str, parameters: dict[str, Any]) -> str:
        self.asked += 1
        return self.fault

    def vouch(self, entry: Entry, record: JobRecord) -> None:
        self.vouched[record.uuid] = any(method == "replace" for method, *_ in self.store.writes)

    def reserve(self, *bodies: str) -> list[Entry]:
        return [
            Entry(self.queue.add(body, state="reserved"), body, self.queue.server)
            for body in bodies
        ]

    async def claim(self, *bodies: str) -> list[Any]:
        return await self.claimer.claim_all(self.queue, self.reserve(*bodies), self.vouch)


def document_of(worker: WorkerIdentity, beat: int = 0) -> WorkerDocument:
    return WorkerDocument(worker.name, [], [], 1, [], "running", BEGIN, BEGIN, beat)
