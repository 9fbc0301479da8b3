"""What Prometheus sees: `zerog_<noun>_<unit>`, pools labelled by namespace and name."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_POOL = ("namespace", "pool")


class Metrics:
    """The operator's metrics, in a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.queue = Gauge(
            "zerog_queue_entries",
            "Entries of the pool's queue by state.",
            (*_POOL, "state"),
            registry=registry,
        )
        self.workers = Gauge(
            "zerog_workers", "Worker pods by state.", (*_POOL, "state"), registry=registry
        )
        self.desired = Gauge(
            "zerog_desired_workers", "Workers that the last decision asks for.", _POOL,
            registry=registry,
        )  # fmt: skip
        self.unserved = Gauge(
            "zerog_pool_unserved_types",
            "Job types with open jobs that no worker of the pool's queue knows.",
            _POOL,
            registry=registry,
        )
        self.decisions = Counter(
            "zerog_decisions", "Decisions that changed the wanted number.", (*_POOL, "direction"),
            registry=registry,
        )  # fmt: skip
        self.pods = Counter(
            "zerog_pods", "Pods created, deleted, retired.", (*_POOL, "action"), registry=registry
        )
        self.endings = Counter(
            "zerog_worker_endings", "Ends of workers by cause.", (*_POOL, "cause"),
            registry=registry,
        )  # fmt: skip
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
        here = {"namespace": namespace, "pool": pool}
        for metric in (
            self.queue, self.workers, self.desired, self.unserved, self.decisions, self.pods,
            self.endings,
        ):  # fmt: skip
            metric.remove_by_labels(here)
