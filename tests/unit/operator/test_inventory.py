"""Which pods a pool has: the newest sighting counts, wherever and whenever it comes from."""

import time
from typing import Any

import pytest

from zerog_operator import names
from zerog_operator.inventory import (
    FRESH_SECONDS,
    LIST_SECONDS,
    UNSEEN_SECONDS,
    Inventory,
    pool_of,
)
from zerog_operator.model import Unknown, WorkerPod, WorkerState

POOL, OTHER = "pool-uid", "other-uid"


def pod(uid: str, version: int = 1, pool: str | None = POOL, **spec: Any) -> dict[str, Any]:
    """Return a pod of a pool; None is a foreign one with the same labels."""
    owner = {
        "apiVersion": f"{names.GROUP}/{names.VERSION}",
        "kind": names.KIND,
        "name": "media",
        "uid": pool,
        "controller": True,
    }
    return {
        "metadata": {
            "name": uid,
            "uid": uid,
            "namespace": "n",
            "resourceVersion": str(version),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {names.POOL_LABEL: "media", names.ROLE_LABEL: names.ROLE_WORKER},
            "ownerReferences": [owner] if pool else [],
        },
        "spec": spec,
        "status": {},
    }


def listed(inventory: Inventory, *pods: dict[str, Any], version: int = 100) -> None:
    """Let a list find exactly these."""
    for body in pods:
        inventory.put(body)
    inventory.end_list(None, {body["metadata"]["uid"] for body in pods}, version)
    inventory.complete.set()
    inventory.note_answer(time.monotonic())


def workers(inventory: Inventory, pool: str = POOL) -> list[WorkerPod]:
    found = inventory.of(pool)
    assert not isinstance(found, Unknown), found
    return [facts.worker for facts in found]


def uids(inventory: Inventory, pool: str = POOL) -> list[str]:
    return [worker.uid for worker in workers(inventory, pool)]


def states(inventory: Inventory) -> list[WorkerState]:
    return [worker.state for worker in workers(inventory)]


@pytest.fixture
def inventory() -> Inventory:
    """An inventory that is complete and knows no pod."""
    made = Inventory()
    listed(made, version=0)
    return made


def test_before_the_first_list_nobody_knows_anything() -> None:
    inventory = Inventory()
    inventory.put(pod("a"), watched=True)
    inventory.note_trouble("pods is forbidden")

    assert inventory.of(POOL) == Unknown("PodsNotListed", "pods is forbidden")


def test_what_was_seen_long_before_the_last_answer_is_unknown(inventory: Inventory) -> None:
    inventory.note_trouble("connection refused")
    inventory.note_answer(time.monotonic() - FRESH_SECONDS - 1)

    found = inventory.of(POOL)

    assert isinstance(found, Unknown)
    assert found.reason == "ApiServerUnreachable"
    assert "connection refused" in found.message


