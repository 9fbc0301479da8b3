"""Pods are marked while their workers are known to be busy, and nothing that is unknown counts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.store.memory import MemoryDatastore

from zerog.ledger.workers import GONE_SECONDS, Observer
from zerog.model.documents import RunningJob, WorkerDocument, write
from zerog.model.errors import DatastoreUnavailableError
from zerog.model.record import new_job_id
from zerog_operator import names
from zerog_operator.cluster import CallError
from zerog_operator.inventory import Inventory
from zerog_operator.marking import (
    BUSY_SECONDS,
    LOOK_SECONDS,
    MARKS,
    MAX_PATCHES,
    REFUSED_SECONDS,
    Busyness,
    Marker,
    busy_pods,
    choose_changes,
)
from zerog_operator.model import WorkerPod, WorkerState
from zerog_operator.pods import PodFacts

#: Of a clock that nobody else has.
THEN = datetime(1999, 1, 1, tzinfo=UTC)


def worker(name: str, *running_seconds: float, pod: str | None = "") -> WorkerDocument:
    """Return the document of a worker whose jobs run for so long."""
    jobs = [
        RunningJob(new_job_id(), "Noop", slot, 1, THEN - timedelta(seconds=seconds))
        for slot, seconds in enumerate(running_seconds)
    ]
    return WorkerDocument(
        name=name, queues=["media"], types=[], slots=2, running=jobs, state="running",
        started_time=THEN, updated_time=THEN, beat=1, pod=name if pod == "" else pod,
    )  # fmt: skip


def pod(
    name: str,
    marks: dict[str, str] | None,
    state: WorkerState = WorkerState.READY,
    role: str = names.ROLE_WORKER,
) -> tuple[str, PodFacts]:
    facts = PodFacts(
        WorkerPod(name, f"uid-{name}", "1", 0.0, state, "t"), role, "Running", False, None,
        marks=marks,
    )  # fmt: skip
    return "team", facts


@pytest.mark.parametrize(
    ("workers", "known"),
    [
        ([worker("a")], {"a": False}),
        ([worker("a", BUSY_SECONDS)], {"a": True}),
        ([worker("a", 1.0, BUSY_SECONDS)], {"a": True}),
        # Not yet busy, but not idle: one that goes from job to job keeps its marks.
        ([worker("a", BUSY_SECONDS - 1)], {}),
        ([worker("a", BUSY_SECONDS, pod=None)], {}),
        # A process that was started again under another name, in the same pod.
        ([worker("a"), worker("a2", BUSY_SECONDS, pod="a")], {"a": True}),
        ([worker("a"), worker("a2", 1.0, pod="a")], {}),
    ],
)
def test_a_worker_is_busy_by_its_own_clock(
    workers: list[WorkerDocument], known: dict[str, bool]
) -> None:
    assert busy_pods(workers) == known


@pytest.mark.parametrize(
    ("marks", "busy", "changed"),
    [
        ({}, True, True),
        (dict(MARKS), True, False),
        ({names.KARPENTER_MARK: "true"}, True, True),
        ({}, False, False),
        (dict(MARKS), False, True),
        ({names.AUTOSCALER_MARK: "false"}, False, True),
        # Nobody knows.
        ({}, None, False),
        (dict(MARKS), None, False),
        # The template decides.
        (None, True, False),
        (None, False, False),
    ],
)
def test_a_pod_is_patched_only_where_it_differs_from_what_is_known(
    marks: dict[str, str] | None, busy: bool | None, changed: bool
) -> None:
    known = {} if busy is None else {"a": busy}

    assert bool(choose_changes([pod("a", marks)], known)) is changed


def test_only_workers_that_may_run_a_job_are_marked_and_idle_ones_come_last() -> None:
    pods = [
        pod("idle", dict(MARKS)),
        pod("ending", {}, WorkerState.ENDING),
        pod("describe", {}, role=names.ROLE_DESCRIBE),
        pod("retiring", {}, WorkerState.RETIRING),
    ]
    known = {"idle": False, "ending": True, "describe": True, "retiring": True}

    chosen = [change.facts.worker.name for change in choose_changes(pods, known)]

    assert chosen == ["retiring", "idle"]


class Beating:
    """A datastore to which a worker beats."""

    def __init__(self, *running_seconds: float) -> None:
        self.store = MemoryDatastore()
        self._document = worker("a", *running_seconds)

    async def beat(self) -> None:
        """Write the worker's next beat."""
        self._document = replace(self._document, beat=self._document.beat + 1)
        await self.store.upsert("workers", "a", write(self._document), expire_seconds=3600)


async def test_what_is_known_is_of_a_worker_that_was_seen_to_beat() -> None:
    beating, busyness = Beating(BUSY_SECONDS), Busyness(Observer())
    await beating.beat()
    await busyness.work(beating.store, 0.0)
    before = dict(busyness.known(0.0))

    await beating.beat()
    await busyness.work(beating.store, LOOK_SECONDS - 1)  # too soon: nothing is read
    early = dict(busyness.known(LOOK_SECONDS - 1))
    await busyness.work(beating.store, LOOK_SECONDS)

    assert (before, early) == ({}, {})
    assert busyness.known(LOOK_SECONDS) == {"a": True}


