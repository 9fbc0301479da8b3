"""Metrics of what is there, and of nothing else."""

from zerog_operator.metrics import Metrics


def test_nothing_is_said_any_more_of_a_pool_that_is_gone() -> None:
    metrics = Metrics()
    metrics.desired.labels("a", "media").set(3)
    metrics.unserved.labels("a", "media").set(1)
    metrics.starts_in_time.labels("a", "media").set(0.5)
    metrics.worker_seconds.labels("a", "media", "busy").inc(5)
    metrics.queue.labels("a", "media", "ready").set(3)
    metrics.queue.labels("b", "media", "ready").set(4)

    metrics.forget("a", "media")

    assert metrics.registry.get_sample_value(
        "zerog_queue_entries", {"namespace": "b", "pool": "media", "state": "ready"}
    )
    assert not [
        sample
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.labels.get("namespace") == "a"
    ]