@pytest.mark.parametrize(
    "change",
    [
        {"ownerReferences": []},
        {"ownerReferences": None},
        {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": POOL}]},
        {"ownerReferences": [{**pod("a")["metadata"]["ownerReferences"][0], "controller": False}]},
        {"ownerReferences": [{**pod("a")["metadata"]["ownerReferences"][0],
                              "apiVersion": "example.com/v1"}]},
    ],
)  # fmt: skip
def test_a_pod_with_our_labels_and_another_owner_is_not_ours(
    inventory: Inventory, change: dict[str, Any]
) -> None:
    body = pod("a")
    body["metadata"] |= change

    inventory.put(body, watched=True)

    assert pool_of(body) is None
    assert uids(inventory) == []


def test_a_pool_of_the_same_name_that_came_later_does_not_own_the_pods(
    inventory: Inventory,
) -> None:
    inventory.put(pod("a"), watched=True)

    assert uids(inventory) == ["a"]
    assert uids(inventory, OTHER) == []


def test_a_created_pod_is_there_once_before_and_after_the_watch_shows_it(
    inventory: Inventory,
) -> None:
    inventory.put(pod("a", 5))
    assert uids(inventory) == ["a"]

    inventory.put(pod("a", 5), watched=True)
    inventory.put(pod("a", 6), watched=True)

    assert uids(inventory) == ["a"]


def test_a_created_pod_whose_end_was_watched_before_its_creation_was_answered_is_gone(
    inventory: Inventory,
) -> None:
    inventory.remove(pod("a", 7))

    inventory.put(pod("a", 5))

    assert uids(inventory) == []


def test_an_older_sighting_that_comes_later_changes_nothing(inventory: Inventory) -> None:
    ready = pod("a", 6)
    ready["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
    inventory.put(ready, watched=True)

    listed(inventory, pod("a", 5), version=5)

    assert states(inventory) == [WorkerState.READY]


def test_a_list_shows_changes_that_a_silent_watch_does_not(inventory: Inventory) -> None:
    inventory.put(pod("a", 5), watched=True)
    ready = pod("a", 6)
    ready["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}

    listed(inventory, ready, pod("b", 7))

    assert states(inventory) == [WorkerState.READY, WorkerState.STARTING]


def test_what_a_later_list_does_not_have_is_gone(inventory: Inventory) -> None:
    inventory.put(pod("a", 5))
    inventory.put(pod("b", 6), watched=True)

    listed(inventory, version=10)

    assert uids(inventory) == []


def test_a_list_says_nothing_of_what_was_created_after_its_moment(inventory: Inventory) -> None:
    inventory.put(pod("a", 11))

    listed(inventory, version=10)

    assert uids(inventory) == ["a"]


def test_a_list_of_one_namespace_says_nothing_of_another(inventory: Inventory) -> None:
    inventory.put(pod("a", 5))

    inventory.end_list("elsewhere", set(), 10)

    assert uids(inventory) == ["a"]


def test_what_ended_while_a_list_was_read_does_not_come_back(inventory: Inventory) -> None:
    inventory.put(pod("a", 5), watched=True)
    inventory.remove(pod("a", 12))

    listed(inventory, pod("a", 5), version=10)
    assert uids(inventory) == []

    listed(inventory, version=20)
    inventory.remove(pod("a", 12))
    assert uids(inventory) == []


def test_a_pod_that_was_deleted_ends_until_the_watch_says_more(inventory: Inventory) -> None:
    inventory.put(pod("a", 5))

    inventory.note_deleted(POOL, "a")
    inventory.put(pod("a", 5), watched=True)

    assert states(inventory) == [WorkerState.ENDING]


def test_a_followed_pool_is_woken_and_hears_once_of_each_pod_that_went(
    inventory: Inventory,
) -> None:
    woken: list[int] = []
    inventory.follow(POOL, lambda: woken.append(1))

    inventory.put(pod("a", 5), watched=True)
    inventory.put(pod("x", 5, OTHER), watched=True)
    inventory.remove(pod("a", 6))
    inventory.remove(pod("x", 6, OTHER))

    assert len(woken) == 2
    assert [facts.worker.uid for facts in inventory.take_departed(POOL)] == ["a"]
    assert inventory.take_departed(POOL) == ()


def test_a_pod_that_lost_its_label_is_not_ours_any_more_and_did_not_end(
    inventory: Inventory,
) -> None:
    inventory.follow(POOL, lambda: None)
    inventory.put(pod("a", 5), watched=True)
    unlabelled = pod("a", 6)
    del unlabelled["metadata"]["labels"]

    inventory.remove(unlabelled)

    assert uids(inventory) == []
    assert inventory.take_departed(POOL) == ()


def test_pods_on_a_node_that_is_about_to_go_are_marked_while_it_is(inventory: Inventory) -> None:
    inventory.put(pod("a", 5, nodeName="old"), watched=True)

    marks = []
    for cordoned in (False, True, False):
        inventory.note_node("old", cordoned=cordoned)
        marks += [worker.node_draining for worker in workers(inventory)]

    assert marks == [False, True, False]


def test_a_list_is_due_at_the_start_now_and_then_and_sooner_in_doubt() -> None:
    inventory = Inventory()
    assert inventory.is_list_due(100.0)

    inventory.begin_list(100.0)
    assert not inventory.is_list_due(100.0 + UNSEEN_SECONDS)
    assert inventory.is_list_due(100.0 + LIST_SECONDS)

    inventory.put(pod("a", 5))
    assert inventory.is_list_due(100.0 + UNSEEN_SECONDS)
    inventory.put(pod("a", 5), watched=True)
    assert not inventory.is_list_due(100.0 + UNSEEN_SECONDS)

    inventory.doubt()
    assert inventory.is_list_due(100.0)
