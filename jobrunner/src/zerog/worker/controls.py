"""What people hold of this worker: queues that are paused, or the worker itself, that drains.

The record is in the datastore (`zerog.ledger.controls`), and a worker obeys it by itself. It looks
every few seconds, at once when it is nudged (`zerog.ledger.alertness`), and on each new connection
to the queue before it reserves there. What it has known stays while the record cannot be read;
before the first look nothing is known, and nothing is reserved. What runs continues in any case.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from zerog.ledger.alertness import Alertness
from zerog.ledger.controls import Controls, read_for_worker
from zerog.model.documents import ControlDocument
from zerog.model.errors import DatastoreError
from zerog.model.names import tube_name
from zerog.store.port import Datastore

log = logging.getLogger(__name__)


class ControlWatch:
    """What the worker may take, as it was last read. `changed` is told when that is new."""

    def __init__(
        self,
        store: Datastore,
        worker: str,
        queues: Sequence[str],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._worker = worker
        self._queues = queues
        self._changed = changed
        self._known: Controls | None = None
        #: Of overlapping looks the one that began last might end first.
        self._looking = asyncio.Lock()

    @property
    def draining(self) -> bool:
        """Whether somebody lets this worker drain."""
        return self._known is not None and self._worker in self._known.workers

    def tubes(self) -> list[str]:
        """Return the tubes to reserve from now; none: nothing is reserved."""
        if self._known is None or self.draining:
            return []
        return [tube_name(queue) for queue in self._queues if queue not in self._known.queues]

    async def run(self, alertness: Alertness) -> None:
        """Look when the worker's turns are due, until it stops."""
        async for _ in alertness.turns():
            try:
                await self.look()
                continue
            except DatastoreError as error:
                log.warning("what is paused cannot be read: %s", error)
            except Exception:  # jobs run on, whatever the record holds
                log.exception("what is paused cannot be read")
            alertness.stay()

    async def look(self) -> None:
        """Look once. Raises what the store raises; then nothing has changed."""
        async with self._looking:
            before = self._known
            self._known = found = await read_for_worker(self._store, self._worker, self._queues)
        if before is None or before != found:
            for told in news(before or Controls({}, {}), found):
                log.info("%s", told)
            self._changed()


def news(before: Controls, now: Controls) -> list[str]:
    """Say what is held now and was not, and what is not held any more. Pure."""
    held = [
        (f"the queue {name} is paused", item)
        for name, item in now.queues.items()
        if name not in before.queues
    ]
    held += [
        ("this worker drains: it takes no new job", item)
        for name, item in now.workers.items()
        if name not in before.workers
    ]
    told = [_with_reason(text, item) for text, item in held]
    told += [f"the queue {name} was resumed" for name in before.queues if name not in now.queues]
    return told + [
        "this worker takes jobs again" for name in before.workers if name not in now.workers
    ]


def _with_reason(text: str, control: ControlDocument) -> str:
    by = f", asked for by {control.by}" if control.by else ""
    return text + by + (f": {control.reason}" if control.reason else "")
