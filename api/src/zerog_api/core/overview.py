"""How things go: queues, workers, pools, and the history of the last hours.

Everybody who looks at the overview sees the same look, whatever their number. On a datastore that
several replicas share, one replica takes it for all (`zerog_api.core.summary`).
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from zerog.ledger import controls
from zerog.ledger.controls import Controls
from zerog.ledger.counts import Counts, JobKind
from zerog.ledger.nextjobs import read_waits
from zerog.ledger.readable import read_collection
from zerog.ledger.stats import BUCKET_SECONDS, read_history
from zerog.ledger.totals import Totals
from zerog.ledger.tubes import Queues, find_queues
from zerog.model.documents import ControlDocument, PoolDocument, WorkerDocument, write
from zerog.model.errors import ZeroGError
from zerog.model.names import is_queue_name, tube_name
from zerog.model.record import format_time
from zerog.queue.port import Producer, TubeStats
from zerog.store.port import Datastore
from zerog_api.core.shared import Shared
from zerog_api.core.summary import Summary
from zerog_api.core.types import Types
from zerog_api.core.watch import wait_any

log = logging.getLogger(__name__)

#: Rates are of the last so many seconds; younger measurements are too rough to tell.
RATE_SECONDS, MIN_RATE_SECONDS = 60.0, 2.0
SAMPLE_SECONDS = 5.0
#: How old a look may be: how often the stream tells something new.
LOOK_SECONDS, HISTORY_SECONDS = 1.0, 5.0
#: The same where replicas share one.
SUMMARY_SECONDS = 2.0
#: How old what is held may be, for metrics.
HELD_SECONDS = 5.0
DEFAULT_MINUTES = 60
#: Changes at every beat and tells nothing that people look for.
_WORKER_NOISE = frozenset({"beat", "updatedTime"})


class Rates:
    """Arrivals and departures per minute, from differences of beanstalkd's own counters.

    Samples are taken by the clock and by nobody who asks, so that asking changes no rate.
    """

    def __init__(self) -> None:
        self._samples: dict[str, deque[TubeStats]] = {}
        self._times: dict[str, deque[float]] = {}

    def sample(self, tubes: Iterable[TubeStats], now: float) -> None:
        """Take a measurement of all tubes that there are."""
        seen = {stats.name: stats for stats in tubes}
        for name in [name for name in self._samples if name not in seen]:
            del self._samples[name], self._times[name]
        for name, stats in seen.items():
            samples = self._samples.setdefault(name, deque())
            times = self._times.setdefault(name, deque())
            if samples and _began_anew(samples[-1], stats):
                samples.clear()
                times.clear()
            samples.append(stats)
            times.append(now)
            while len(times) > 1 and now - times[1] >= RATE_SECONDS:
                samples.popleft()
                times.popleft()

    def of(self, stats: TubeStats, now: float) -> tuple[float | None, float | None]:
        """Return both rates until now; None while unknown."""
        samples = self._samples.get(stats.name)
        if not samples or _began_anew(samples[-1], stats):
            return None, None
        seconds = now - self._times[stats.name][0]
        if seconds < MIN_RATE_SECONDS:
            return None, None
        return (
            round((stats.total - samples[0].total) * 60 / seconds, 2),
            round((stats.deleted - samples[0].deleted) * 60 / seconds, 2),
        )


def shown(worker: WorkerDocument) -> dict[str, Any]:
    """Return what people see of a worker: not what only other workers need."""
    document = write(worker)
    del document["queueServer"]
    return document


def _began_anew(before: TubeStats, now: TubeStats) -> bool:
    """Whether the server was restarted in between."""
    return now.total < before.total or now.deleted < before.deleted


class Overview:
    """Looks at how things go."""

    def __init__(self, store: Datastore, producer: Producer, types: Types) -> None:
        self._store = store
        self._producer = producer
        self._types = types
        self._rates = Rates()
        self._observer = types.observer
        self._look = Shared(Summary(store, "overview", self._make_look, SUMMARY_SECONDS).get)
        #: Which queues there are changes seldom, and a stranger's tubes must not cost each call.
        self._queues = Shared(self._find_queues)
        self._held = Shared(lambda: controls.read_all(store))
        self._waits = Shared(self._read_waits)
        self._living = Shared(self._read_workers)
        totals = Totals()
        self._totals = Shared(lambda: totals.read(store, time.time()))
        history = Summary(
            store, "stats", lambda: self._read_history(DEFAULT_MINUTES), HISTORY_SECONDS
        )
        self._history = Shared(history.get)

    async def measure(self, stop: asyncio.Event) -> None:
        """Take samples for the rates, until told to stop."""
        while not stop.is_set():
            try:
                tubes = await self._tubes((await self._queues.get(LOOK_SECONDS)).names)
                self._rates.sample(tubes, time.monotonic())
            except ZeroGError:
                pass  # the next sample shows what happened meanwhile
            except Exception:  # rates are for people: nothing about them must end the process
                log.exception("rates")
            # Where reading is cheap, who lives is known before anybody asks.
            if self._store.has_version:
                await self._types.served.look(fresh=False)
            await wait_any(stop, seconds=SAMPLE_SECONDS)

    async def now(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the look and the history that all see, by name."""
        return [
            ("overview", await self._look.get(LOOK_SECONDS)),
            ("stats", await self._history.get(HISTORY_SECONDS)),
        ]

    async def _make_look(self) -> dict[str, Any]:
        held = await controls.read_all(self._store)
        workers = [
            {name: value for name, value in worker.items() if name not in _WORKER_NOISE}
            for worker in await self._workers(held)
        ]
        return {
            **await self._describe_queues(held),
            "workers": workers,
            "pools": await self.pools(),
        }

    async def history(self, minutes: int) -> dict[str, Any]:
        """Tell minute by minute what happened in every queue."""
        if minutes == DEFAULT_MINUTES:
            return await self._history.get(LOOK_SECONDS)
        return await self._read_history(minutes)

    async def _read_history(self, minutes: int) -> dict[str, Any]:
        found = await read_history(self._store, time.time(), minutes)
        return {
            "bucketSeconds": BUCKET_SECONDS,
            "times": [format_time(datetime.fromisoformat(minute)) for minute in found.minutes],
            "queues": [
                {
                    "name": name,
                    **history.counts,
                    "waitMeanSeconds": history.wait_mean_seconds,
                    "wait95Seconds": history.wait_95_seconds,
                    "runMeanSeconds": history.run_mean_seconds,
                }
                for name, history in found.queues.items()
            ],
            "types": [write(usage) for usage in found.usage],
        }

    async def workers(self) -> list[dict[str, Any]]:
        """List the workers that live, and what each runs."""
        # Reading is cheap on this machine, and one who has just drained a worker sees that.
        return await self._living.get(0.0 if self._store.has_version else LOOK_SECONDS)

    async def _read_workers(self) -> list[dict[str, Any]]:
        return await self._workers(await controls.read_all(self._store))

    async def _workers(self, held: Controls) -> list[dict[str, Any]]:
        living = await self._observer.living(self._store, time.monotonic())
        return [
            {**shown(worker), "drain": told_of(held.workers.get(worker.name))} for worker in living
        ]

    async def serving(self, queue: str) -> list[str]:
        """Return the names of the workers that serve a queue, as of the look that all see.

        Raises what store and queue raise.
        """
        look = await self._look.get(LOOK_SECONDS)
        return [worker["name"] for worker in look["workers"] if queue in worker["queues"]]

    async def pools(self) -> list[dict[str, Any]]:
        """List the pools of workers that the operator looks after."""
        found = await read_collection(self._store, "pools", PoolDocument)
        unserved = await self._types.unserved()
        return [
            {**write(pool), "unservedTypes": unserved.get(pool.queue)} for pool, _ in found.values()
        ]

    async def _find_queues(self) -> Queues:
        return await find_queues(self._producer, await self._types.queues())

    async def _tubes(self, names: Iterable[str]) -> list[TubeStats]:
        return await self._producer.tube_stats_many([tube_name(name) for name in names])

    async def queues(self) -> dict[str, Any]:
        """Describe each queue: how long it is, how fast it moves and how long jobs wait.

        `queuesLeftOut` is how many there are besides, if there are too many.
        """
        return await self._describe_queues(await controls.read_all(self._store))

    async def pause_of(self, queue: str) -> dict[str, Any] | None:
        """Tell who has paused a queue, as of a moment ago; None if nobody has."""
        held = await self._held.get(0.0 if self._store.has_version else LOOK_SECONDS)
        return told_of(held.queues.get(queue))

    async def paused(self) -> list[str]:
        """Return the names of paused queues, as of a moment ago. Raises what the store raises."""
        return sorted((await self._held.get(HELD_SECONDS)).queues)

    async def waits(self) -> dict[str, float]:
        """Return how many seconds the next job of each type's queue has been due, just now.

        Raises what store and queue raise.
        """
        return await self._waits.get(HELD_SECONDS)

    async def totals(self) -> dict[JobKind, Counts]:
        """Return what has been counted of all jobs, just now. Raises what the store raises."""
        return await self._totals.get(HELD_SECONDS)

    async def _read_waits(self) -> dict[str, float]:
        # Only those of types: a stranger's tubes would be so many series that are kept for ever.
        names = await self._types.queues()
        return await read_waits(self._store, self._producer, names, datetime.now(UTC))

    async def knows_queue(self, name: str) -> bool:
        """Whether a type or a tube has this queue now. Raises what store and queue raise."""
        if name in {job_type.queue for job_type in await self._types.documents()}:
            return True
        return name in (await self._queues.get(0.0)).names

    async def _describe_queues(self, held: Controls) -> dict[str, Any]:
        unserved, found = await self._types.unserved(), await self._queues.get(LOOK_SECONDS)
        # One that is paused is shown, though its types and its tube may be gone.
        names = sorted({*found.names, *filter(is_queue_name, held.queues)})
        tubes = zip(names, await self._tubes(names), strict=True)
        queues = [
            self._queue(name, tube, unserved.get(name), held.queues.get(name))
            for name, tube in tubes
        ]
        left_out = {"queuesLeftOut": found.left_out} if found.left_out else {}
        return {"queues": queues, **left_out}

    def _queue(
        self,
        name: str,
        stats: TubeStats,
        unserved: list[str] | None,
        paused: ControlDocument | None,
    ) -> dict[str, Any]:
        arrival, departure = self._rates.of(stats, time.monotonic())
        return {
            "name": name,
            "ready": stats.ready,
            "reserved": stats.reserved,
            "delayed": stats.delayed,
            "buried": stats.buried,
            "arrivalPerMinute": arrival,
            "departurePerMinute": departure,
            "waitingSeconds": None if paused else _waiting_seconds(stats.ready, departure),
            "paused": told_of(paused),
            "unservedTypes": unserved,
        }


def told_of(control: ControlDocument | None) -> dict[str, Any] | None:
    """Tell who holds a queue or a worker, since when and why; None if nobody does."""
    if control is None:
        return None
    told = write(control)
    return {name: told[name] for name in ("since", "by", "reason")}


def _waiting_seconds(ready: int, departures_per_minute: float | None) -> float | None:
    """How long a job that arrives now would wait; None while the rate is unknown or
    nothing moves."""
    if ready == 0:
        return 0.0
    return round(ready * 60 / departures_per_minute, 1) if departures_per_minute else None
