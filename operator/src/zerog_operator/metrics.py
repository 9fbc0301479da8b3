"""What Prometheus sees: `zerog_<noun>_<unit>`, pools labelled by namespace and name."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_POOL = ("namespace", "pool")


class Metrics:
    """The operator's metrics, in a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._of_pools: list[Gauge | Counter] = []
        self._add_state()
        self._add_service()
        self._add_deeds()
        self.interrupted = Counter(
            "zerog_busy_worker_interrupted",
            "Busy workers that scaling or a rollout has stopped: stays 0.",
            registry=registry,
        )
        self.reconcile = Histogram(
            "zerog_reconcile_seconds",
            "Time of one look at a pool.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )
        self.reaction = Histogram(
            "zerog_reaction_seconds",
            "From the reading that shows work to the pods' creation.",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=registry,
        )
        self.api_errors = Counter(
            "zerog_api_errors", "Calls that the API server refused or did not answer.", ("call",),
            registry=registry,
        )  # fmt: skip
        self.leader = Gauge(
            "zerog_operator_active", "1 while this replica acts.", registry=registry
        )

    def forget(self, namespace: str, pool: str) -> None:
        """Drop what is said of a pool that is gone."""
        for metric in self._of_pools:
            metric.remove_by_labels({"namespace": namespace, "pool": pool})

    def _add_state(self) -> None:
        """Add what a look has seen."""
        self.queue = self._gauge(
            "zerog_queue_entries", "Entries of the pool's queue by state.", "state"
        )
        self.workers = self._gauge("zerog_workers", "Worker pods by state.", "state")
        self.desired = self._gauge(
            "zerog_desired_workers", "Workers that the last decision asks for."
        )
        self.unserved = self._gauge(
            "zerog_pool_unserved_types",
            "Job types with open jobs that no worker of the pool's queue knows.",
        )
        self.paused = self._gauge("zerog_pool_paused", "1 while the pool's queue is paused.")

    def _add_service(self) -> None:
        """Add how jobs and workers fare."""
        self.start_target = self._gauge(
            "zerog_pool_start_target_seconds",
            "Within how many seconds the pool's jobs should start: targetStartSeconds.",
        )
        self.starts_in_time = self._gauge(
            "zerog_pool_starts_in_time_ratio",
            "Share of the jobs of the queue that started within the target in the last hour.",
        )
        self.start_p95 = self._gauge(
            "zerog_pool_start_p95_seconds",
            "What 95 in 100 jobs of the queue that started in the last hour waited at most.",
        )
        self.ended = self._gauge(
            "zerog_pool_jobs_ended_last_hour",
            "Jobs of the pool's queue that ended in the last hour.",
            "outcome",
        )
        self.type_seconds = self._gauge(
            "zerog_pool_type_busy_seconds_last_hour",
            "Seconds that attempts of a type ran that ended in the last hour, in the pool's queue.",
            "type",
        )
        self.worker_seconds = self._counter(
            "zerog_worker_seconds",
            "Seconds that the pool's workers spent, busy as far as jobs held their slots.",
            "state",
        )

    def _add_deeds(self) -> None:
        """Add what the operator did, and what became of workers."""
        self.decisions = self._counter(
            "zerog_decisions", "Decisions that changed the wanted number.", "direction"
        )
        self.pods = self._counter("zerog_pods", "Pods created, deleted, retired.", "action")
        self.endings = self._counter("zerog_worker_endings", "Ends of workers by cause.", "cause")

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        gauge = Gauge(name, meaning, (*_POOL, *labels), registry=self.registry)
        self._of_pools.append(gauge)
        return gauge

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        counter = Counter(name, meaning, (*_POOL, *labels), registry=self.registry)
        self._of_pools.append(counter)
        return counter
