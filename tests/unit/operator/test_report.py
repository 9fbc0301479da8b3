"""What is told of a pool, once each, and what waits until it was told."""

from typing import Any

import kopf
import pytest
from tests.store.memory import MemoryDatastore

from zerog.model.errors import ConfigError
from zerog_operator.board import Board
from zerog_operator.causes import CauseRecorder
from zerog_operator.describe import Check
from zerog_operator.metrics import Metrics
from zerog_operator.model import (
    Decision,
    Facts,
    Observation,
    Pause,
    QueueReading,
    Unknown,
    WorkerPod,
    Workers,
    WorkerState,
)
from zerog_operator.observe import Clock, Look
from zerog_operator.pods import Ending, PodFacts
from zerog_operator.pool import OutOfMemory, PoolSpec
from zerog_operator.records import Records
from zerog_operator.report import Outlets, PoolReport, holes
from zerog_operator.resources import PoolIdentity
from zerog_operator.scaling import History

MEDIA = PoolIdentity("team", "media", "u-media")
SPEC = PoolSpec("media", on_out_of_memory=OutOfMemory("media-large"))


class Patched:
    """An API server that takes statuses."""

    def __init__(self) -> None:
        self.statuses: list[dict[str, Any]] = []

    async def patch_status(self, namespace: str, name: str, status: dict[str, Any]) -> None:
        """Take a status."""
        assert (namespace, name) == (MEDIA.namespace, MEDIA.name)
        self.statuses.append(status)


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The reasons of the Events."""
    told: list[str] = []
    monkeypatch.setattr(kopf, "event", lambda _, **said: told.append(said["reason"]))
    return told


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The messages of the Events."""
    told: list[str] = []
    monkeypatch.setattr(kopf, "event", lambda _, **said: told.append(said["message"]))
    return told


@pytest.fixture
def outlets() -> Outlets:
    cluster: Any = Patched()
    records = Records(kept=True)
    return Outlets(cluster, Metrics(), Board(), records, CauseRecorder(), Clock())


def report_on(outlets: Outlets, status: dict[str, Any] | None = None) -> PoolReport:
    return PoolReport(outlets, MEDIA, {"metadata": {"generation": 3}, "status": status})


def ended(name: str, state: WorkerState = WorkerState.ENDING, **facts: Any) -> PodFacts:
    ending = Ending("OOMKilled", "exit code 137", 137, f"{name}/1", 1.0)
    worker = WorkerPod(name, name, "1", 0.0, state, "t")
    return PodFacts(worker, "worker", "Failed", **{"finished": True, "ending": ending, **facts})


def look(*pods: PodFacts, departed: tuple[PodFacts, ...] = ()) -> Look:
    observation = Observation(QueueReading(1.0), Workers(tuple(item.worker for item in pods)))
    return Look(1.0, observation, Check(None), pods, departed)


async def test_a_finished_pod_stays_until_a_datastore_has_heard_why_it_ended(
    outlets: Outlets, events: list[str]
) -> None:
    report, pod = report_on(outlets), ended("a")

    assert report.tell_ends(SPEC, look(pod), History()) == []
    await outlets.records.work(MemoryDatastore(), 0.0)

    assert report.tell_ends(SPEC, look(pod), History()) == [pod]
    assert events == ["WorkerOutOfMemory"]


@pytest.mark.parametrize(
    ("spec", "end"),
    [
        (SPEC, "exit code 137; a job that it ran goes to the queue media-large, once"),
        (PoolSpec("media"), "exit code 137"),
    ],
)
def test_the_event_of_a_worker_without_memory_says_where_its_job_goes(
    outlets: Outlets, messages: list[str], spec: PoolSpec, end: str
) -> None:
    report_on(outlets).tell_ends(spec, look(ended("a")), History())

    assert messages == [f"a: {end}"]


def test_an_end_that_we_asked_for_is_not_told(outlets: Outlets, events: list[str]) -> None:
    pods = ended("a"), ended("b")

    report_on(outlets).tell_ends(
        SPEC, look(pods[0], departed=pods[1:]), History(deleted=frozenset("ab"))
    )

    assert events == []


def test_a_worker_that_was_ready_when_we_deleted_it_counts_once(
    outlets: Outlets, events: list[str]
) -> None:
    report, pod = report_on(outlets), ended("a", ready=True, finished=False)

    for _ in range(2):
        report.tell_ends(SPEC, look(pod), History(deleted=frozenset("a")))

    assert outlets.metrics.registry.get_sample_value("zerog_busy_worker_interrupted_total") == 1
    assert events == []


