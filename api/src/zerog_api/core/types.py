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
from zerog.ledger.workers import Observer
from zerog.model.documents import TypeDocument, write
from zerog.model.labels import label_map
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
    """A version of a type with its check; None if the class alone can check parameters."""

    type: TypeDocument
    check: ParameterCheck | None
    #: Other versions that workers serve, the last introduced first: around a rollout callers may
    #: send what those take.
    others: "tuple[RegisteredType, ...]" = ()

    @property
    def queue(self) -> str:
        """The queue that the version's jobs go to."""
        return self.type.queue

    @property
    def versions(self) -> "tuple[RegisteredType, ...]":
        """The versions that jobs are accepted by, in this order."""
        return (self, *self.others)

    @property
    def hashes(self) -> tuple[str, ...]:
        """What tells these versions from others."""
        return tuple(each.type.schema_hash for each in self.versions)

    def accepts(self, parameters: dict[str, Any]) -> bool:
        """Whether the schema takes parameters, or its class may, which converts some."""
        return self.check is None or self.check.first_error(parameters) is None

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


#: A type's revision, and its versions, the last introduced first.
_Versions = tuple[str, tuple[RegisteredType, ...]]


class Types:
    """Keeps the types at hand.

    A type is shown by its current version: the last introduced one that a living worker serves, or
    the last introduced one while no worker serves any.
    """

    def __init__(self, store: Datastore) -> None:
        self._store = store
        #: As last read: what has not changed is not compiled again.
        self._known: dict[str, _Versions] = {}
        self._types = Shared(self._read)
        #: Whoever of the API looks at workers sees them by this one.
        self.observer = Observer()
        self._unserved = Unserved(self.observer)
        #: Whether workers serve a type.
        self.served = Served(store, self._unserved)

    async def get(self, name: str, *, fresh: bool = False) -> RegisteredType:
        """Return a type by its current version. `UnknownTypeError` if there is none.

        What is not `fresh` may be some seconds behind the workers.
        """
        types = await self._types.get(MISS_SECONDS if fresh else REFRESH_SECONDS)
        if name not in types:
            types = await self._types.get(MISS_SECONDS)
        if name not in types:
            raise UnknownTypeError(name)
        return await self._current(types[name], fresh=fresh)

    async def near(self, name: str) -> list[RegisteredType]:
        """Return the types whose names are most like this one."""
        types = await self._types.get(REFRESH_SECONDS)
        found = difflib.get_close_matches(name[:100], types, n=MAX_NEAR)
        return [await self._current(types[near]) for near in found]

    async def documents(self) -> list[TypeDocument]:
        """Return all types, by name."""
        types = await self._types.get(MISS_SECONDS)
        return [(await self._current(types[name], fresh=True)).type for name in sorted(types)]

    async def told(self, job_type: TypeDocument) -> dict[str, Any]:
        """Return a type as the API shows it."""
        told = {**write(job_type), "served": await self._is_served(job_type)}
        told["otherVersions"] = [
            {
                "schemaHash": other.schema_hash,
                "queue": other.queue,
                "introducedTime": other.introduced_time,
                "seenTime": other.seen_time,
                "served": await self._is_served(other),
            }
            for other in job_type.versions[1:]
        ]
        told["labels"] = label_map(job_type.labels)
        told.pop("others", None)
        return told

    async def _is_served(self, version: TypeDocument) -> bool | None:
        return await self.served.is_served(version.name, version.queue, version.schema_hash)

    async def queues(self) -> list[str]:
        """Return the queues of all types."""
        types = await self._types.get(REFRESH_SECONDS)
        return sorted({each.queue for _, versions in types.values() for each in versions})

    async def unserved(self) -> TypesByQueue:
        """Return, for each queue seen with a worker, the types with jobs that no worker takes."""
        await self._unserved.look(self._store, time.monotonic())
        return self._unserved.found

    async def _current(self, found: _Versions, *, fresh: bool = False) -> RegisteredType:
        _, versions = found
        if len(versions) == 1:
            return versions[0]
        await self.served.look(fresh=fresh)
        served = [each for each in versions if self._unserved.may_serve(each.type)] or versions[:1]
        current, *others = served
        rest = [each.type for each in versions if each is not current]
        whole = TypeDocument.of_versions([current.type, *rest])
        return RegisteredType(whole, current.check, tuple(others))

    async def _read(self) -> dict[str, _Versions]:
        known, made = self._known, {}
        # Fresh: a client that has seen a type registered may submit its jobs.
        found = await read_all(self._store, fresh=True)
        for name, (job_type, revision) in found.items():
            if name in known and known[name][0] == revision:
                made[name] = known[name]
                continue
            checks = {each.type.schema_hash: each.check for each in known.get(name, ("", ()))[1]}
            versions = []
            for version in job_type.versions:
                if version.schema_hash not in checks:
                    # In a thread: other requests need not wait for a large schema.
                    check = await asyncio.to_thread(_compile, version)
                    checks[version.schema_hash] = check
                versions.append(RegisteredType(version, checks[version.schema_hash]))
            made[name] = revision, tuple(versions)
        self._known = made
        return made


def _compile(job_type: TypeDocument) -> ParameterCheck | None:
    try:
        return ParameterCheck(job_type.schema)
    except Exception as error:  # one schema must not hide the other types
        log.warning("parameters of %s are left to its worker: %s", job_type.name, error)
        return None
