"""What Prometheus' own tool says of the metrics and of the chart's alerts."""

import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from tests.chart.promtool import find_promtool

from zerog.ledger.counts import PEAKS, RUNS, WAITS, JobKind
from zerog_api.edge.metrics import Metrics
from zerog_operator.metrics import Metrics as OperatorMetrics

RULES = Path(__file__).parents[2] / "charts" / "zerog" / "files" / "alerts.yaml"
STORIES = Path(__file__).with_name("alerts_test.yaml")


def of_api() -> CollectorRegistry:
    """Return an API's metrics with something in each."""
    metrics = Metrics()
    counts = {"succeeded": 5, WAITS.of(0.2): 7, RUNS.of(1.0): 7, PEAKS.of(1 << 20): 7}
    metrics.note_counts({JobKind("media", "Convert"): counts})
    metrics.note_workers([{"queues": ["media"], "slots": 4, "running": []}])
    metrics.note_waits({"media": 1.0})
    metrics.note_paused(["media"])
    metrics.note_unserved({"media": ["T"]})
    metrics.observe("GET", "/v1/jobs", 200, 0.1)
    return metrics.registry


def of_operator() -> CollectorRegistry:
    """Return an operator's metrics with something in most."""
    metrics = OperatorMetrics()
    metrics.desired.labels("shop", "media").set(1)
    metrics.type_seconds.labels("shop", "media", "Convert").set(1)
    metrics.worker_seconds.labels("shop", "media", "busy").inc()
    return metrics.registry


@pytest.mark.parametrize("registry", [of_api, of_operator])
def test_promtool_finds_nothing_wrong_with_the_metrics(registry: object) -> None:
    text = generate_latest(of_api() if registry is of_api else of_operator())

    found = subprocess.run(
        [find_promtool(), "check", "metrics"], input=text, capture_output=True, timeout=120
    )

    assert (found.returncode, found.stdout + found.stderr) == (0, b"")


def test_promtool_finds_nothing_wrong_with_the_alerts() -> None:
    found = subprocess.run(
        [find_promtool(), "check", "rules", str(RULES)], capture_output=True, timeout=120
    )

    assert found.returncode == 0, found.stderr.decode()


def test_each_alert_has_a_story() -> None:
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    told = STORIES.read_text()

    assert [rule["alert"] for rule in rules if rule["alert"] not in told] == []


def test_alerts_fire_where_they_should(tmp_path: Path) -> None:
    (tmp_path / RULES.name).write_text(RULES.read_text())
    story = tmp_path / "story.yaml"
    story.write_text(STORIES.read_text())

    found = subprocess.run(
        [find_promtool(), "test", "rules", str(story)], capture_output=True, timeout=120
    )

    assert found.returncode == 0, (found.stdout + found.stderr).decode()
