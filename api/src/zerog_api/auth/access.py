"""What a request may do: handlers ask, and never learn who the caller is.

Rights are verbs on queues. A handler has to ask before it does anything: until it is known who
calls everything is denied, and an answer that nobody asked a right for does not leave
(`zerog_api.edge.handler`), so a forgotten question opens nothing.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable
from enum import StrEnum
from typing import Protocol

from zerog_api.problems import Problem, forbidden


class Verb(StrEnum):
    """What is done to jobs; each call of the table has one."""

    #: Submit jobs.
    CREATE = "create"
    #: Read one job, whose UUID is known.
    GET = "get"
    #: List jobs, types, queues and workers.
    LIST = "list"
    #: Cancel and replay jobs.
    UPDATE = "update"
    #: Forget finished jobs.
    DELETE = "delete"
    #: Read the metrics of this process; of no queue.
    METRICS = "metrics"


#: Of what a client gives for a UUID, the audit log has as much.
MAX_NOTED_CHARS = 50
#: Verbs that change something, and are written into the audit log.
CHANGES = frozenset({Verb.CREATE, Verb.UPDATE, Verb.DELETE})


class Access(Protocol):
    """The rights of one request."""

    @property
    def owner(self) -> str:
        """Whose the request is; empty where nobody is known."""

    async def require(self, queue: str) -> None:
        """Return if the call may be done in this queue. A 403 `Problem` if not."""

    async def require_metrics(self) -> None:
        """Return if metrics may be read. A 403 `Problem` if not."""

    async def everywhere(self) -> bool:
        """Whether the call may be done in every queue."""

    async def among(self, queues: Iterable[str]) -> list[str]:
        """Return those of the queues in which the call may be done."""

    async def still(self, queue: str | None = None) -> bool:
        """Whether a call that lasts may go on: its token, or its right, may have ended."""

    def note(self, *uuids: str) -> None:
        """Name jobs that the call changes, for the audit log."""

    def note_worker(self, name: str) -> None:
        """Name the worker that the call changes, for the audit log."""


class DeniedAccess:
    """Nothing is allowed: nobody knows yet who calls."""

    owner = ""

    async def require(self, queue: str) -> None:
        """See `Access`."""
        raise _unknown()

    async def require_metrics(self) -> None:
        """See `Access`."""
        raise _unknown()

    async def everywhere(self) -> bool:
        """See `Access`."""
        return False

    async def among(self, queues: Iterable[str]) -> list[str]:
        """See `Access`."""
        return []

    async def still(self, queue: str | None = None) -> bool:
        """See `Access`."""
        return False

    def note(self, *uuids: str) -> None:
        """See `Access`."""

    def note_worker(self, name: str) -> None:
        """See `Access`."""


class OpenAccess:
    """Everything is allowed: there is no authentication."""

    owner = ""

    async def require(self, queue: str) -> None:
        """See `Access`."""

    async def require_metrics(self) -> None:
        """See `Access`."""

    async def everywhere(self) -> bool:
        """See `Access`."""
        return True

    async def among(self, queues: Iterable[str]) -> list[str]:
        """See `Access`."""
        return list(queues)

    async def still(self, queue: str | None = None) -> bool:
        """See `Access`."""
        return True

    def note(self, *uuids: str) -> None:
        """See `Access`."""

    def note_worker(self, name: str) -> None:
        """See `Access`."""


DENY, OPEN = DeniedAccess(), OpenAccess()


class CheckedAccess:
    """The rights of a known caller, for one call.

    `may(queue)` answers for the caller and the call's verb; None asks for all queues.
    `valid()` tells whether the caller's token is still one.
    """

    def __init__(
        self,
        caller: str,
        verb: Verb,
        may: Callable[[str | None], Awaitable[bool]],
        valid: Callable[[], Awaitable[bool]],
    ) -> None:
        self.owner = caller
        self._verb = verb
        self._may = may
        self._valid = valid
        #: Whether the handler has asked for anything.
        self.asked = False
        #: What the audit log tells of the call.
        self.jobs: list[str] = []
        self.queues: list[str] = []
        self.workers: list[str] = []

    async def require(self, queue: str) -> None:
        """See `Access`."""
        self.asked = True
        if queue not in self.queues:
            self.queues.append(queue)
        if not await self._may(queue):
            # Which queue it is may be more than the caller may know.
            raise forbidden(f"{self.owner} may not {self._verb} jobs in this queue")

    async def require_metrics(self) -> None:
        """See `Access`."""
        self.asked = True
        if not await self._may(None):
            raise forbidden(f"{self.owner} may not read metrics")

    async def everywhere(self) -> bool:
        """See `Access`."""
        self.asked = True
        return await self._may(None)

    async def among(self, queues: Iterable[str]) -> list[str]:
        """See `Access`."""
        self.asked = True
        asked = list(queues)
        allowed = await asyncio.gather(*[self._may(queue) for queue in asked])
        return list(itertools.compress(asked, allowed))

    async def still(self, queue: str | None = None) -> bool:
        """See `Access`."""
        try:
            return await self._valid() and (queue is None or await self._may(queue))
        except Problem:
            return False  # unknown is not allowed; the client comes back and is told why

    def note(self, *uuids: str) -> None:
        """See `Access`."""

        self.jobs += [uuid[:MAX_NOTED_CHARS] for uuid in uuids]

    def note_worker(self, name: str) -> None:
        """See `Access`."""
        self.workers.append(name)


def _unknown() -> Problem:
    return forbidden("the caller is unknown")


async def restrict(access: Access, asked: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the queues that a listing has to be narrowed to; none: it may see all.

    Each queue that is asked for has to be allowed. Without one the listing shows what is
    allowed, and a 403 `Problem` tells a caller who may see nothing.
    """
    wanted = list(asked)
    if wanted:
        for queue in wanted:
            await access.require(queue)
        return wanted
    if await access.everywhere():
        return []
    if allowed := await access.among(known):
        return allowed
    raise forbidden("the caller has no access to any queue")
