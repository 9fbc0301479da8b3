"""The registered job types as the API sees them, and the validation of parameters against them."""

import asyncio
import difflib
import logging
import time
from dataclasses import dataclass
from itertools import islice
from typing import Any

from zerog.ledger.types import read_all
from zerog.ledger.unserved import TypesByQueue, Unserved
from zerog.model.documents import TypeDocument, write
from zerog.store.port import Datastore
from zerog_api.core.checks import ParameterCheck
from zerog_api.core.errors import Fault, UnknownTypeError
from zerog_api.core.served import Served
from zerog_api.core.shared import Shared

log = logging.getLogger(__name__)

#: How old the known types may be. A new type is looked up at once all the same.
REFRESH_SECONDS = 1.0
#: Unknown names are looked up in the datastore at most this often.
MISS_SECONDS = 0.1
MAX_FAULTS = 50
#: So many near names are looked for.
MAX_NEAR = 10


@dataclass(frozen=True, slots=True)
class RegisteredType:
    """A type's document with its check; None if the class alone can check parameters."""

    type: TypeDocument
    revision: str
    check: ParameterCheck | None

    @property
    def queue(self) -> str:
        """The queue that the type's jobs go to."""
        return self.type.queue

    def faults(
        self, parameters: dict[str, Any], root: str = "$", *, only_first: bool = False
    ) -> list[Fault]:
        """Return what is wrong with parameters, one entry per fault."""
        if self.check is None or self.check.accepts(parameters):
            return []
        if only_first:
            first = self.check.first_error(parameters)
            return [] if first is None else [_fault(first, root)]
        return [_fault(found, root) for found in islice(self.check.errors(parameters), MAX_FAULTS)]


def _fault(error: Any, root: str) -> Fault:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path]
    return Fault(root + "".join(parts), error.message[:500])


class Types:
    """Keeps the types at hand."""

    def __init__(self, store: Datastore) -> None:
        self._store = store
        #: As last read: what has not changed is not compiled again.
        self._known: dict[str, RegisteredType] = {}
        self._types = Shared(self._read)
        self._unserved = Unserved()
        #: Whether workers serve a type.
        self.served = Served(store, self._unserved)

    async def get(self, name: str) -> RegisteredType:
        """Return a type. `UnknownTypeError` if there is none."""
        types = await self._types.get(REFRESH_SECONDS)
        if name not in types:
            types = await self._types.get(MISS_SECONDS)
        if name in types:
            return types[name]
        raise UnknownTypeError(name)

    async def near(self, name: str) -> list[RegisteredType]:
        """Return the types whose names are most like this one."""
        types = await self._types.get(REFRESH_SECONDS)
        return [types[n] for n in difflib.get_close_matches(name[:100], types, n=MAX_NEAR)]

    async def documents(self) -> list[TypeDocument]:
        """Return all types, by name."""
        types = await self._types.get(MISS_SECONDS)
        return [types[name].type for name in sorted(types)]

    async def told(self, job_type: TypeDocument) -> dict[str, Any]:
        """Return a type as the API shows it."""
        served = await self.served.is_served(job_type.name, job_type.queue)
        return {**write(job_type), "served": served}

    async def queues(self) -> list[str]:
        """Return the queues of all types."""
        types = await self._types.get(REFRESH_SECONDS)
        return sorted({item.queue for item in types.values()})

    async def unserved(self) -> TypesByQueue:
        """Return, for each queue seen with a worker, the types with jobs that no worker takes."""
        await self._unserved.look(self._store, time.monotonic())
        return self._unserved.found

    async def _read(self) -> dict[str, RegisteredType]:
        known, made = self._known, {}
        # Fresh: a client that has seen a type registered may submit its jobs.
        found = await read_all(self._store, fresh=True)
        for name, (job_type, revision) in found.items():
            if name in known and known[name].revision == revision:
                made[name] = known[name]
                continue
            # In a thread: other requests need not wait for a large schema.
            check = await asyncio.to_thread(_compile, job_type)
            made[name] = RegisteredType(job_type, revision, check)
        self._known = made
        return made


def _compile(job_type: TypeDocument) -> ParameterCheck | None:
    try:
        return ParameterCheck(job_type.schema)
    except Exception as error:  # one schema must not hide the other types
        log.warning("parameters of %s are left to its worker: %s", job_type.name, error)
        return None
