"""What a worker hears on its own tube, and from its pool.

Whatever is put on its own tube makes it look now (`zerog.ledger.mailboxes`). A worker of a pool
also retires: it takes no new job, finishes what it runs, however long that takes, and stops. It
does so when told on its own tube, busy or not, or when it finds a retire token on the pool's tube
while all its slots are idle; a busy worker never takes one. Slots go on reserving meanwhile, so
that between token and stop a slot may have got a job: then the token is put back.

An entry on its way to a slot returns to the queue when the connection closes, so nothing is lost
either way. A token that a crash here leaves behind, or takes with it, does no harm.
"""

import asyncio
import logging
from collections.abc import Sequence

from zerog.ledger.alertness import Alertness
from zerog.ledger.mailboxes import RETIRE
from zerog.model.names import mailbox_tube_name, retire_tube_name
from zerog.queue.mailbox import Connect, Mailbox, SharedTube
from zerog.worker.slot import Slot

log = logging.getLogger(__name__)


class Hearing:
    """What one worker hears. `retired` is set when it is to retire, once."""

    def __init__(
        self,
        worker: str,
        pool: str | None,
        slots: Sequence[Slot],
        alertness: Alertness,
        connect: Connect,
    ) -> None:
        self.retired = asyncio.Event()
        self._pool = pool
        self._slots = slots
        self._alertness = alertness
        shared = (
            None if pool is None else SharedTube(retire_tube_name(pool), self._wants, self._take)
        )
        self._mailbox = Mailbox(
            mailbox_tube_name(worker), connect, self._hear, alertness.call, shared=shared
        )
        alertness.hears = lambda: self._mailbox.connected

    @property
    def server(self) -> str:
        """The id of the queue's server that it listens to, empty for none."""
        return self._mailbox.server

    async def run(self) -> None:
        """Listen until cancelled."""
        await self._mailbox.run()

    def _hear(self, body: str) -> None:
        if body == RETIRE and self._pool is not None:
            self._retire("told by name")
        self._alertness.call()

    def _wants(self) -> bool:
        return not self.retired.is_set() and all(slot.is_idle for slot in self._slots)

    def _take(self) -> bool:
        if not self._wants():
            return False
        # Stop first: a token lost by a crash here would be a worker too many, no harm.
        self._retire("by a token for an idle worker")
        return True

    def _retire(self, why: str) -> None:
        if not self.retired.is_set():
            log.info("retiring, %s", why)
            self.retired.set()
