"""What a Pod object says: whether its worker is there, will come, or why it ended."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from zerog_operator.model import WorkerState
from zerog_operator.pods import LATE_SECONDS, parse_departed, parse_pod

TIME = "2026-01-01T00:00:00Z"
#: Longer than a start may take.
NODE_WAIT = 600.0


def pod(status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "media-1",
            "uid": "u1",
            "resourceVersion": "7",
            "creationTimestamp": TIME,
            "labels": {"zerog.dev/role": "worker", "zerog.dev/template": "t1"},
            **metadata,
        },
        "spec": {},
        "status": status,
    }


def ready(status: str, time: str = TIME) -> dict[str, Any]:
    return {"type": "Ready", "status": status, "lastTransitionTime": time}


def running(since: str) -> list[dict[str, Any]]:
    return container(state={"running": {"startedAt": since}})


def container(**state: Any) -> list[dict[str, Any]]:
    return [{"name": "worker", "restartCount": 1, **state}]


def waiting(reason: str) -> list[dict[str, Any]]:
    return container(state={"waiting": {"reason": reason, "message": "as it says"}})


def unscheduled(reason: str) -> dict[str, Any]:
    message = "0/1 nodes are available"
    return {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}


def scheduled(time: str) -> dict[str, Any]:
    return {"type": "PodScheduled", "status": "True", "lastTransitionTime": time}


@pytest.mark.parametrize(
    ("status", "metadata", "state"),
    [
        ({}, {}, WorkerState.STARTING),
        ({"phase": "Pending"}, {}, WorkerState.STARTING),
        ({"phase": "Running", "conditions": [ready("False")]}, {}, WorkerState.STARTING),
        ({"phase": "Running", "conditions": [ready("True")]}, {}, WorkerState.READY),
        (
            {"phase": "Running", "conditions": [ready("True")]},
            {"deletionTimestamp": TIME},
            WorkerState.ENDING,
        ),
        ({"phase": "Succeeded"}, {}, WorkerState.ENDING),
        ({"phase": "Failed"}, {}, WorkerState.ENDING),
        ({"containerStatuses": waiting("ImagePullBackOff")}, {}, WorkerState.NOT_COMING),
        ({"containerStatuses": waiting("CrashLoopBackOff")}, {}, WorkerState.NOT_COMING),
        ({"containerStatuses": waiting("ContainerCreating")}, {}, WorkerState.STARTING),
        ({"conditions": [unscheduled("Unschedulable")]}, {}, WorkerState.WAITING_FOR_NODE),
        ({"conditions": [unscheduled("SchedulingGated")]}, {}, WorkerState.WAITING_FOR_NODE),
        ({"conditions": [unscheduled("SchedulerError")]}, {}, WorkerState.NOT_COMING),
        ({"conditions": [scheduled(TIME)]}, {}, WorkerState.STARTING),
    ],
)
def test_the_state_of_a_pod(
    status: dict[str, Any], metadata: dict[str, Any], state: WorkerState
) -> None:
    assert parse_pod(pod(status, **metadata)).worker.state is state


BEFORE, AFTER = "2025-12-31T23:59:59Z", "2026-01-01T00:00:01Z"


@pytest.mark.parametrize(
    ("started", "unready", "state"),
    [
        # Not ready since its pod was made: it is on its way.
        (TIME, BEFORE, WorkerState.STARTING),
        (TIME, TIME, WorkerState.STARTING),
        # Not ready any more: it drains or is too busy to answer, and may run a job.
        (TIME, AFTER, WorkerState.RETIRING),
        # Not ready since its process before this one ended.
        (AFTER, TIME, WorkerState.STARTING),
    ],
)
def test_a_worker_that_was_ready_may_run_a_job(
    started: str, unready: str, state: WorkerState
) -> None:
    status = {
        "phase": "Running",
        "conditions": [ready("False", unready)],
        "containerStatuses": running(started),
    }

    assert parse_pod(pod(status)).worker.state is state


def test_a_pod_that_does_not_get_ready_is_not_coming_after_a_while() -> None:
    facts = parse_pod(pod({"phase": "Pending", "conditions": [ready("False", AFTER)]}))
    since = datetime.fromisoformat(AFTER).timestamp()

    soon, late = (
        facts.worker_at(since + seconds, NODE_WAIT) for seconds in (LATE_SECONDS - 1, LATE_SECONDS)
    )

    assert soon.state is WorkerState.STARTING
    assert (late.state, late.reason) == (WorkerState.NOT_COMING, "NotReady")
    assert "Pending" in late.message


def test_a_ready_pod_is_never_late() -> None:
    facts = parse_pod(pod({"phase": "Running", "conditions": [ready("True")]}))

    assert facts.worker_at(facts.worker.created + 1e6, NODE_WAIT).state is WorkerState.READY


@pytest.mark.parametrize("reason", ["Unschedulable", "SchedulingGated"])
def test_a_pod_waits_for_a_node_as_long_as_the_pool_says_however_late_a_start_would_be(
    reason: str,
) -> None:
    facts = parse_pod(pod({"phase": "Pending", "conditions": [unscheduled(reason)]}))
    created = facts.worker.created

    soon, late = (facts.worker_at(created + at, NODE_WAIT) for at in (NODE_WAIT - 1, NODE_WAIT))

    assert soon.state is WorkerState.WAITING_FOR_NODE
    assert (late.state, late.reason) == (WorkerState.NOT_COMING, reason)
    assert late.message == "0/1 nodes are available"


def test_the_lateness_of_a_start_counts_from_its_scheduling() -> None:
    bound = "2026-01-01T00:09:00Z"
    facts = parse_pod(pod({"phase": "Pending", "conditions": [scheduled(bound), ready("False")]}))
    since = datetime.fromisoformat(bound).timestamp()

    soon, late = (
        facts.worker_at(since + seconds, NODE_WAIT) for seconds in (LATE_SECONDS - 1, LATE_SECONDS)
    )

    assert facts.worker.scheduled_since == since
    assert soon.state is WorkerState.STARTING
    assert late.state is WorkerState.NOT_COMING


def test_the_clusters_own_words_are_kept() -> None:
    worker = parse_pod(pod({"conditions": [unscheduled("Unschedulable")]})).worker

    assert (worker.reason, worker.message) == ("Unschedulable", "0/1 nodes are available")


def test_a_finished_pod_that_is_deleted_already_needs_no_deleting() -> None:
    assert parse_pod(pod({"phase": "Failed"})).finished
    assert not parse_pod(pod({"phase": "Failed"}, deletionTimestamp=TIME)).finished


OOM = {"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": TIME}}
DISRUPTED = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}


@pytest.mark.parametrize(
    ("status", "metadata", "reason", "known_to_be_gone"),
    [
        ({"containerStatuses": container(lastState=OOM)}, {}, "OOMKilled", True),
        ({"containerStatuses": container(state=OOM)}, {}, "OOMKilled", True),
        ({"conditions": [DISRUPTED]}, {}, "EvictionByEvictionAPI", False),
        (
            {"conditions": [DISRUPTED], "containerStatuses": container(state=OOM)},
            {},
            "EvictionByEvictionAPI",
            True,
        ),
        ({"phase": "Failed", "reason": "Evicted"}, {}, "Evicted", False),
        ({"phase": "Failed", "reason": "DeadlineExceeded"}, {}, "DeadlineExceeded", False),
        ({"phase": "Running"}, {"deletionTimestamp": TIME}, "Deleted", False),
    ],
)
def test_why_a_worker_ends(
    status: dict[str, Any], metadata: dict[str, Any], reason: str, known_to_be_gone: bool
) -> None:
    ending = parse_pod(pod(status, **metadata)).ending

    assert ending is not None
    assert ending.reason == reason
    assert (ending.time is not None) is known_to_be_gone


def test_a_worker_that_runs_has_no_ending() -> None:
    assert parse_pod(pod({"phase": "Running", "conditions": [ready("True")]})).ending is None


@pytest.mark.parametrize(("seconds_later", "was_ready"), [(20, True), (3, False), (-2, False)])
def test_a_pod_whose_readiness_was_not_told_before_its_end_was_asked_for_was_not_ready(
    seconds_later: int, was_ready: bool
) -> None:
    # The timestamp is when its grace of an hour will be over.
    deletion = datetime.fromisoformat(TIME) + timedelta(hours=1, seconds=seconds_later)

    facts = parse_pod(
        pod(
            {"phase": "Running", "conditions": [ready("True")]},
            deletionTimestamp=deletion.strftime("%Y-%m-%dT%H:%M:%SZ"),
            deletionGracePeriodSeconds=3600,
        )
    )

    assert facts.worker.state is WorkerState.ENDING
    assert facts.ready is was_ready


def test_a_pod_that_went_without_a_word_was_deleted() -> None:
    gone = parse_departed(pod({"phase": "Running", "conditions": [ready("True")]}))

    assert gone.worker.state is WorkerState.ENDING
    assert gone.ending is not None
    assert (gone.ending.reason, gone.ending.time) == ("Deleted", None)
    assert not gone.finished


def test_every_time_that_expectations_stand_on_is_moved() -> None:
    item = parse_pod(pod({"conditions": [ready("True", "2026-01-01T00:00:09Z")]}))

    moved = item.moved(60)

    assert moved.worker.created == item.worker.created + 60
    assert moved.worker.ready_since == (item.worker.ready_since or 0) + 60
    assert moved.waiting_since == item.waiting_since + 60
    assert replace(moved, worker=item.worker, waiting_since=item.waiting_since) == item
