"""The model of a queue and its worker pods, as discrete events on a clock of its own.

What is played: beanstalkd's tube and its counters, first in, first out; pods that take a while
to start; slots that take the next job as soon as they are free; idle workers that take a retire
token, and workers that are told to stop and get a grace period. Not played: the network, a full
cluster, failures of any kind; creating a pod costs no more than its start.

The invariant: no job is lost. Each is ready, or runs, or is finished; an interrupted one is ready
again, at its old place, and its work begins anew.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heappop, heappush
from math import inf
from random import Random

from zerog.model.errors import ConfigError
from zerog_simulate.engine import QueueReading
from zerog_simulate.outcome import Outcome, Point
from zerog_simulate.trace import Trace

#: A worker that took a retire token is gone from the list of pods so much later.
EXIT_SECONDS = 1.0
#: It goes on so long after trace and last job, so that scaling down is paid for too …
TAIL_SECONDS = 900.0
#: … and is given up when jobs are still unfinished so long after it.
PATIENCE_SECONDS = 2 * 86400.0
#: A curve for the plot has so many points.
POINTS = 600


class UnfinishedError(ConfigError):
    """Jobs wait for ever under this policy."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """The played cluster, the same for all policies."""

    slots: int = 1
    #: From a pod's creation to its readiness, on average …
    pod_start_seconds: float = 5.0
    #: … and how far a pod's start is from that at most, as a part of it.
    pod_start_spread: float = 0.2
    seed: int = 1


@dataclass(slots=True, eq=False)
class Worker:
    """A pod. Its states are those that a policy can see, and what runs inside."""

    number: int
    created: float
    ready_time: float | None = None
    #: Takes no more jobs, and ends when its last one is finished.
    stopping: bool = False
    #: Took a retire token; ends soon, and is still listed as ready.
    leaving: bool = False
    ended: bool = False
    #: A Job's pod: takes one job, or finds none, and ends.
    single: bool = False
    #: Its jobs: number of the job → when it began.
    running: dict[int, float] = field(default_factory=dict)


class _Event(IntEnum):
    ARRIVE = 0
    FINISH = 1
    READY = 2
    LEFT = 3
    GRACE = 4
    LOOK = 5


class SimulatedCluster:
    """Queue, pods and clock. A policy looks at it and acts on it; `run` plays a trace."""

    def __init__(self, trace: Trace, settings: ClusterSettings) -> None:
        self.settings = settings
        self.now = 0.0
        self.tokens = 0
        #: Pods that exist, oldest first; those that were told to stop from outside are not in it.
        self.workers: dict[int, Worker] = {}
        self.random = Random(settings.seed)
        self._trace = trace
        self._arrived = [item.time for item in trace.arrivals for _ in range(item.jobs)]
        self._lengths = [item.job_seconds for item in trace.arrivals for _ in range(item.jobs)]
        #: Seconds from arrival to first start, in the order of the starts.
        self.waits: list[float] = []
        self._started = [False] * len(self._arrived)
        self._ready: list[int] = []
        self._idle: deque[Worker] = deque()
        self._events: list[tuple[float, int, _Event, object]] = []
        self._sequence = 0
        self._reserved = self._total = self._deleted = 0
        self._made = self._existing = self._peak = 0
        self._busy_seconds = self._last_finish = 0.0
        #: Times of ends less times of creations: with `now` for those that exist, what was paid.
        self._lives = 0.0
        self.interrupted = 0
        self._points: list[Point] = []

    def reading(self) -> QueueReading:
        """Return what `stats-tube` would say of the queue and the retire tube now."""
        return QueueReading(
            time=self.now,
            ready=len(self._ready),
            reserved=self._reserved,
            total=self._total,
            deleted=self._deleted,
            tokens=self.tokens,
            server="simulated",
        )

    @property
    def next_event_time(self) -> float:
        """When something happens next that is not the policy's doing."""
        return self._events[0][0] if self._events else inf

    @property
    def worker_seconds(self) -> float:
        """What pods cost up to now."""
        return self._lives + self._existing * self.now

    def create(self, count: int, *, single: bool = False) -> None:
        """Create pods; `single` ones end after one job."""
        spread = self.settings.pod_start_spread
        for _ in range(count):
            self._made += 1
            worker = Worker(self._made, self.now, single=single)
            self.workers[worker.number] = worker
            self._existing += 1
            self._lives -= self.now
            start = self.settings.pod_start_seconds * self.random.uniform(1 - spread, 1 + spread)
            self._at(self.now + start, _Event.READY, worker)
        self._peak = max(self._peak, self._existing)

    def delete(self, worker: Worker, grace_seconds: float) -> None:
        """Delete a pod as anybody may: SIGTERM, a grace period, SIGKILL."""
        self.workers.pop(worker.number, None)
        worker.stopping = True
        if worker.running:
            self._at(self.now + grace_seconds, _Event.GRACE, worker)
        else:
            self._end(worker)

    def retire(self, worker: Worker) -> None:
        """Tell a worker to finish what it runs, however long that takes, and to stop then."""
        worker.stopping = True
        if not worker.running:
            self._leave(worker)

    def put_tokens(self, count: int) -> None:
        """Put retire tokens; workers that are idle take them at once."""
        self.tokens += count
        for worker in list(self.workers.values()):
            self._take_token(worker)

    def take_tokens(self, count: int) -> None:
        """Take back tokens that still lie there."""
        self.tokens -= min(count, self.tokens)

    def run(
        self,
        look: Callable[["SimulatedCluster"], float],
        *,
        progress: Callable[[float], None] = lambda _: None,
    ) -> Outcome:
        """Play the trace; `look` acts and returns the seconds until it wants to look again.

        `progress` is told the part that is done. `UnfinishedError` if the jobs never get finished.
        """
        self._schedule_arrivals()
        end = self._trace.seconds + TAIL_SECONDS
        spacing = end / POINTS
        jobs = len(self._arrived)
        self._at(0.0, _Event.LOOK, None)
        while self._events:
            time, _, event, subject = heappop(self._events)
            if self._deleted == jobs and time > (end := max(end, self._last_finish + TAIL_SECONDS)):
                break
            if time > self._trace.seconds + PATIENCE_SECONDS:
                raise UnfinishedError(self._never_finished())
            # Nothing has changed since the last event: it was like this at every point between.
            while (moment := len(self._points) * spacing) < time:
                self._points.append(self._point(moment))
                progress(min(1.0, moment / end))
            self.now = time
            if event is _Event.LOOK:
                self._at(time + look(self), _Event.LOOK, None)
            else:
                self._handle(event, subject)
        return self._outcome(end)

    def _schedule_arrivals(self) -> None:
        number = 0
        for item in self._trace.arrivals:
            self._at(item.time, _Event.ARRIVE, (number, item.jobs))
            number += item.jobs

    def _at(self, time: float, event: _Event, subject: object) -> None:
        self._sequence += 1
        heappush(self._events, (time, self._sequence, event, subject))

    def _handle(self, event: _Event, subject: object) -> None:
        match event, subject:
            case _Event.ARRIVE, (int(first), int(count)):
                self._total += count
                for job in range(first, first + count):
                    heappush(self._ready, job)
                self._hand_out()
            case _Event.FINISH, (Worker() as worker, int(job)):
                self._finish(worker, job)
            case _Event.READY, Worker() as worker if not worker.ended:
                self._become_ready(worker)
            case _Event.LEFT, Worker() as worker:
                self._end(worker)
            case _Event.GRACE, Worker() as worker if not worker.ended:
                self._interrupt(worker)

    def _become_ready(self, worker: Worker) -> None:
        worker.ready_time = self.now
        self._idle.extend([worker] * (1 if worker.single else self.settings.slots))
        self._hand_out()
        if worker.single and not worker.running:
            self._end(worker)
        elif worker.stopping:
            self._leave(worker)
        else:
            self._take_token(worker)

    def _hand_out(self) -> None:
        """Give ready jobs to free slots; the slot that waited longest comes first."""
        while self._ready and self._idle:
            worker = self._idle.popleft()
            if worker.ended or worker.stopping or worker.leaving:
                continue
            job = heappop(self._ready)
            self._reserved += 1
            if not self._started[job]:
                self._started[job] = True
                self.waits.append(self.now - self._arrived[job])
            worker.running[job] = self.now
            self._at(self.now + self._lengths[job], _Event.FINISH, (worker, job))

    def _finish(self, worker: Worker, job: int) -> None:
        if job not in worker.running:
            return  # it was interrupted
        self._busy_seconds += self.now - worker.running.pop(job)
        self._reserved -= 1
        self._deleted += 1
        self._last_finish = self.now
        if worker.single:
            self._end(worker)
            return
        self._idle.append(worker)
        self._hand_out()
        if worker.running:
            return
        if worker.stopping and worker.number in self.workers:
            self._leave(worker)
        elif worker.stopping:
            self._end(worker)
        else:
            self._take_token(worker)

    def _interrupt(self, worker: Worker) -> None:
        for job, began in worker.running.items():
            self._busy_seconds += self.now - began
            self._reserved -= 1
            self.interrupted += 1
            heappush(self._ready, job)
        worker.running.clear()
        self._end(worker)
        self._hand_out()

    def _take_token(self, worker: Worker) -> None:
        idle = worker.ready_time is not None and not worker.running
        if self.tokens and idle and not worker.leaving and not worker.stopping:
            self.tokens -= 1
            self._leave(worker)

    def _leave(self, worker: Worker) -> None:
        if worker.ready_time is None:
            return  # it is told when it is ready
        worker.leaving = True
        self._at(self.now + EXIT_SECONDS, _Event.LEFT, worker)

    def _end(self, worker: Worker) -> None:
        if worker.ended:
            return
        worker.ended = True
        self.workers.pop(worker.number, None)
        self._existing -= 1
        self._lives += self.now

    def _point(self, time: float) -> Point:
        return Point(time, self._existing, len(self._ready), self._reserved)

    def _never_finished(self) -> str:
        left = len(self._arrived) - self._deleted
        return (
            f"{left} of {len(self._arrived)} jobs of trace {self._trace.name} are not finished "
            f"{PATIENCE_SECONDS / 86400:g} days after its end: is maxReplicas too small?"
        )

    def _outcome(self, end: float) -> Outcome:
        self.now = max(end, self.now)
        return Outcome(
            latencies=tuple(sorted(self.waits)),
            worker_seconds=self.worker_seconds,
            busy_seconds=self._busy_seconds,
            interrupted=self.interrupted,
            peak_workers=self._peak,
            finished=self._deleted,
            points=tuple(self._points),
        )
