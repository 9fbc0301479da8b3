"""The loop that looks after the counts: what dead processes had not added, and the totals.

One process at a time does it: the one that holds the lease (`zerog.ledger.lease`).
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field

from zerog.ledger.jobs import Jobs
from zerog.ledger.lease import held
from zerog.ledger.recount import Recount
from zerog.ledger.totals import add_minutes
from zerog.model.errors import ZeroGError
from zerog.model.names import worker_name

log = logging.getLogger(__name__)

LEASE = "counts"
PERIOD_SECONDS = 10.0
LEASE_SECONDS = 30.0


@dataclass(slots=True)
class Counting:
    """Looks after the counts while an API process runs."""

    jobs: Jobs
    owner: str = field(default_factory=worker_name)

    async def run(self) -> None:
        """Look every few seconds until cancelled. It survives the absence of the store."""
        recount = Recount(self.jobs)
        while True:
            try:
                async with held(self.jobs.store, LEASE, self.owner, LEASE_SECONDS) as mine:
                    if mine:
                        await recount.look()
                        await add_minutes(self.jobs.store, time.time())
            except ZeroGError as error:
                log.warning("counts are looked after later: %s", error)
            except Exception:  # whatever one tally holds, the others are to be finished
                log.exception("counts")
            await asyncio.sleep(PERIOD_SECONDS)
