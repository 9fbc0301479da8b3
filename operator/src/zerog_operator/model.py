"""What the operator knows and what it decides: the words between observe, decide and apply.

    observe ──Observation──▶ decide(spec, observation, history, now) ──Decision──▶ apply

Plain values only: no kopf, no Kubernetes client, no clock. `observe` parses what servers say
into these at once; `apply` carries a `Decision` out; everything between is pure.

The invariant: *unknown is not zero*. What could not be read is an `Unknown` with a reason, never
an empty list and never a zero, and a decision made on it changes nothing.

All times are seconds of one wall clock as plain numbers (Unix time in the operator, virtual
time in the simulator), so that the same decision runs in both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something could not be read. It stands where the value would stand."""

    #: CamelCase, for the condition's reason: "QueueUnreachable", "ListFailed".
    reason: str
    #: What the server or the client said, for people.
    message: str = ""


@dataclass(frozen=True, slots=True)
class QueueReading:
    """The queue's tube and the pool's retire tube, read at one moment.

    A tube that does not exist reads as zeros. The counters are beanstalkd's own and start
    anew when a tube is made anew (which happens whenever nobody used it) or the server restarts.
    """

    #: When it was read.
    time: float
    ready: int = 0
    reserved: int = 0
    delayed: int = 0
    buried: int = 0
    #: Connections that wait for an entry: idle slots.
    waiting: int = 0
    #: `total-jobs`: entries ever put into this tube.
    total: int = 0
    #: `cmd-delete`: entries ever deleted from this tube.
    deleted: int = 0
    #: Retire tokens that lie on the pool's retire tube (ready or reserved).
    tokens: int = 0
    #: Random per start of the server; another one means that the server was restarted.
    server: str = ""

    @property
    def depth(self) -> int:
        """Entries that a worker holds or could hold now."""
        return self.ready + self.reserved


class WorkerState(StrEnum):
    """What can be expected of a worker pod."""

    #: No node takes it yet, or a scheduling gate holds it back. Node autoscalers buy nodes for such
    #: pods and Kueue keeps them in line, so it is coming; another pod would not come sooner.
    WAITING_FOR_NODE = "waiting-for-node"
    #: Created, not ready yet, nothing wrong with it.
    STARTING = "starting"
    #: Takes jobs; whether it runs one now is for the worker alone to say.
    READY = "ready"
    #: Was told by name to retire, or was ready and is not any more: may run a job, takes none.
    RETIRING = "retiring"
    #: Is being deleted, or its process has ended.
    ENDING = "ending"
    #: Not ready, and the cluster says why it will not be soon.
    NOT_COMING = "not-coming"


#: Why the scheduler has no node for a pod: there is no room, or a gate holds it back. Another pod
#: in its place would fare no better, and would be the last in the line.
NODE_REASONS = frozenset({"Unschedulable", "SchedulingGated"})


@dataclass(frozen=True, slots=True)
class WorkerPod:
    """A pod of the pool."""

    name: str
    uid: str
    #: The precondition of a delete: a pod that changed since is not deleted.
    resource_version: str
    #: `metadata.creationTimestamp`.
    created: float
    state: WorkerState
    #: The hash of the template it was made from: see `PoolSpec.template_hash`.
    template: str
    #: When it got its node; None if it has none, or that is not known.
    scheduled_since: float | None = None
    #: When it became ready; None if it never was, or that is not known.
    ready_since: float | None = None
    node: str | None = None
    #: Its node is cordoned or about to go: the pod shall be replaced while there is time.
    node_draining: bool = False
    #: With WAITING_FOR_NODE: the scheduler's reason, "Unschedulable" or "SchedulingGated".
    #: With NOT_COMING: the cluster's own reason, "ImagePullBackOff", …, or the scheduler's.
    #: With ENDING: "Completed" if its process ended as it should.
    reason: str = ""
    #: The message that belongs to the reason, word by word.
    message: str = ""


