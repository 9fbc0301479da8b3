"""Every metric is documented, and every one that is documented is there."""

import re
from pathlib import Path

from zerog_operator.metrics import Metrics

PAGE = Path(__file__).parents[3] / "docs/reference/metrics.md"


def test_the_page_of_metrics_names_what_there_is_and_its_labels() -> None:
    rows = re.findall(r"^\| `(zerog_\w+)` \|([^|]*)\|", PAGE.read_text(), re.M)
    documented = {
        name: {word for word in re.split(r"[ ,]+", labels) if word} for name, labels in rows
    }
    metrics = Metrics()
    found = {}
    for metric in vars(metrics).values():
        if metric is metrics.registry:
            continue
        labels = set(metric._labelnames)
        if "namespace" in labels:
            labels.remove("namespace")
        suffix = "_total" if metric._type == "counter" else ""
        found[metric._name + suffix] = labels

    assert documented == found


def test_nothing_is_said_any_more_of_a_pool_that_is_gone() -> None:
    metrics = Metrics()
    metrics.desired.labels("a", "media").set(3)
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
