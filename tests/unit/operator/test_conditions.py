"""What is written into the status, and what is left as it was."""

from typing import Any

import pytest

from zerog_operator.conditions import (
    FIGURES_SECONDS,
    IDLE_FIGURES_SECONDS,
    MAX_NAMED,
    build_status,
    event_type,
    transitions,
)
from zerog_operator.model import (
    Decision,
    LimitedBy,
    Observation,
    QueueReading,
    Refusal,
    Unknown,
    WorkerPod,
    Workers,
    WorkerState,
)
from zerog_operator.pool import PoolSpec

SPEC = PoolSpec("media")
NOW = 1_800_000_000.0
AWAY = Unknown("QueueUnreachable", "no answer")


def status(
    before: dict[str, Any],
    *,
    decision: Decision | None = None,
    now: float = NOW,
    refusal: Refusal | None = None,
    unserved: tuple[str, ...] | None = None,
    workers: Workers | None = None,
    **queue: Any,
) -> dict[str, Any]:
    reading = QueueReading(time=now, **queue)
    observation = Observation(reading, workers or Workers(), refusal, unserved)
    decided = decision or Decision(0, "nothing to do")
    return build_status(SPEC, observation, decided, before, generation=1, now=now)


def condition(found: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(item for item in found["conditions"] if item["type"] == kind)


@pytest.mark.parametrize("what", [Observation(AWAY, AWAY), Observation(AWAY, Workers())])
def test_what_is_unknown_leaves_the_numbers_as_they_were(what: Observation) -> None:
    before = status({}, decision=Decision(5, "5 ready", retiring=2), ready=5)
    decision = Decision(0, "cannot be read", LimitedBy.UNKNOWN)

    after = build_status(SPEC, what, decision, before, generation=1, now=NOW + 1)

    for key in ("desiredReplicas", "replicas", "readyReplicas", "retiring", "queue"):
        assert after[key] == before[key]
    assert after["lastDecision"]["replicas"] == 5
    assert "lastScaleTime" not in after
    assert condition(after, "Ready")["status"] != "True"


@pytest.mark.parametrize(
    ("seconds", "queue", "written"),
    [
        (FIGURES_SECONDS + 1, {}, False),
        (IDLE_FIGURES_SECONDS + 1, {}, True),
        (FIGURES_SECONDS + 1, {"buried": 1}, True),
        (1, {"ready": 3}, True),
    ],
)
def test_an_idle_pool_is_seldom_written(
    seconds: float, queue: dict[str, Any], written: bool
) -> None:
    before = status({})

    after = status(before, now=NOW + seconds, **queue)

    assert (after != before) is written


def test_figures_that_move_all_the_time_are_written_now_and_then() -> None:
    before = status({}, ready=5)

    soon = status(before, now=NOW + 1, ready=4)
    later = status(soon, now=NOW + FIGURES_SECONDS, ready=3)

    assert soon["queue"]["ready"] == 5
    assert later["queue"]["ready"] == 3


def waits_for_a_node(name: str, created: float, message: str) -> WorkerPod:
    state = WorkerState.WAITING_FOR_NODE
    return WorkerPod(
        name, name, "1", created, state, "t", reason="Unschedulable", message=message
    )  # fmt: skip


def test_that_nodes_are_waited_for_is_told_in_the_words_that_the_first_in_the_line_got() -> None:
    old = waits_for_a_node("media-z", 1.0, "0/3 nodes are available: 3 Insufficient cpu.")
    young = waits_for_a_node("media-a", 2.0, "0/0 nodes are available")
    before = status({})

    after = status(before, workers=Workers((young, old)))

    nodes = condition(after, "WaitingForNodes")
    assert (nodes["status"], nodes["reason"]) == ("True", "Unschedulable")
    assert nodes["message"] == (
        "2 workers wait for a node: media-z: 0/3 nodes are available: 3 Insufficient cpu."
    )
    assert condition(after, "Ready")["status"] == "True"
    assert (after["replicas"], after["waitingForNode"], after["starting"]) == (2, 2, 0)
    assert transitions(before, after) == [nodes]
    assert event_type(nodes) == "Normal"


def test_where_no_pod_waits_for_a_node_nothing_is_told_of_it_on_the_first_visit() -> None:
    found = status({})

    assert condition(found, "WaitingForNodes")["status"] == "False"
    assert transitions({}, found) == []


def test_a_refusal_is_told_in_the_servers_own_words_and_is_gone_with_it() -> None:
    refused = status({}, refusal=Refusal("QuotaExceeded", "exceeded quota: none"))

    assert condition(refused, "Ready")["message"] == "exceeded quota: none"
    assert condition(status(refused), "Ready")["status"] == "True"


def test_types_that_no_worker_knows_are_named_with_what_to_do_and_leave_the_pool_ready() -> None:
    found = status({}, unserved=("Send", "Sort"))

    served = condition(found, "TypesServed")
    assert (served["status"], served["reason"]) == ("False", "TypesUnserved")
    assert "Send, Sort: start workers from an image that does, or cancel" in served["message"]
    assert condition(found, "Ready")["status"] == "True"
    assert served in transitions({}, found)


def test_of_very_many_unserved_types_some_are_named_and_the_rest_is_counted() -> None:
    unserved = tuple(f"Type{number}" for number in range(MAX_NAMED + 5))

    message = condition(status({}, unserved=unserved), "TypesServed")["message"]

    assert "Type0, Type1" in message
    assert f"Type{MAX_NAMED - 1} and 5 more: " in message


@pytest.mark.parametrize("unserved", [("Send",), ()])
def test_while_the_unserved_types_are_unknown_their_condition_stays(
    unserved: tuple[str, ...],
) -> None:
    before = status({}, unserved=unserved)

    after = status(before, now=NOW + 1)

    assert condition(after, "TypesServed") == condition(before, "TypesServed")
    assert transitions(before, after) == []


def test_where_the_unserved_types_were_never_known_there_is_no_condition() -> None:
    assert "TypesServed" not in {item["type"] for item in status({})["conditions"]}


def test_types_that_are_served_again_are_told_as_a_transition() -> None:
    before = status({}, unserved=("Send",))

    after = status(before, now=NOW + 1, unserved=())

    (item,) = transitions(before, after)
    assert (item["type"], item["status"]) == ("TypesServed", "True")