@dataclass(frozen=True, slots=True)
class Workers:
    """The pods of a pool, all of them: a complete list, not an update."""

    pods: tuple[WorkerPod, ...] = ()

    def of(self, *states: WorkerState) -> tuple[WorkerPod, ...]:
        """Return the pods in any of the states."""
        return tuple(pod for pod in self.pods if pod.state in states)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no pod of the current template can be created now, in the cluster's own words."""

    #: CamelCase: "QuotaExceeded", "AdmissionDenied", "ServiceAccountMissing", "ImageNotChecked".
    reason: str
    message: str = ""
    #: True: creating is pointless until this is gone from the observation (an image that is not
    #: checked yet). False: the last attempt was refused; try again, backing off.
    final: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """Whether a queue is paused."""

    paused: bool
    #: Since when, by whom and why: a part of a sentence.
    told: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the datastore says of a queue. None: unknown."""

    pause: Pause | None = None
    #: The counts of the last hour, see `zerog.ledger.counts`; the same by job type.
    hour: Mapping[str, int] | None = None
    types: Mapping[str, dict[str, int]] | None = None
    #: Job types with open jobs that no worker of the queue knows.
    unserved: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that a decision stands on besides the pool's spec."""

    queue: QueueReading | Unknown
    workers: Workers | Unknown
    #: Set while the last attempt to create a pod was refused, or none may be made.
    refusal: Refusal | None = None
    #: When the next delayed jobs of the queue fall due, in ascending order, by the look's clock.
    #: None: unknown, also without a datastore; then they are seen when they are due.
    due: tuple[float, ...] | None = None
    #: By how much the look's clock is ahead of the wall clock, which windows go by.
    ahead_seconds: float = 0.0
    #: What the datastore says of the queue. Only a pause decides anything: of unserved types,
    #: another worker of the same image would not know them either.
    facts: Facts = field(default_factory=Facts)


class LimitedBy(StrEnum):
    """What kept a decision from being what the load asks for (`status.lastDecision.limitedBy`)."""

    MAX_REPLICAS = "maxReplicas"
    MIN_REPLICAS = "minReplicas"
    SCALE_DOWN_DELAY = "scaleDownDelaySeconds"
    STOP_POLICY = "stopPolicy"
    #: The queue is paused: no worker is added for jobs that nobody may start.
    PAUSED = "pausedQueue"
    #: More pods are wanted than may be created at once.
    CREATION_BUDGET = "creationBudget"
    #: Pods do not come or are refused: creation backs off.
    BACKOFF = "backoff"
    #: Queue or workers could not be read: nothing is changed.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rates:
    """What was measured of the queue, for the decision and for `status.queue`."""

    #: Entries that became ready for the first time, per second. None: not measured yet.
    arrivals_per_second: float | None = None
    #: Jobs that were finished, per second.
    departures_per_second: float | None = None
    #: How long a job holds a slot, measured or believed.
    job_seconds: float = 0.0
    #: False: `job_seconds` is the pool's `expectedJobSeconds`.
    job_seconds_measured: bool = False
    #: Entries that certainly are ready for longer than the pool's target.
    late: int = 0
    #: From a pod's scheduling to its readiness, measured or believed.
    pod_start_seconds: float = 0.0
    #: From a pod's creation to its scheduling, as measured of the latest ones.
    node_wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done now. Doing it twice does no harm, doing a part of it neither."""

    #: Workers wanted (`status.desiredReplicas`), not counting those that are retiring.
    replicas: int
    #: A sentence for people (`status.lastDecision.reason`).
    reason: str
    limited_by: LimitedBy | None = None
    #: Pods of the current template to create.
    create: int = 0
    #: Pods to delete, never ready ones, each with its uid and resourceVersion as precondition.
    delete: tuple[WorkerPod, ...] = ()
    #: Retire tokens to put on the pool's retire tube …
    tokens_to_put: int = 0
    #: … or to take back from it (as many of them as still lie there).
    tokens_to_take: int = 0
    #: Ready pods to retire by name: they finish what they run.
    retire: tuple[WorkerPod, ...] = ()
    #: Workers that were told by name, now or before, and are still there.
    retiring: int = 0
    #: Until the next observation, at most.
    next_check_seconds: float = 1.0
    rates: Rates = field(default_factory=Rates)

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to do."""
        return not (
            self.create or self.delete or self.tokens_to_put or self.tokens_to_take or self.retire
        )