async def test_an_invalid_spec_is_told_once_and_leaves_the_rest_as_it_was(
    outlets: Outlets, events: list[str]
) -> None:
    paused = {"type": "Paused", "status": "False", "reason": "NotPaused", "message": "",
              "lastTransitionTime": "2026-01-01T00:00:00Z"}  # fmt: skip
    report = report_on(outlets, {"conditions": [paused], "desiredReplicas": 2})

    for _ in range(2):
        await report.tell_invalid(ConfigError("pool media: spec.slots is not a whole number"))

    cluster: Any = outlets.cluster
    (status,) = cluster.statuses
    ready = status["conditions"][0]
    assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "False", "InvalidSpec")
    assert "spec.slots is not a whole number" in ready["message"]
    assert status["conditions"][1:] == [paused]
    assert (status["desiredReplicas"], status["observedGeneration"]) == (2, 3)
    assert events == ["InvalidSpec"]


def counted(outlets: Outlets, state: str) -> float | None:
    labels = {"namespace": MEDIA.namespace, "pool": MEDIA.name, "state": state}
    return outlets.metrics.registry.get_sample_value("zerog_worker_seconds_total", labels)


async def test_worker_seconds_grow_by_what_each_look_sees_and_unknown_time_is_left_out(
    outlets: Outlets, events: list[str]
) -> None:
    spec, report = PoolSpec("media", slots=2), report_on(outlets)
    workers = Workers(tuple(
        WorkerPod(name, name, "1", 0.0, WorkerState.READY, "t") for name in "abc"
    ))  # fmt: skip
    seen = Observation(QueueReading(1.0, reserved=3), workers)
    unknown = Observation(Unknown("QueueUnreachable"), workers)

    for time, observation in ((0.0, seen), (10.0, seen), (60.0, unknown), (90.0, seen)):
        await report.tell(spec, Look(time, observation, Check(None)), Decision(3, "3 workers"))

    assert (counted(outlets, "busy"), counted(outlets, "idle")) == (15.0, 15.0)
    assert events == ["QueueUnreachable", "PoolWorks"]


async def test_a_share_that_is_not_known_any_more_has_no_value(
    outlets: Outlets, events: list[str]
) -> None:
    del events
    spec, report = PoolSpec("media"), report_on(outlets)
    labels = {"namespace": MEDIA.namespace, "pool": MEDIA.name}
    hour = {"started": 4, "w0": 3, "w11": 1, "failed": 2}

    def value(name: str, **more: str) -> float | None:
        return outlets.metrics.registry.get_sample_value(f"zerog_pool_{name}", {**labels, **more})

    async def tell(facts: Facts) -> None:
        observation = Observation(QueueReading(1.0), Workers(), facts=facts)
        await report.tell(spec, Look(1.0, observation, Check(None)), Decision(0, "nothing to do"))

    await tell(Facts(Pause(True), hour))
    assert value("starts_in_time_ratio") == 0.75
    assert value("start_target_seconds") == 10
    assert value("start_p95_seconds") == 3000
    assert value("jobs_ended_last_hour", outcome="failed") == 2
    assert value("paused") == 1

    await tell(Facts())
    assert value("starts_in_time_ratio") is None
    assert value("start_p95_seconds") is None
    assert value("jobs_ended_last_hour", outcome="failed") is None
    assert value("paused") == 1


async def test_both_ends_of_a_pause_are_told_once(outlets: Outlets, events: list[str]) -> None:
    report = report_on(outlets)

    for paused in (False, True, True, False, False):
        facts = Facts(Pause(paused))
        seen = Observation(QueueReading(1.0), Workers(), facts=facts)
        decision = Decision(0, "nothing to do")
        await report.tell(PoolSpec("media"), Look(1.0, seen, Check(None)), decision)

    assert events == ["QueuePaused", "NotPaused"]


def test_a_patch_removes_what_a_status_does_not_say_any_more() -> None:
    before = {
        "slo": {"targetSeconds": 10, "p95Seconds": "3"},
        "usage": {"busySeconds": 5, "hint": "too much"},
        "replicas": 3,
        "conditions": [1],
    }
    status = {"usage": {"busySeconds": 6}, "replicas": 4, "conditions": [2]}

    assert {**status, **holes(before, status)} == {
        "slo": None,
        "usage": {"busySeconds": 6, "hint": None},
        "replicas": 4,
        "conditions": [2],
    }