async def test_what_was_read_long_ago_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    beating, busyness = Beating(), Busyness(Observer())
    for number in range(2):
        await beating.beat()
        await busyness.work(beating.store, number * LOOK_SECONDS)
    assert busyness.known(LOOK_SECONDS) == {"a": False}

    async def refuse(*_: object, **__: object) -> None:
        raise DatastoreUnavailableError("away")

    monkeypatch.setattr(beating.store, "scan", refuse)
    with pytest.raises(DatastoreUnavailableError):
        await busyness.work(beating.store, 2 * LOOK_SECONDS)

    assert busyness.known(LOOK_SECONDS + GONE_SECONDS) == {}


async def test_a_worker_that_is_silent_is_unknown() -> None:
    beating, busyness = Beating(), Busyness(Observer())
    for number in range(2):
        await beating.beat()
        await busyness.work(beating.store, number * LOOK_SECONDS)

    now = LOOK_SECONDS + GONE_SECONDS
    await busyness.work(beating.store, now)

    assert busyness.known(now) == {}


@dataclass
class Scene:
    """Pods, what is known of them, and an API server that notes the patches."""

    pods: list[tuple[str, PodFacts]]
    busy: dict[str, bool]
    error: CallError | None = None
    patched: list[tuple[str, str, dict[str, str | None]]] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)

    async def annotate_pod(
        self, namespace: str, name: str, *, uid: str, annotations: dict[str, str | None]
    ) -> dict[str, Any] | None:
        """Take a patch."""
        assert (namespace, uid) == ("team", f"uid-{name}")
        self.patched.append((namespace, name, annotations))
        if self.error is not None:
            raise self.error
        return {"name": name}

    def placed(self) -> Iterator[tuple[str, PodFacts]]:
        """Yield the pods."""
        return iter(self.pods)

    def put(self, body: dict[str, Any]) -> None:
        """Take a sighting."""
        self.seen.append(body)

    def known(self, _: float) -> dict[str, bool]:
        """Return who is busy."""
        return self.busy

    def marker(self) -> Marker:
        """Return what is tested."""
        scene: Any = self
        return Marker(scene, scene, scene)


async def test_marks_are_set_and_removed_and_the_answer_is_seen() -> None:
    scene = Scene([pod("a", {}), pod("b", dict(MARKS))], {"a": True, "b": False})

    await scene.marker().look(0.0)

    assert scene.patched == [
        ("team", "a", dict(MARKS)),
        ("team", "b", dict.fromkeys(MARKS)),
    ]
    assert scene.seen == [{"name": "a"}, {"name": "b"}]


async def test_a_look_patches_so_many_pods_at_most() -> None:
    count = MAX_PATCHES + 1
    scene = Scene([pod(f"p{n}", {}) for n in range(count)], {f"p{n}": True for n in range(count)})

    await scene.marker().look(0.0)

    assert len(scene.patched) == MAX_PATCHES


async def test_a_look_ends_when_the_api_server_is_away_and_the_next_one_tries_again() -> None:
    count = MAX_PATCHES
    scene = Scene([pod(f"p{n}", {}) for n in range(count)], {f"p{n}": True for n in range(count)})
    scene.error = CallError(0, "Unreachable", "no answer")
    marker = scene.marker()

    await marker.look(0.0)
    first = len(scene.patched)
    scene.error = None
    await marker.look(LOOK_SECONDS)

    assert first < count
    assert len(scene.patched) == first + count


async def test_a_pod_whose_patch_was_refused_keeps_no_other_from_its_own() -> None:
    scene = Scene([pod("a", {})], {"a": True, "b": True}, CallError(403, "Forbidden", "no"))
    marker = scene.marker()
    await marker.look(0.0)
    scene.pods.append(pod("b", {}))
    scene.error = None

    await marker.look(LOOK_SECONDS)
    await marker.look(REFUSED_SECONDS)

    assert [name for _, name, _ in scene.patched] == ["a", "b", "a", "b"]


def test_the_inventory_sees_which_marks_a_pod_has() -> None:
    inventory = Inventory()
    owner = {"apiVersion": f"{names.GROUP}/{names.VERSION}", "kind": names.KIND, "uid": "pool",
             "controller": True}  # fmt: skip
    given = {
        "plain": {"other": "x"},
        "marked": {**MARKS, "other": "x"},
        "decided": {names.KARPENTER_MARK: "true", names.MARKED_BY: "template"},
    }
    for name, annotations in given.items():
        metadata = {
            "name": name, "uid": name, "namespace": "team", "resourceVersion": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z", "ownerReferences": [owner],
            "annotations": annotations,
        }  # fmt: skip
        inventory.put({"metadata": metadata})

    found = {facts.worker.name: facts.marks for _, facts in inventory.placed()}

    assert found == {"plain": {}, "marked": dict(MARKS), "decided": None}
