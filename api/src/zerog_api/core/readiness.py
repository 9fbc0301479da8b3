"""Whether jobs can be accepted now."""

import asyncio
import logging

from zerog.model.errors import ZeroGError
from zerog.queue.port import Producer
from zerog.store.port import Datastore
from zerog_api.core.shared import Shared

log = logging.getLogger(__name__)

#: How old what a probe is told may be.
READY_SECONDS = 0.5


class Readiness:
    """Asks the parts. Nobody needs a token to ask, and the datastore writes to answer: so all who
    ask at about the same time get the same answer."""

    def __init__(self, store: Datastore, producer: Producer) -> None:
        self._store = store
        self._producer = producer
        self._parts = Shared(self._ask)
        #: Why the datastore was not ready when it was last asked; empty: it was.
        self._trouble = ""

    async def get(self) -> dict[str, str]:
        """Return the state of each part; `ok` is good."""
        return await self._parts.get(READY_SECONDS)

    async def _ask(self) -> dict[str, str]:
        datastore, queue = await asyncio.gather(self._ask_datastore(), self._ask_queue())
        return {"datastore": datastore, "queue": queue}

    async def _ask_datastore(self) -> str:
        try:
            await self._store.ready()
        except ZeroGError as error:
            # The log may name addresses and settings, the answer may not.
            if str(error) != self._trouble:
                log.warning("not ready: datastore: %s", error)
            self._trouble = str(error)
            return "unavailable"
        self._trouble = ""
        return "ok"

    async def _ask_queue(self) -> str:
        try:
            stats = await self._producer.server_stats()
        except ZeroGError:
            return "unavailable"
        return "draining" if stats.draining else "ok"
